// Weights of others into an arena: names, shapes, resolution. Used by checkpoint/init.h (load_model).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "blip/options/options.h"
#include "blip/params/arena.h"
#include "blip/weights/weight_file.h"

namespace blip {

// The model's shape as the tensors tell it: widths, depths, patch size, resolution, positions. They do not tell the
// numbers of heads: those come from `config` (the text of a config.json of ours or of Hugging Face; may be empty), else
// from `asked` where explicit_options names them, else 64 channels a head, as in every published BLIP; if that does not
// divide the width: bad_data with the options to give. preset is the one whose dimensions these are, resolution aside.
// What was recognised is told in a log line, and what `config` asks for that is not computed here. Throws bad_data: no
// BLIP captioner at all (what is missing), another vocabulary size (explained).
ModelOptions recognise_shape(const WeightFile& file, const std::string& config, const ModelOptions& asked,
                             const std::vector<std::string>& explicit_options);

// Every parameter of the layout from the file, under the reference's or Hugging Face's names; a tied head may be stored
// under either name or both (then equal, or bad_data). Missing ones and shape mismatches are all listed (first 20, and
// the count), expected and found. Position embeddings of another resolution are resized as the reference does (bicubic,
// a = -0.75, no antialiasing, corners not aligned; [CLS] position kept), which is told in a log line. Tensors that are
// none of ours are counted by prefix in a log line. A value that is not finite is bad_data with its name. Memory: a few
// MiB, and the position embeddings.
void import_weights(const WeightFile& file, const Layout& layout, const std::function<std::int64_t(ParamId)>& offset,
                    const WeightSink& sink);

}    // namespace blip
