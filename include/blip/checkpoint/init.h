// Weights alone: what --init names is read, and best/ is written. Used by every verb that computes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"

namespace blip {

// Model-only weights in fp32: directory/model.safetensors (reference names) and config.json (shape, vocabulary size,
// prompt, origin). Replaces an existing directory's files atomically; the weights' metadata repeats the configuration
// and holds their digest. note_json: an object that goes into the configuration as "note"; its "prompt" replaces the
// default one. Writes the masters of all ranks on rank 0, which holds them once in host memory; collective: they are
// gathered bucket by bucket unless the arena itself holds them. Throws io on rank 0.
void save_model(const std::filesystem::path& directory, const Arena& arena, const ShardState& state,
                HostMessages& communicator, const ModelOptions& model, const std::string& note_json);
// Throws bad_data if the weights in init (as for read_model_options) do not fit the digests that are noted with them:
// reads every byte, keeps none.
void check_model(const std::filesystem::path& init);
// The text of the configuration that goes with such weights (one line of JSON): shape, vocabulary size, prompt, note.
std::string model_config_text(const Layout& layout, const ModelOptions& model, const std::string& note_json);
// The note (with the prompt) of a model of ours, as model_config_text takes it; "{}" for weights of others.
std::string read_model_note(const std::filesystem::path& init);
// The shape that goes with weights: a checkpoint directory, a run directory (its best/, else its newest intact
// checkpoint), a best/ directory, or weights of others in any form of weights/weight_file.h. What we wrote says it;
// of others it is recognised from the tensors and the config.json beside them, heads also from asked where
// explicit_options names them (weights/import.h: recognise_shape). The resolution is the weights' own. A shape
// with more values than the files can hold is refused, before anything takes memory for it. Throws
// missing_input / bad_data. With a communicator: rank 0 reads, all get its answer or throw its error; collective.
ModelOptions read_model_options(const std::filesystem::path& init, const ModelOptions& asked = {},
                                const std::vector<std::string>& explicit_options = {},
                                HostMessages* communicator = nullptr);
// Weights into the arena (a training run's through the optimizer's sink) from any of these (weights/import.h:
// import_weights tells what fits; position embeddings of another resolution are resized). Our own files' digests are
// checked before anything is used. With a communicator: the first rank of each host reads, the others get the values
// from it, and all end with the same AgreedError if any fails or hosts read different values; collective. Without one,
// this process reads for itself. Memory: a few MiB beside the arena.
void load_model(const std::filesystem::path& init, Arena& arena, HostMessages* communicator = nullptr);
void load_model(const std::filesystem::path& init, const Arena& arena, const WeightSink& sink,
                HostMessages* communicator = nullptr);

}    // namespace blip
