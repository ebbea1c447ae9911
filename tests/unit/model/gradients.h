// What tests of operators with gradients of their own share.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>
#include <torch/csrc/autograd/function_hook.h>

#include <boost/test/unit_test.hpp>

#include "tests/tolerances.h"

namespace blip::test {

// Counts how often autograd has added to a leaf's gradient.
struct CountRuns : torch::autograd::PostAccumulateGradHook {
    int& runs;
    explicit CountRuns(int& counter) : runs(counter) {}
    void operator()(const at::Tensor&) override { ++runs; }
};

// Within fused_gradients of the largest.
inline void check_close(const at::Tensor& got, const at::Tensor& wanted, const char* what) {
    const double largest = wanted.abs().max().item<double>();
    BOOST_TEST((got - wanted).abs().max().item<double>() <= tolerance::fused_gradients * largest, what);
}

}    // namespace blip::test
