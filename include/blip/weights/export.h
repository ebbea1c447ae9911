// Weights for others: safetensors under the reference's or Hugging Face's names, and the reference's .pth. Used by the
// verb export.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "blip/options/options.h"
#include "blip/params/layout.h"

namespace blip {

struct ExportedWeights {
    const Layout& layout;
    std::vector<at::Tensor> values;    // by ParamId, contiguous, on the CPU, in the dtype to be written
    ModelOptions model;
    std::string prompt;
    std::string vocabulary_text;    // one token a line
};

// A folder that BlipForConditionalGeneration.from_pretrained and BlipProcessor.from_pretrained load with nothing else:
// model.safetensors (tied tensors once), config.json with every value that the reference's computation needs,
// generation_config.json, vocab.txt, tokenizer_config.json, preprocessor_config.json. Durable, wholly there or not at
// all. Throws io.
void write_huggingface_folder(const std::filesystem::path& folder, const ExportedWeights& weights);

// {'model': OrderedDict} as the reference's load_checkpoint and torch.load(weights_only=True) read it; tied tensors
// share a storage, as in the reference's own files. Durable. Throws io.
void write_reference_pth(const std::filesystem::path& file, const ExportedWeights& weights);

}    // namespace blip
