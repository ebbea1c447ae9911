// Weights into files: our own form (best/), safetensors under the reference's names, the reference's .pth, and folders
// for Hugging Face. The only writers of models: used by checkpoint (save_model) and by the verb export. Each file
// appears whole and durable, or not at all; values are written from where they are, never copied.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "blip/options/options.h"
#include "blip/params/layout.h"
#include "blip/weights/safetensors.h"

namespace blip {

// Names of the files in a folder of ours, and what their metadata calls them ("kind"). Metadata of every safetensors
// file that we write: kind; config, the text of config.json; xxh3, the weights_digest of its tensors as named there.
inline constexpr const char* kWeightsName = "model.safetensors";
inline constexpr const char* kConfigName = "config.json";
inline constexpr const char* kVocabularyName = "vocab.txt";
inline constexpr const char* kModelKind = "blip_mpi model";

struct ExportedWeights {
    const Layout& layout;
    std::vector<at::Tensor> values;    // by ParamId, contiguous, on the CPU, all of the dtype to be written
    ModelOptions model;
    std::string config;             // JSON: shape, prompt, origin; model_config_text in checkpoint/init.h
    std::string vocabulary_text;    // one token a line; empty: no vocab.txt in a folder of ours
    WriteObserver on_written;       // may be empty
};

// All parameters under the layout's names (a captioner's: the reference's), in its order. values: by ParamId.
std::vector<NamedTensor> named_tensors(const Layout& layout, const std::vector<at::Tensor>& values);

// xxh3-64 over name and bytes of each tensor, by name: a flipped byte must not become a caption. Contiguous
// tensors, on any device.
std::string weights_digest(std::vector<NamedTensor> tensors);
// The same of named_tensors: whatever form weights are in, these 16 digits are the same.
std::string weights_digest(const ExportedWeights& weights);

// model.safetensors with metadata, config.json and vocab.txt into an existing folder, weights first: they carry the
// configuration, so that the folder is wholly the new model from then on. Throws io.
void write_reference_folder(const std::filesystem::path& folder, const ExportedWeights& weights);

// One file that holds what a folder of ours holds, vocabulary apart. Throws io.
void write_reference_safetensors(const std::filesystem::path& file, const ExportedWeights& weights);

// {'model': OrderedDict} as the reference's load_checkpoint and torch.load(weights_only=True) read it; tied tensors
// share a storage, as in the reference's own files. The same weights give the same bytes. Throws io.
void write_reference_pth(const std::filesystem::path& file, const ExportedWeights& weights);

// Into an existing folder, which BlipForConditionalGeneration.from_pretrained and BlipProcessor.from_pretrained then
// load with nothing else: model.safetensors (tied tensors once), config.json with every value that the reference's
// computation needs, generation_config.json, vocab.txt, tokenizer_config.json, special_tokens_map.json,
// preprocessor_config.json. Throws io.
void write_huggingface_folder(const std::filesystem::path& folder, const ExportedWeights& weights);

}    // namespace blip
