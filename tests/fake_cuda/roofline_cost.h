// What an operation costs on a GPU, estimated from its shapes alone: kernels, bytes, floating-point operations and
// time. Used by build/tests/roofline and its tests.
#pragma once

#include <cstdint>
#include <string>

#include "tests/fake_cuda/record.h"

namespace blip::roofline {

// Estimates for an H100 SXM, not measurements of this program: published rates of such kernels for bf16 (a peak of
// 798 TF/s and 3.0 TB/s was measured there), good for +-15 % of a micro-batch's time.
struct Machine {
    double products = 620e12;              // FLOP/s of large matrix products
    double attention_forward = 450e12;     // FLOP/s of fused attention
    double attention_backward = 380e12;    // the same, backward
    double bytes = 2.7e12;                 // bytes/s of everything that only moves data
    double kernel = 3e-6;                  // s that the shortest kernel takes with the gap behind it
    std::int64_t multiprocessors = 132;    // a product's tiles are computed in waves of so many
    std::int64_t tile = 128;               // rows and columns of such a tile
    std::int64_t waves_that_fill = 4;      // from so many waves on the last one's gaps do not count
    std::int64_t split_from = 4096;        // inner lengths that cuBLAS splits, so that few tiles fill the machine,
    double split_fill = 0.9;               // so much of it
    double batched = 0.35;                 // share of the rate of batched products that are smaller than a tile
    std::int64_t short_inner = 128;        // inner lengths below this
    double of_short_inner = 0.5;           // reach this share
};

struct Cost {
    std::int64_t kernels = 0;
    double bytes = 0, flops = 0, seconds = 0;

    Cost& operator+=(const Cost& other);
};

// Of memory that is really touched: what an expanded tensor repeats (stride 0) counts once.
double bytes_of(const fake_cuda::Operand& operand);

// An operator that is not in the table of roofline_cost.cpp, and a kernel of the program's own: one kernel that touches
// its operands.
Cost cost_of(const fake_cuda::Operation& operation, const Machine& machine = {});

// "addmm" of "aten::addmm.out"; own kernels keep their whole name.
std::string base_name(const std::string& name);

}    // namespace blip::roofline
