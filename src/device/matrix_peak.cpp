// See matrix_peak.h.
#include "blip/device/matrix_peak.h"

#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "blip/device/device.h"
#include "blip/device/product.h"

namespace blip {

namespace {
using Clock = std::chrono::steady_clock;

// Seconds of the shortest product of two matrices of side x side until then; at least one is timed, behind one that
// warms up.
double shortest_product_s(std::int64_t side, const at::TensorOptions& options, Clock::time_point end) {
    const at::Tensor left = at::full({side, side}, 0.5, options), right = at::full({side, side}, 0.25, options);
    at::Tensor product = linear_product(left, right);
    double shortest = std::numeric_limits<double>::infinity();
    do {
        DevicePoint begin(options.device()), done(options.device());
        begin.record();
        product = linear_product(left, right);
        done.record();
        while (!done.reached()) std::this_thread::yield();
        shortest = std::min(shortest, done.ms_since(begin) / 1000);
    } while (Clock::now() < end);
    return shortest;
}

}    // namespace

double matrix_peak(c10::Device device, at::ScalarType precision, double seconds) {
    const c10::NoGradGuard no_graph;
    const auto options = at::TensorOptions().dtype(precision).device(device);
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    // Sizes grow until a product takes milliseconds: what starts it then counts for nothing.
    std::int64_t side = 1024;
    while (side < 8192 && shortest_product_s(side, options, Clock::now()) < 2e-3) side *= 2;
    const double cubed = static_cast<double>(side) * static_cast<double>(side) * static_cast<double>(side);
    return 2 * cubed / shortest_product_s(side, options, end);
}

}    // namespace blip
