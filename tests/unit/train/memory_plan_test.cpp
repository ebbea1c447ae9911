// What --dry-run says of a GPU: measured where the device tells, named an estimate where it does not; and when it is
// too little. (What the CPU takes is measured by tests/end_to_end/train_memory.sh.)
#include "blip/train/memory_plan.h"

#include <boost/test/unit_test.hpp>

#include "blip/options/parse.h"

namespace blip::test {
namespace {

constexpr double mib = 1 << 20;
constexpr std::int64_t parameters = 224'000'000;

Options gpu_options() {
    Options options;
    options.runtime.device = "cuda";
    options.runtime.precision = "bf16";
    return options;
}

double bytes_of(const std::vector<MemoryPart>& parts, const std::string& word) {
    double sum = 0;
    for (const MemoryPart& part : parts)
        if (part.what.find(word) != std::string::npos) sum += part.bytes;
    return sum;
}

BOOST_AUTO_TEST_SUITE(memory_plan)

BOOST_AUTO_TEST_CASE(what_the_device_tells_takes_the_place_of_an_estimate) {
    const CaptionLengths captions{20, 10, 3};
    const MemoryPlan guessed = plan_memory(gpu_options(), captions, parameters, 1, {100, 0});
    const MemoryPlan told = plan_memory(gpu_options(), captions, parameters, 1, {100, 12345678});
    BOOST_TEST(bytes_of(told.device.held, "in use already") == 12345678);
    BOOST_TEST(bytes_of(told.device.held, "CUDA's context and NCCL, an estimate") == 0);
    BOOST_TEST(bytes_of(guessed.device.held, "in use already") == 0);
    BOOST_TEST(bytes_of(guessed.device.held, "CUDA's context and NCCL, an estimate") > 0);
}

// The masters and moments of a rank, 12 bytes a parameter, in pieces that are rounded up to powers of two.
BOOST_AUTO_TEST_CASE(the_copy_for_checkpoints_is_held_on_the_host) {
    for (const int ranks : {1, 2, 3, 8}) {
        const MemoryPlan plan = plan_memory(gpu_options(), {20, 10, 3}, parameters, ranks, {});
        const double staged = bytes_of(plan.host.held, "page-locked"), exact = 12.0 * parameters / ranks;
        BOOST_TEST(staged >= exact);
        BOOST_TEST(staged <= 2.4 * exact);
    }
    Options on_cpu = gpu_options();
    on_cpu.runtime.device = "cpu";
    BOOST_TEST(bytes_of(plan_memory(on_cpu, {20, 10, 3}, parameters, 1, {}).host.held, "page-locked") == 0);
}

BOOST_AUTO_TEST_CASE(too_little_is_told_with_numbers_and_remedies) {
    MemoryTable table;
    table.held = {{"in use already", 1000 * mib}, {"weights", 3000 * mib}};
    table.phases = {{"a training step", 2000 * mib}};
    constexpr auto gpu = [](double size) { return static_cast<std::uint64_t>(size * mib); };
    BOOST_TEST(gpu_shortage(table, gpu(1000), gpu(6000)).empty());
    BOOST_TEST(gpu_shortage(table, gpu(1000), 0).empty());
    const std::string text = gpu_shortage(table, gpu(1000), gpu(5900));
    BOOST_TEST_MESSAGE(text);
    for (const char* part : {"4.9 GiB more", "4.8 GiB of 5.8 GiB are free", "--micro-batch", "nvidia-smi"})
        BOOST_TEST(text.find(part) != std::string::npos, part << " is not in: " << text);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
