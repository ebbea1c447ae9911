// Parts of the verb check: ranks, clocks, products of matrices, memory of GPUs. See parts.h.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/nonzero.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>

#include "blip/base/error.h"
#include "blip/base/gpu_presence.h"
#include "blip/base/printable.h"
#include "blip/comm/run_together.h"
#include "blip/device/device.h"
#include "blip/device/gpu_sensors.h"
#include "blip/device/matrix_peak.h"
#include "blip/report/progress.h"
#include "src/app/check/parts.h"

namespace blip {

namespace {

using nlohmann::json;

constexpr double clock_limit_s = 10;

double least(const std::vector<json>& ranks, const char* name) {
    return std::ranges::min(ranks |
                            std::views::transform([&](const json& rank) { return rank.at(name).get<double>(); }));
}

// Memory of the collectives as a tensor.
at::Tensor tensor_in(const std::shared_ptr<void>& memory, std::int64_t count, at::ScalarType type, at::Device device) {
    return at::for_blob(memory.get(), {count})
        .options(at::TensorOptions().dtype(type).device(device))
        .target_device(device)
        .make_tensor();
}

void expect_equal(const at::Tensor& found, const at::Tensor& expected, const std::string& what) {
    const std::int64_t differ = (found != expected).sum().item<std::int64_t>();
    if (differ == 0) return;
    const std::int64_t first = (found != expected).flatten().nonzero()[0].item<std::int64_t>();
    throw Error(ExitCode::internal, "{}: {} of {} numbers are wrong, the first of them {} instead of {}", what, differ,
                found.numel(), found.flatten()[first].item<double>(), expected.flatten()[first].item<double>());
}

// Whole numbers of -2 to 2 that look random and differ from row to row.
at::Tensor small_numbers(std::int64_t rows, std::int64_t columns, std::int64_t seed) {
    const at::Tensor at_element = at::arange(rows * columns, at::kLong).add(seed);
    return ((at_element * at_element * 7 + at_element * 13) % 31 % 5 - 2).reshape({rows, columns});
}

// Sums and gathers of numbers whose results are known.
json check_ranks(const CheckPlace& place) {
    constexpr std::int64_t count = 1 << 18;    // floats that a rank gets: a MiB
    const int ranks = place.collectives.size(), own = place.collectives.rank();
    const at::Device device = place.placement.device;
    const auto memory = place.collectives.allocate(static_cast<std::size_t>(ranks * count) * sizeof(float));
    const at::Tensor all = tensor_in(memory, ranks * count, at::kFloat, device);
    // rank k sends (k + 1) times a pattern, whose sum over ranks is n (n + 1) / 2 times it: whole numbers below 2^24
    const at::Tensor pattern = (at::arange(ranks * count, at::kLong) % 7 + 1).to(at::kFloat).to(device);
    const auto sums = static_cast<double>(ranks) * (ranks + 1) / 2;
    double seconds = 0;
    for (int round = 0; round < 2; ++round) {    // the first one opens connections
        all.copy_(pattern * (own + 1));
        seconds = seconds_of([&] {
            place.collectives.wait(place.collectives.start_reduce_scatter(all.const_data_ptr<float>(),
                                                                          all.mutable_data_ptr<float>() + own * count,
                                                                          count, "check: sum over ranks"));
            place.collectives.wait(place.collectives.start_all_gather(
                all.mutable_data_ptr<float>(), count * std::int64_t(sizeof(float)), "check: gathering the sums"));
            place.collectives.finish_exchanges();
            (void)all[0].item<float>();    // a GPU has it by now
        });
        expect_equal(all.cpu(), (pattern * sums).cpu(), "a sum over ranks");
    }
    double one = own + 1;
    place.messages.host_sum({&one, 1}, "check: a sum of the hosts");
    if (one != sums) throw Error(ExitCode::internal, "a sum of {} ranks by MPI is {} instead of {}", ranks, one, sums);
    return {{"host", host_name()}, {"seconds", seconds}, {"bytes", ranks * count * std::int64_t(sizeof(float))}};
}

std::string tell_ranks(const std::vector<json>& ranks) {
    std::set<std::string> hosts;
    for (const json& rank : ranks) hosts.insert(rank.at("host"));
    return fmt::format("{} on {}: sums and gathers are right, {} summed and gathered in {:.1f} ms",
                       counted(std::ssize(ranks), "rank"), counted(std::ssize(hosts), "host"),
                       format_bytes(ranks[0].at("bytes").get<double>()), ranks[0].at("seconds").get<double>() * 1e3);
}

// The ranks' clocks at one moment.
json check_clocks(const CheckPlace& place) {
    // Ranks leave a barrier at about the same moment; of several the round that they leave closest together counts.
    json times = json::array();
    for (int round = 0; round < 10; ++round) {
        place.messages.barrier("check: clocks");
        times.push_back(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
    }
    return {{"times", times}, {"host", host_name()}};
}

// Throws internal where they are more than clock_limit_s apart: a run's lock, which hosts judge by its age, could be
// taken for that of a dead job.
std::string tell_clocks(const std::vector<json>& ranks) {
    double apart = 1e300;
    std::string first, last;
    for (std::size_t round = 0; round < ranks[0].at("times").size(); ++round) {
        const auto at_round = [&](const json& a, const json& b) {
            return a.at("times")[round].get<double>() < b.at("times")[round].get<double>();
        };
        const auto [early, late] = std::minmax_element(ranks.begin(), ranks.end(), at_round);
        const double between = late->at("times")[round].get<double>() - early->at("times")[round].get<double>();
        if (between >= apart) continue;
        apart = between;
        first = early->at("host");
        last = late->at("host");
    }
    if (apart > clock_limit_s)
        throw Error(ExitCode::internal,
                    "the clock of {} is {:.0f} s ahead of that of {}: hosts judge the lock of a run by its age; have "
                    "them set by NTP",
                    last, apart, first);
    return ranks.size() == 1 ? "one rank, nothing to compare" : fmt::format("at most {:.2g} ms apart", apart * 1e3);
}

// Products of matrices of small whole numbers, which every precision holds exactly; and how fast large ones are.
json check_products(const CheckPlace& place) {
    const at::Device device = place.placement.device;
    // at most 32 products of 4: sums of up to 128, which bf16 holds
    const at::Tensor left = small_numbers(96, 32, 1), right = small_numbers(32, 80, 2);
    const at::Tensor expected = (left.unsqueeze(2) * right.unsqueeze(0)).sum(1);    // whole numbers, not by a product
    std::set<at::ScalarType> types = {at::kFloat, place.placement.dtype};
    std::string names;
    for (const at::ScalarType type : types) {
        const std::string name = type == at::kFloat ? "fp32" : "bf16";
        const at::Tensor product = at::matmul(left.to(type).to(device), right.to(type).to(device));
        expect_equal(product.cpu().to(at::kLong), expected, "a product of matrices in " + name);
        names += (names.empty() ? "" : " and ") + name;
    }
    return {{"names", names},
            {"device", device.is_cuda() ? gpu_name(device.index()) : "the CPU"},
            {"flops", matrix_peak(device, place.placement.dtype, 0.3)}};
}

std::string tell_products(const std::vector<json>& ranks) {
    std::map<std::string, int> devices;
    double sum = 0;
    for (const json& rank : ranks) {
        ++devices[rank.at("device")];
        sum += rank.at("flops").get<double>();
    }
    std::vector<std::string> names;
    for (const auto& [name, count] : devices) names.push_back(fmt::format("{} ({})", name, counted(count, "rank")));
    return fmt::format(
        "{} on {} are right; the slowest rank multiplies large ones with {:.3g} TFLOP/s, all with {:.3g}",
        ranks[0].at("names").get<std::string>(), fmt::join(names, ", "), least(ranks, "flops") / 1e12, sum / 1e12);
}

// Memory of a GPU, written and read again.
json check_gpu_memory(const CheckPlace& place) {
    const at::Device device = place.placement.device;
    if (!device.is_cuda()) return {{"bytes", 0.0}, {"free", 0.0}, {"total", 0.0}};
    const GpuMemory memory = gpu_memory();
    const std::uint64_t free = memory.total_bytes - std::min(memory.total_bytes, memory.used_bytes);
    // a half of what is free, 4 GiB at most, in blocks that differ: one that lies where another does is seen
    constexpr std::int64_t block = 1 << 20;    // numbers of 8 bytes
    const auto blocks = static_cast<std::int64_t>(std::min<std::uint64_t>(free / 2, 4ULL << 30) / (8 * block));
    if (blocks == 0) throw Error(ExitCode::internal, "GPU {} has no memory left", device.index());
    const at::Tensor pattern = (at::arange(block, at::kLong) * std::int64_t{2654435761}).to(device);
    const at::Tensor numbers = at::empty({blocks, block}, at::TensorOptions().dtype(at::kLong).device(device));
    for (std::int64_t i = 0; i < blocks; ++i) numbers[i].copy_(pattern).add_(i);
    for (std::int64_t i = 0; i < blocks; ++i)
        if (!at::equal(numbers[i], pattern + i))
            throw Error(ExitCode::internal, "memory of GPU {} does not hold what is written to it", device.index());
    return {{"bytes", 8.0 * static_cast<double>(blocks * block)},
            {"free", static_cast<double>(free)},
            {"total", static_cast<double>(memory.total_bytes)}};
}

std::string tell_gpu_memory(const std::vector<json>& ranks) {
    if (ranks[0].at("total").get<double>() == 0) return "no GPU in use";
    return fmt::format("at least {} of {} free; {} of each written and read", format_bytes(least(ranks, "free")),
                       format_bytes(ranks[0].at("total").get<double>()), format_bytes(least(ranks, "bytes")));
}

// Clocks, temperature and memory errors, as the driver tells them. Throws where heat or a power brake slows a GPU down.
json check_gpu_health(const CheckPlace& place) {
    const at::Device device = place.placement.device;
    const auto sensors = device.is_cuda() ? GpuSensors::open(device.index()) : std::nullopt;
    if (!sensors) return {{"used", device.is_cuda()}};
    json gpu = to_json(sensors->read());
    gpu.update({{"used", true}, {"rank", place.messages.rank()}, {"host", host_name()}, {"gpu", sensors->address()}});
    const auto warnings = gpu_warnings(json::array({gpu}), json::array());
    if (!warnings.empty()) throw Error(ExitCode::internal, "{}", fmt::join(warnings, "; "));
    return gpu;
}

std::string tell_gpu_health(const std::vector<json>& ranks) {
    if (!ranks[0].at("used").get<bool>()) return "no GPU in use";
    // of those that tell it: "1200 to 1980 MHz"
    const auto range = [&](const char* name, const char* unit) {
        std::set<std::int64_t> values;
        for (const json& rank : ranks)
            if (rank.contains(name)) values.insert(rank[name].get<std::int64_t>());
        if (values.empty()) return fmt::format("not told ({})", unit);
        return *values.begin() == *values.rbegin()
                   ? fmt::format("{} {}", *values.begin(), unit)
                   : fmt::format("{} to {} {}", *values.begin(), *values.rbegin(), unit);
    };
    if (std::ranges::none_of(ranks, [](const json& rank) { return rank.contains("gpu"); }))
        return "not told by the driver (libnvidia-ml.so.1)";
    return fmt::format("clocks {} of {}, memory {}; {}, memory errors since the driver was loaded: {}",
                       range("sm_mhz", "MHz"), range("sm_mhz_max", "MHz"), range("memory_mhz", "MHz"),
                       range("temperature_c", "degrees C"), range("ecc_uncorrected", "uncorrected"));
}

}    // namespace

std::vector<CheckPart> machine_parts() {
    return {{"ranks", check_ranks, tell_ranks},
            {"clocks", check_clocks, tell_clocks},
            {"products", check_products, tell_products},
            {"GPU memory", check_gpu_memory, tell_gpu_memory},
            {"GPU health", check_gpu_health, tell_gpu_health}};
}

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}    // namespace blip
