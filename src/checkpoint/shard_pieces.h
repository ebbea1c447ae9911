// The tensors of a checkpoint's shards as pieces of parameters, checked as a whole before anything is copied. Internal
// to the checkpoint layer: resume (load.cpp), --init (init/load_model.cpp) and verify.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blip/checkpoint/manifest.h"
#include "blip/params/arena.h"
#include "blip/weights/weight_file.h"

namespace blip {

struct StoredPiece {
    Range elements;    // within the flattened parameter
    const WeightFile* shard = nullptr;
    std::string name;    // in the shard: "exp_avg/NAME[begin:end]"
};

class ShardPieces {
  public:
    ShardPieces() = default;
    // Of all shards. Throws as add and check do.
    ShardPieces(const std::filesystem::path& directory, const Manifest& manifest);

    // Throws bad_data naming file and tensor if one is no piece of a checkpoint.
    void add(std::unique_ptr<WeightFile> shard);
    // After the last shard. Throws bad_data naming the parameter unless master, exp_avg and exp_avg_sq hold the same
    // elements of the same parameters, each once, from the first on; of a frozen parameter only master has them.
    void check(const std::filesystem::path& directory);

    // Of master, exp_avg or exp_avg_sq: by parameter, each one's pieces in order.
    const std::map<std::string, std::vector<StoredPiece>>& of(const std::string& kind) const {
        return pieces_.at(kind);
    }
    // These elements of a parameter, as the shards have them; first counts from the parameter's first.
    void read(const std::string& kind, const std::string& param, Range elements, const PieceSink& sink) const;

  private:
    std::vector<std::unique_ptr<WeightFile>> shards_;
    std::map<std::string, std::map<std::string, std::vector<StoredPiece>>> pieces_;
};

}    // namespace blip
