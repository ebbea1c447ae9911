// The reference's own small model, loaded into an arena; what the model, curve and generation tests start from.
#pragma once

#include <memory>

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

// largest |a - b| / largest |b|
double relative_difference(const at::Tensor& a, const at::Tensor& b);

}    // namespace blip::test
