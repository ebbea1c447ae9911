// Checkpoints of a run: out/checkpoints/step-00000120/{shard-00000-of-00002.safetensors, ..., manifest.json} and
// out/best. save = snapshot (copy of this rank's masters and moments) + write (may run in a thread; never calls MPI) +
// publish (agreed by all ranks, rank 0 writes the manifest). Files hold fp32 masters, whatever device and precision the
// weights are computed with, so that they serve any. Used by the trainer.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip/checkpoint/manifest.h"
#include "blip/comm/communicator.h"
#include "blip/params/arena.h"
#include "blip/params/shard_state.h"

namespace blip {

class CheckpointWriter {
  public:
    // run_directory/checkpoints is created. keep: newest checkpoints that survive a save. Collective; throws io.
    CheckpointWriter(std::filesystem::path run_directory, int keep, Communicator& communicator);
    ~CheckpointWriter();    // waits for what goes on in the background
    // What interrupted saves left is removed, and named. Collective; throws io.
    void remove_unfinished();
    // Called on rank 0 before a manifest is written and old checkpoints are removed. If it throws an Error,
    // finish_save throws it on all ranks and changes nothing on disk: the folder is no longer this job's.
    void before_publishing(std::function<void()> check);

    // Snapshot, then write, in a background thread. At most one save is in flight: an earlier one is finished first.
    // Weights and moments must stay as they are until wait_for_snapshot has returned. On a GPU it returns at once: what
    // the calling thread queues from then on comes behind the copies, which have page-locked memory that is kept for
    // later saves. Collective (rank 0 makes the directory). world_size, update_count and shards of the manifest are
    // filled here.
    void start_save(const Manifest& manifest, const Arena& arena, const ShardState& state);
    // Returns once weights and moments may change, on a device by what is queued from then on (no communication).
    void wait_for_snapshot();
    // True once this rank's file is on disk or has failed (no communication).
    bool written() const;
    // Waits for this rank's file, agrees with the others and writes the manifest; old checkpoints then go in the
    // background, before the next save begins. Collective. Returns false (with a warning that says why) if any rank
    // failed: that checkpoint is then removed.
    bool finish_save();
    bool in_flight() const;
    // Of the last save: seconds for which start_save, wait_for_snapshot and finish_save held up training, and for which
    // this rank wrote its file in the background; bytes of all ranks' files.
    double stall_s() const;
    double write_s() const;
    std::uint64_t bytes() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct FoundCheckpoint {
    std::filesystem::path directory;
    Manifest manifest;
};

// Newest checkpoint whose manifest and every shard digest verify; damaged ones are named in warnings and passed over.
// Rank 0 looks, the ranks of each host share the reading of all shards, all get the same answer. Collective. Throws
// bad_data if there are checkpoints but none is intact: to start over silently would remove them in the end; io if one
// cannot be read, which says nothing of what it holds.
std::optional<FoundCheckpoint> find_newest_checkpoint(const std::filesystem::path& run_directory,
                                                      Communicator& communicator);

// Fills weights (all), masters and moments (this rank's shards) from a checkpoint written by any number of ranks with
// weights of any placement. Every rank reads all masters and rounds them itself: nothing is communicated.
// found comes from find_newest_checkpoint, which verified the shards whole. Every element must be covered exactly once:
// that is checked before anything is copied. Throws bad_data naming file and parameter.
void load_checkpoint(const FoundCheckpoint& found, const Arena& arena, const ShardState& state,
                     const WeightSink& weights);

// Model-only weights in fp32: directory/model.safetensors (reference names) and config.json (shape, vocabulary size,
// prompt, origin). Replaces an existing directory's files atomically; the weights' metadata repeats the configuration
// and holds their digest. note_json: an object that goes into the configuration as "note"; its "prompt" replaces the
// default one. Writes the masters of all ranks on rank 0, which holds them once in host memory; collective: they are
// gathered bucket by bucket unless the arena itself holds them. Throws io on rank 0.
void save_model(const std::filesystem::path& directory, const Arena& arena, const ShardState& state,
                Communicator& communicator, const ModelOptions& model, const std::string& note_json);
// The same from the arena's weights, as they are, by one rank.
void save_model(const std::filesystem::path& directory, const Arena& arena, const ModelOptions& model,
                const std::string& note_json);
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
                                Communicator* communicator = nullptr);
// Weights into the arena (a training run's through the optimizer's sink) from any of these (weights/import.h:
// import_weights tells what fits; position embeddings of another resolution are resized). Our own files' digests are
// checked before anything is used. With a communicator: the first rank of each host reads, the others get the values
// from it, and all end with the same AgreedError if any fails or hosts read different values; collective. Without one,
// this process reads for itself. Memory: a few MiB beside the arena.
void load_model(const std::filesystem::path& init, Arena& arena, Communicator* communicator = nullptr);
void load_model(const std::filesystem::path& init, const Arena& arena, const WeightSink& sink,
                Communicator* communicator = nullptr);

}    // namespace blip
