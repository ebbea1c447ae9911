// A draw in the context of an autograd function, whose backward pass drops what its forward pass dropped. Used by
// kernels and model.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include "blip/kernels/dropout.h"

namespace blip {

inline void keep_draw(torch::autograd::AutogradContext& context, const DropoutDraw& draw) {
    context.saved_data["probability"] = draw.probability;
    context.saved_data["key"] = static_cast<std::int64_t>(draw.key);
    context.saved_data["site"] = static_cast<std::int64_t>(draw.site);
    context.saved_data["first_caption"] = static_cast<std::int64_t>(draw.first_caption);
    context.saved_data["side_by_side"] = static_cast<std::int64_t>(draw.side_by_side);
}

inline DropoutDraw kept_draw(torch::autograd::AutogradContext& context) {
    const auto number = [&](const char* name) { return static_cast<std::uint64_t>(context.saved_data[name].toInt()); };
    return {context.saved_data["probability"].toDouble(), number("key"), static_cast<std::uint32_t>(number("site")),
            static_cast<std::uint32_t>(number("first_caption")), static_cast<std::uint32_t>(number("side_by_side"))};
}

}    // namespace blip
