// The tensors of a checkpoint's shards as pieces of parameters, checked as a whole before anything is copied.
// Internal to the checkpoint layer: load.cpp takes weights and moments from it; weights alone: checkpoint_weights.h.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "blip/checkpoint/manifest.h"
#include "blip/params/arena.h"
#include "blip/weights/safetensors.h"

namespace blip {

// "exp_avg/NAME[begin:end]", as a shard calls a tensor
struct PieceName {
    std::string kind, param;
    Range elements;
};
// nullopt if it is none, or its range is empty
std::optional<PieceName> parse_piece_name(const std::string& text);

struct StoredPiece {
    ParamId param = 0;
    Range elements;       // within the flattened parameter
    at::Tensor values;    // fp32, elements.length()
};

class ShardPieces {
  public:
    // Opens all shards. kinds: which of master, exp_avg, exp_avg_sq are needed; each must cover every element of the
    // layout exactly once. Throws bad_data naming the file and the parameter.
    ShardPieces(const std::filesystem::path& directory, const Manifest& manifest, const Layout& layout,
                const std::vector<std::string>& kinds);

    // of one kind, ordered by parameter and element
    const std::vector<StoredPiece>& of(const std::string& kind) const { return pieces_.at(kind); }

  private:
    std::map<std::string, std::vector<StoredPiece>> pieces_;
};

}    // namespace blip
