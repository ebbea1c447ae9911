// Checkpoints of a run: out/checkpoints/step-00000120/{shard-00000-of-00002.safetensors, ..., manifest.json}. save =
// snapshot (copy of this rank's masters and moments) + write (may run in a thread; never calls MPI) + publish (agreed
// by all ranks, rank 0 writes the manifest). Files hold fp32 masters, whatever device and precision the weights are
// computed with, so that they serve any. Used by the trainer.
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

namespace blip {

class CheckpointWriter {
  public:
    // run_directory/checkpoints is created. keep: newest checkpoints that survive a save. Collective; throws io.
    CheckpointWriter(std::filesystem::path run_directory, int keep, HostMessages& communicator);
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
                                                      HostMessages& communicator);

// Fills weights (all), masters and moments (this rank's shards) from a checkpoint written by any number of ranks with
// weights of any placement. Every rank reads all masters and rounds them itself: nothing is communicated.
// found comes from find_newest_checkpoint, which verified the shards whole. Every element must be covered exactly once:
// that is checked before anything is copied. Throws bad_data naming file and parameter.
void load_checkpoint(const FoundCheckpoint& found, const Arena& arena, const ShardState& state,
                     const WeightSink& weights);

}    // namespace blip
