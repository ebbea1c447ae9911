// Peak memory while weights are loaded: the arena's and little more, whatever the file's form.
#include <ATen/ops/empty.h>
#include <malloc.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "blip/checkpoint/init.h"
#include "blip/weights/export.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

constexpr double kMost = 1.10;    // of the arena's size

// 365 MB: a tied head, positions, and 16 matrices
Layout big_layout() {
    Layout layout;
    layout.declare("text_decoder.bert.embeddings.word_embeddings.weight", {9000, 1024}, Init::zeros());
    layout.declare("text_decoder.cls.predictions.bias", {9000}, Init::zeros());
    layout.declare("visual_encoder.pos_embed", {1, 577, 1024}, Init::zeros());
    for (int i = 0; i < 16; ++i)
        layout.declare("visual_encoder.blocks." + std::to_string(i) + ".mlp.fc1.weight", {5000, 1024}, Init::zeros());
    return layout;
}

std::int64_t status_bytes(const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field + ":")) return std::stoll(line.substr(field.size() + 1)) * 1024;
    return -1;
}

// The peak begins anew at the present size; false where the kernel does not allow it.
bool reset_peak() {
    malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5" << std::flush;
    return status_bytes("VmHWM") < status_bytes("VmRSS") + (8 << 20);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool has_shadow_memory = true;    // of a sanitizer, which would be measured as well
#else
constexpr bool has_shadow_memory = false;
#endif

boost::test_tools::assertion_result peak_can_be_reset(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(!has_shadow_memory && reset_peak());
    result.message() << "the peak of memory cannot be reset here";
    return result;
}

BOOST_AUTO_TEST_SUITE(load_memory)

BOOST_AUTO_TEST_CASE(the_peak_is_the_arena_and_a_tenth, *boost::unit_test::precondition(peak_can_be_reset)) {
    const TempDir dir;
    {
        const Layout layout = big_layout();
        std::vector<at::Tensor> values;
        for (ParamId id = 0; id < layout.count(); ++id)
            values.push_back(
                at::empty(layout.spec(id).shape, at::kFloat).fill_(0.5F + 0.125F * static_cast<float>(id)));
        const ExportedWeights weights = {layout, values, {}, model_config_text(layout, {}, ""), "", {}};
        write_reference_pth(dir / "x.pth", weights);
        write_reference_safetensors(dir / "x.safetensors", weights);
    }
    for (const char* name : {"x.pth", "x.safetensors"}) {
        BOOST_REQUIRE(reset_peak());
        const std::int64_t before = status_bytes("VmRSS");
        Arena arena = weights_only_arena(big_layout());
        load_model(dir / name, arena);
        const auto grown = static_cast<double>(status_bytes("VmHWM") - before);
        const auto size = static_cast<double>(arena.length()) * 4;
        BOOST_TEST_MESSAGE(name << ": " << grown / size << " of the arena's " << size / 1e6 << " MB");
        BOOST_TEST(grown <= kMost * size, name << ": " << grown / size);
        BOOST_TEST(grown >= 0.9 * size, name << ": " << grown / size);    // or nothing was measured
        BOOST_TEST(arena.weights()[18].sum().item<float>() == (0.5F + 0.125F * 18) * 5000 * 1024);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
