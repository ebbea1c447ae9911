// See roofline_cost.h.
#include "tests/fake_cuda/roofline_cost.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace blip::roofline {

namespace {

using fake_cuda::Operand;
using fake_cuda::Operation;

// How bytes are counted.
enum class Touches : std::uint8_t {
    all,               // every operand
    in_place,          // every operand, and what is written is read before
    written,           // the results only: fills
    gathered,          // of the first operand as much as is written, then the others
    first_two_twice    // layer norm's backward: its statistics' kernel reads gradient and input a second time
};

struct Entry {
    std::string_view name;
    std::int64_t kernels;
    Touches touches;
};
// Operators of several kernels, or that touch less or more than their operands. (Operators that LibTorch composes of
// others are recorded as those.)
constexpr Entry table[] = {
    {"native_layer_norm_backward", 3, Touches::first_two_twice},    // input, and gamma and beta in two stages
    {"embedding_dense_backward", 2, Touches::all},                  // a fill and a sum; more above 3,072 tokens
    {"nll_loss_backward", 2, Touches::written},                     // a fill and the targets' places
    {"nll_loss_forward", 1, Touches::gathered},                     // only the targets' logits
    {"index_select", 1, Touches::gathered},
    {"embedding", 1, Touches::gathered},
    {"gather", 1, Touches::gathered},
    {"zero_", 1, Touches::written},
    {"fill_", 1, Touches::written},
};

bool is(std::string_view name, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

double as_double(std::int64_t value) { return static_cast<double>(value); }
std::int64_t size_from_end(const Operand& x, std::size_t from_end) { return x.sizes.at(x.sizes.size() - from_end); }

Entry entry_of(const std::string& name) {
    for (const Entry& entry : table)
        if (entry.name == name) return entry;
    const bool in_place = name.size() > 1 && name.back() == '_' && name.front() != '_';
    return {"", 1, in_place ? Touches::in_place : Touches::all};
}

double bytes_touched(const Operation& operation, Touches touches) {
    double bytes = 0, results = 0, first_two = 0;
    for (std::size_t i = 0; i < operation.operands.size(); ++i) {
        const double own = bytes_of(operation.operands[i]);
        bytes += own;
        if (operation.operands[i].written) results += own;
        if (i < 2) first_two += own;
    }
    switch (touches) {
        case Touches::in_place:
            return bytes + results;
        case Touches::written:
            return results;
        case Touches::gathered:
            return operation.operands.empty() ? 0 : bytes - bytes_of(operation.operands[0]) + results;
        case Touches::first_two_twice:
            return bytes + first_two;
        case Touches::all:
            break;
    }
    return bytes;
}

// Of a product's two factors, [.., m, k] and [.., k, n].
double product_seconds(const Operand& left, const Operand& right, double flops, const Machine& machine) {
    const std::int64_t m = size_from_end(left, 2), k = size_from_end(left, 1), n = size_from_end(right, 1);
    const bool batched = left.sizes.size() == 3;
    const auto tiles_of = [&](std::int64_t length) { return (length + machine.tile - 1) / machine.tile; };
    const std::int64_t tiles = tiles_of(m) * tiles_of(n) * (batched ? left.sizes[0] : 1);
    const std::int64_t waves = (tiles + machine.multiprocessors - 1) / machine.multiprocessors;
    double share =
        waves < machine.waves_that_fill ? as_double(tiles) / as_double(waves * machine.multiprocessors) : 1.0;
    if (k >= machine.split_from && !batched) share = std::max(share, machine.split_fill);
    if (batched && std::min(m, n) < machine.tile) share *= machine.batched;
    if (batched && std::min(m, n) >= machine.tile)    // what their last tiles leave empty
        share *= as_double(m * n) / as_double(tiles_of(m) * tiles_of(n) * machine.tile * machine.tile);
    if (k < machine.short_inner) share *= machine.of_short_inner;
    return flops / (machine.products * share);
}

Cost product(const Operation& operation, std::size_t first_factor, const Machine& machine) {
    const Operand &left = operation.operands.at(first_factor), &right = operation.operands.at(first_factor + 1);
    Cost cost{1, bytes_touched(operation, Touches::all), 2.0 * as_double(size_from_end(right, 1)), 0};
    for (const std::int64_t size : left.sizes) cost.flops *= as_double(size);
    if (cost.flops > 0) cost.seconds = product_seconds(left, right, cost.flops, machine);
    return cost;
}

// Query and key are the first two operands, behind the gradient in backward, whose three kernels compute five products
// where forward computes two.
Cost attention(const Operation& operation, bool backward, const Machine& machine) {
    const Operand &q = operation.operands.at(backward ? 1 : 0), &k = operation.operands.at(backward ? 2 : 1);
    Cost cost{backward ? 3 : 1, bytes_touched(operation, Touches::all), 4.0 * as_double(size_from_end(k, 2)), 0};
    for (const std::int64_t size : q.sizes) cost.flops *= as_double(size);
    if (backward) cost.flops *= 2.5;
    cost.seconds = cost.flops / (backward ? machine.attention_backward : machine.attention_forward);
    return cost;
}

}    // namespace

Cost& Cost::operator+=(const Cost& other) {
    kernels += other.kernels;
    bytes += other.bytes;
    flops += other.flops;
    seconds += other.seconds;
    return *this;
}

double bytes_of(const Operand& operand) {
    double elements = 1;
    for (std::size_t d = 0; d < operand.sizes.size(); ++d)
        if (operand.strides[d] != 0 || operand.sizes[d] == 0) elements *= as_double(operand.sizes[d]);
    return elements * as_double(static_cast<std::int64_t>(c10::elementSize(operand.type)));
}

std::string base_name(const std::string& name) {
    constexpr std::string_view aten = "aten::";
    if (name.rfind(aten, 0) != 0) return name;
    return name.substr(aten.size(), name.find('.') == std::string::npos ? name.npos : name.find('.') - aten.size());
}

Cost cost_of(const Operation& operation, const Machine& machine) {
    const std::string name = base_name(operation.name);
    Cost cost;
    if (is(name, {"mm", "bmm"})) {
        cost = product(operation, 0, machine);
    } else if (is(name, {"addmm", "baddbmm", "addmm_", "baddbmm_"})) {
        cost = product(operation, 1, machine);
    } else if (name.rfind("_scaled_dot_product_", 0) == 0) {
        cost = attention(operation, name.find("_backward") != std::string::npos, machine);
    } else {
        const Entry entry = entry_of(name);
        cost = {entry.kernels, bytes_touched(operation, entry.touches), 0, 0};
    }
    cost.seconds = std::max({cost.seconds, cost.bytes / machine.bytes, as_double(cost.kernels) * machine.kernel});
    return cost;
}

}    // namespace blip::roofline
