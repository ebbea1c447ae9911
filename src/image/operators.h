// RandomAugment's operators: what kind each is, and its matrix. Used by operators.cpp and device_transform.cpp.
#pragma once

#include "blip/image/augment.h"
#include "src/image/operator_arithmetic.h"

namespace blip {

// Maps levels by a table of the picture's own histogram.
constexpr bool uses_table(ImageOperator kind) {
    return kind == ImageOperator::auto_contrast || kind == ImageOperator::equalize;
}
// Moves pixels.
constexpr bool is_affine(ImageOperator kind) { return kind >= ImageOperator::shear_x; }

// Where an affine operator's output comes from, in a picture of that size.
AffineMap affine_map(const SignedOperator& operation, int height, int width);

}    // namespace blip
