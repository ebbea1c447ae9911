// Weights of others into an arena: which tensors are taken under which names, and what is said of those that do not
// fit.
#include "blip/weights/import.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>

#include "blip/base/log.h"
#include "blip/weights/names.h"
#include "src/weights/position_embedding.h"
#include "tests/support/paths.h"
#include "tests/unit/weights/fake_weight_file.h"

namespace blip::test {
namespace {

const std::string words = "text_decoder.bert.embeddings.word_embeddings.weight", head = "text_decoder.cls.predictions.",
                  positions = "visual_encoder.pos_embed", patch = "visual_encoder.patch_embed.proj.weight";

// A few parameters of different shapes; positions for 2 x 2 patches of 8 pixels.
Layout small_layout() {
    Layout layout;
    layout.declare(positions, {1, 5, 3}, Init::zeros());
    layout.declare(patch, {3, 3, 8, 8}, Init::zeros());
    layout.declare("visual_encoder.blocks.0.attn.qkv.weight", {9, 3}, Init::zeros());
    layout.declare(words, {4, 2}, Init::zeros());
    layout.declare(head + "bias", {4}, Init::zeros());
    return layout;
}

float value_of(const std::string& name, std::int64_t i) {
    return static_cast<float>(name.size()) + 0.25F * static_cast<float>(i);
}

// All parameters under the reference's names.
FakeWeightFile small_file() {
    FakeWeightFile file;
    const Layout layout = small_layout();
    for (ParamId id = 0; id < layout.count(); ++id) {
        const ParamSpec& spec = layout.spec(id);
        file.add(spec.name, spec.shape, [name = spec.name](std::int64_t i) { return value_of(name, i); });
    }
    return file;
}

// What ends up where: parameter id -> values, imported at offsets that leave gaps.
using Imported = std::vector<std::vector<float>>;
Imported import(const WeightFile& file, const Layout& layout = small_layout()) {
    constexpr std::int64_t gap = 1000;
    Imported values;
    for (ParamId id = 0; id < layout.count(); ++id)
        values.emplace_back(static_cast<std::size_t>(layout.spec(id).element_count()), NAN);
    import_weights(
        file, layout, [&](ParamId id) { return gap * id; },
        [&](std::int64_t begin, std::span<const float> piece) {
            auto& of_param = values.at(static_cast<std::size_t>(begin / gap));
            for (std::size_t i = 0; i < piece.size(); ++i)
                of_param.at(static_cast<std::size_t>(begin % gap) + i) = piece[i];
        });
    return values;
}

Imported expected() {
    Imported values;
    const Layout layout = small_layout();
    for (ParamId id = 0; id < layout.count(); ++id) {
        const ParamSpec& spec = layout.spec(id);
        values.emplace_back();
        for (std::int64_t i = 0; i < spec.element_count(); ++i) values.back().push_back(value_of(spec.name, i));
    }
    return values;
}

std::string problem_of(const WeightFile& file, const Layout& layout = small_layout()) {
    return problem_in([&] { import(file, layout); });
}

// What is logged while it lives.
class LogText {
  public:
    LogText() {
        init_log(0);
        add_log_file(dir_ / "log");
    }
    ~LogText() { init_log(0); }
    std::string text() const { return read_bytes(dir_ / "log"); }

