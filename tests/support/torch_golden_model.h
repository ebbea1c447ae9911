// The reference's own small model, loaded into an arena; what the model, curve and generation tests start from.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "blip/model/captioner.h"
#include "blip/params/arena.h"
#include "tests/support/paths.h"

namespace blip::test {

// Shape of the golden model, from golden.json.gz (text_positions is left at its default).
ModelOptions golden_model_options(const nlohmann::json& golden);

struct GoldenModel {
    nlohmann::json golden;    // golden.json.gz
    Captioner captioner;
    Arena arena;
};

// tiny_reference.pth for `world_size` ranks.
std::unique_ptr<GoldenModel> load_golden_model(int world_size = 1);

// uint8 [I, 3, S, S]: COCO files squashed as in evaluation.
at::Tensor squashed_images(const std::vector<std::string>& files, int size);

// of the recorded losses
inline constexpr double label_smoothing = 0.1;

// int64 values in row-major order
std::vector<std::int64_t> to_vector(const at::Tensor& tensor);

// largest |a - b| / largest |b|
double relative_difference(const at::Tensor& a, const at::Tensor& b);

}    // namespace blip::test
