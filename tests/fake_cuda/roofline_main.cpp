// What a micro-batch of the base model costs on a GPU, estimated from what runs on the pretended device: the table of
// `make bench ONLY=roofline`. roofline --check holds it to roofline_limits.h, for tests/run.py; roofline
// --operations prints every kind of operation, for a comparison with a profiler's kernels.
// Forward and backward of one micro-batch; the update of the weights and what waits for the network are not in it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <utility>

#include "tests/fake_cuda/roofline_batch.h"
#include "tests/fake_cuda/roofline_cost.h"
#include "tests/fake_cuda/roofline_limits.h"
#include "tests/tolerances.h"

namespace blip::roofline {
namespace {

constexpr std::int64_t small_batch = 40, large_batch = 80, third_batch = 120, shown_batch = 128;
constexpr std::int64_t captions_of_group = 5;

struct Row {
    std::int64_t count = 0;
    Cost cost;
};
// The key is a part and words about operations.
using Rows = std::map<std::pair<Part, std::string>, Row>;

template <class Words>
Rows rows_of(const MicroBatch& batch, const Words& words) {
    Rows rows;
    for (const Step& step : batch) {
        Row& row = rows[{step.part, words(step.operation)}];
        ++row.count;
        row.cost += cost_of(step.operation);
    }
    return rows;
}

std::vector<std::pair<Rows::key_type, Row>> by_time(const Rows& rows) {
    std::vector<std::pair<Rows::key_type, Row>> sorted(rows.begin(), rows.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second.cost.seconds > b.second.cost.seconds; });
    return sorted;
}

Cost total_of(const MicroBatch& batch) {
    Cost total;
    for (const Step& step : batch) total += cost_of(step.operation);
    return total;
}

double gigabytes(const Cost& cost) { return std::round(cost.bytes / 1e8) / 10; }

void print_cost(const std::string& name, const Cost& cost) {
    std::printf("%-24s %7lld %8.1f %8.0f %8.2f\n", name.c_str(), static_cast<long long>(cost.kernels), cost.bytes / 1e9,
                cost.flops / 1e9, cost.seconds * 1e3);
}

void print_operations(const MicroBatch& batch, std::size_t at_most, bool with_shapes) {
    const auto words = [&](const fake_cuda::Operation& operation) {
        return with_shapes ? describe(operation) : operation.name;
    };
    const auto sorted = by_time(rows_of(batch, words));
    std::printf("%-24s %5s %7s %8s %8s %8s  %s\n", "part", "count", "kernels", "GB", "GFLOP", "ms", "operation");
    for (std::size_t i = 0; i < std::min(at_most, sorted.size()); ++i) {
        const auto& [key, row] = sorted[i];
        std::printf("%-24s %5lld %7lld %8.2f %8.0f %8.3f  %s\n", part_name(key.first).c_str(),
                    static_cast<long long>(row.count), static_cast<long long>(row.cost.kernels), row.cost.bytes / 1e9,
                    row.cost.flops / 1e9, row.cost.seconds * 1e3, key.second.c_str());
    }
}

void print_table(const MicroBatch& batch) {
    std::printf("base model, bf16, micro-batch %lld, estimated for an H100 (+-15 %%), without the update\n",
                static_cast<long long>(shown_batch));
    std::printf("%-24s %7s %8s %8s %8s\n", "part", "kernels", "GB", "GFLOP", "ms");
    const Rows rows = rows_of(batch, [](const auto&) { return std::string(); });
    for (const auto& [key, row] : rows) print_cost(part_name(key.first), row.cost);
    print_cost("all", total_of(batch));
    std::printf("\nmost time:\n");
    print_operations(batch, 10, false);
    std::printf("\n");
}

void print_rates(std::int64_t captions, const char* of, const Cost& cost) {
    std::printf("micro-batch %lld%s: %lld kernels, %.1f ms, %.0f pairs/s\n", static_cast<long long>(captions), of,
                static_cast<long long>(cost.kernels), cost.seconds * 1e3, static_cast<double>(captions) / cost.seconds);
}

struct Checks {
    int passed = 0, failed = 0;
    void expect(bool well, const std::string& otherwise) {
        ++(well ? passed : failed);
        if (!well) std::printf("%s\n", otherwise.c_str());
    }
    // value: rounded as the limit is
    void holds(const char* name, double value, double limit) {
        expect(value <= limit, fmt::format("a micro-batch of {} has {} {}, more than the limit of {}: see "
                                           "tests/fake_cuda/roofline_limits.h",
                                           shown_batch, value, name, limit));
        if (value < limit * (1 - told_from))
            std::printf(
                "compared: a micro-batch of %lld has %g %s, less than the limit of %g: lower it in "
                "tests/fake_cuda/roofline_limits.h\n",
                static_cast<long long>(shown_batch), value, name, limit);
    }
};

int check(const BaseModel& model, const Recorded& small, const Recorded& large) {
    Checks checks;
    const Cost cost = total_of(extrapolate(small, large, shown_batch));
    checks.holds("kernels", static_cast<double>(cost.kernels), static_cast<double>(most_kernels));
    checks.holds("GB touched", gigabytes(cost), most_gigabytes);
    // A third micro-batch, run: operation for operation what was worked out from the other two.
    const MicroBatch guessed = extrapolate(small, large, third_batch), ran = model.record(third_batch);
    std::string other;
    for (std::size_t i = 0; i < std::max(guessed.size(), ran.size()) && other.empty(); ++i) {
        const auto words = [i](const MicroBatch& batch) {
            return i < batch.size() ? describe(batch[i].operation) : "nothing";
        };
        const bool both = i < guessed.size() && i < ran.size();
        if (!both || !alike(guessed[i].operation, ran[i].operation, test::tolerance::roofline_sizes))
            other =
                fmt::format("operation {} of {} captions is {}, not {}", i, third_batch, words(ran), words(guessed));
    }
    checks.expect(other.empty(), other);
    std::printf("%d passed, %d failed, 0 skipped\n", checks.passed, checks.failed);
    return checks.failed == 0 ? 0 : 1;
}

int run(const char* what) {
    const BaseModel model;
    const Recorded small{small_batch, model.record(small_batch)}, large{large_batch, model.record(large_batch)};
    if (std::strcmp(what, "--check") == 0) return check(model, small, large);
    const MicroBatch shown = extrapolate(small, large, shown_batch);
    if (std::strcmp(what, "--operations") == 0)
        print_operations(shown, shown.size(), true);
    else
        print_table(shown);
    for (const std::int64_t captions : {std::int64_t{32}, shown_batch})
        print_rates(captions, "", total_of(extrapolate(small, large, captions)));
    const Recorded small_grouped{small_batch, model.record(small_batch, captions_of_group)},
        large_grouped{large_batch, model.record(large_batch, captions_of_group)};
    for (const std::int64_t captions : {small_batch, 5 * small_batch})
        print_rates(captions, ", 5 captions of each picture",
                    total_of(extrapolate(small_grouped, large_grouped, captions)));
    return 0;
}

}    // namespace
}    // namespace blip::roofline

int main(int argc, char** argv) {
    const char* what = argc > 1 ? argv[1] : "";
    if (argc > 2 || (*what != '\0' && std::strcmp(what, "--check") != 0 && std::strcmp(what, "--operations") != 0)) {
        std::fprintf(stderr, "usage: roofline [--check|--operations]\n");
        return 64;
    }
    try {
        return blip::roofline::run(what);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "roofline: %s\n", error.what());
        return 70;
    }
}