  private:
    TempDir dir_;
};

BOOST_AUTO_TEST_SUITE(import_of_weights)

BOOST_AUTO_TEST_CASE(both_kinds_of_names_are_taken) {
    BOOST_TEST((import(small_file()) == expected()));
    FakeWeightFile file = small_file();
    for (const std::string& name : {positions, patch, std::string("visual_encoder.blocks.0.attn.qkv.weight")})
        file.rename(name, huggingface_name(name).value());
    BOOST_TEST((import(file) == expected()));
}

BOOST_AUTO_TEST_CASE(a_tied_head_may_have_either_name_or_both) {
    FakeWeightFile file = small_file();
    file.rename(words, head + "decoder.weight");
    file.rename(head + "bias", head + "decoder.bias");
    BOOST_TEST((import(file) == expected()));
    file = small_file();
    file.add(head + "decoder.weight", {4, 2}, [](std::int64_t i) { return value_of(words, i); });
    BOOST_TEST((import(file) == expected()));
    file.add(head + "decoder.weight", {4, 2}, [](std::int64_t i) { return value_of(words, i) + (i == 7 ? 1e-6F : 0); });
    BOOST_TEST((import(file) == expected()));    // 1e-6 is nothing beside so large a value
    file.add(head + "decoder.weight", {4, 2}, [](std::int64_t i) { return value_of(words, i) + (i == 7 ? 1e-3F : 0); });
    const std::string problem = problem_of(file);
    BOOST_TEST(contains(problem, words + " and " + head + "decoder.weight hold different values"));
    BOOST_TEST(contains(problem, "fake.pth"));
}

BOOST_AUTO_TEST_CASE(values_that_are_not_finite_are_refused_by_name) {
    for (const float bad : {NAN, INFINITY, -INFINITY})
        for (const std::string& name : {words, positions}) {
            FakeWeightFile file = small_file();
            file.add(name, small_layout().spec(small_layout().find(name)).shape,
                     [bad](std::int64_t i) { return i == 5 ? bad : 1.0F; });
            BOOST_TEST(contains(problem_of(file), "fake.pth: " + name + " has values that are not finite"));
        }
    FakeWeightFile file = small_file();    // of another resolution
    file.add(positions, {1, 10, 3}, [](std::int64_t i) { return i == 29 ? NAN : 1.0F; });
    BOOST_TEST(contains(problem_of(file), positions + " has values that are not finite"));
}

BOOST_AUTO_TEST_CASE(a_twin_of_another_shape_is_refused) {
    FakeWeightFile file = small_file();
    file.add(head + "decoder.weight", {2, 4});
    BOOST_TEST(contains(problem_of(file), words + " (" + head + "decoder.weight) is [2, 4], needed [4, 2]"));
}

BOOST_AUTO_TEST_CASE(all_that_do_not_fit_are_listed_and_nothing_is_read) {
    FakeWeightFile file = small_file();
    file.remove(positions);
    file.add(patch, {3, 3, 8});
    file.add(words, {4, 2}, nullptr, "I64");
    const std::string problem = problem_of(file);
    BOOST_TEST(contains(problem, "fake.pth does not fit the model (3 of 5 parameters)"));
    BOOST_TEST(contains(problem, positions + " is missing, [1, 5, 3] is needed"));
    BOOST_TEST(contains(problem, patch + " is [3, 3, 8], needed [3, 3, 8, 8]"));
    BOOST_TEST(contains(problem, words + " holds I64"));
    BOOST_TEST(file.reads == 0);
}

BOOST_AUTO_TEST_CASE(of_many_the_first_twenty_and_their_number) {
    Layout layout;
    FakeWeightFile file;
    for (int i = 0; i < 30; ++i) {
        layout.declare("p" + std::to_string(i), {2}, Init::zeros());
        if (i < 7) file.add("p" + std::to_string(i), {2});
    }
    const std::string problem = problem_of(file, layout);
    BOOST_TEST(contains(problem, "(23 of 30 parameters): p7 is missing"));
    BOOST_TEST(contains(problem, "p26 is missing, [2] is needed; and 3 more"));
    BOOST_TEST(problem.find("p27") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_vocabulary_is_explained) {
    Layout layout;
    layout.declare(words, {30524, 1}, Init::zeros());
    for (const auto& [rows, what] : {std::pair{30522, "plain BERT, without the tokens [DEC] and [ENC]"},
                                     {30523, "BERT with one token more"},
                                     {32000, "another tokenizer"}}) {
        FakeWeightFile file;
        file.add(words, {rows, 1});
        const std::string problem = problem_of(file, layout);
        BOOST_TEST(contains(problem, what));
        BOOST_TEST(contains(problem, std::to_string(rows) + " words, and 30524 are needed"));
    }
}

BOOST_AUTO_TEST_CASE(other_tensors_are_counted_by_prefix) {
    FakeWeightFile file = small_file();
    {
        const LogText log;
        file.add("text_decoder.bert.embeddings.position_ids", {1, 4}, nullptr, "I64");
        file.add(head + "decoder.bias", {4}, [](std::int64_t i) { return value_of(head + "bias", i); });
        import(file);
        BOOST_TEST(log.text() == "", log.text());
    }
    for (const char* name : {"text_encoder.a.weight", "text_encoder.b.weight", "visual_encoder_m.norm.weight",
                             "image_queue", "queue_ptr", "temp"})
        file.add(name, {2});
    {
        const LogText log;
        import(file);
        BOOST_TEST(contains(log.text(),
                            "left aside: 1 x image_queue, 1 x queue_ptr, 1 x temp, 2 x text_encoder, 1 x "
                            "visual_encoder_m\n"));
        BOOST_TEST(!contains(log.text(), "warning"));
    }
    const LogText log;
    file.add("visual_encoder.blocks.1.norm1.weight", {3});    // a part of the captioner that it has no place for
    import(file);
    BOOST_TEST(contains(log.text(), "warning"));
    BOOST_TEST(contains(log.text(), "1 x visual_encoder,"));
}

BOOST_AUTO_TEST_CASE(positions_of_another_resolution_are_resized_and_that_is_said) {
    for (const bool huggingface : {false, true}) {
        const LogText log;
        FakeWeightFile file = small_file();
        file.add(positions, {1, 17, 3}, [](std::int64_t i) { return std::sin(static_cast<float>(i)); });
        std::vector<float> stored;
        for (std::int64_t i = 0; i < 17 * 3; ++i) stored.push_back(file.value(positions, i));
        if (huggingface) file.rename(positions, huggingface_name(positions).value());
        const Imported values = import(file);
        BOOST_TEST(values[0] == resize_positions(stored, 4, 2, 3), boost::test_tools::per_element());
        BOOST_TEST(values[1] == expected()[1], boost::test_tools::per_element());
        BOOST_TEST(contains(log.text(), "position embeddings resized from 4 x 4 (32 pixels) to 2 x 2 (16 pixels)"));
    }
}

BOOST_AUTO_TEST_CASE(positions_that_are_no_square_grid_or_of_another_width_are_refused) {
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{1, 18, 3}, {1, 17, 4}, {17, 3}}) {
        FakeWeightFile file = small_file();
        file.add(positions, shape);
        BOOST_TEST(contains(problem_of(file), positions + " is ["));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
