// Captions of a batch with prompts of their own and drawn captions: what each picture gets does not depend on the
// others; and the file of prompts.
#include "blip/tasks/caption/caption_images.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/base/error.h"
#include "blip/generate/beam_search.h"
#include "blip/options/parse.h"
#include "blip/params/arena.h"
#include "blip/tasks/caption/picture_prompts.h"
#include "blip/text/caption_text.h"
#include "tests/support/paths.h"
#include "tests/support/said.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

constexpr std::int64_t count = 6;

struct Fixture {
    Fixture() : captioner(shape()), arena(weights_only_arena(captioner.layout())) {
        initialise(arena, 3);
        arena.flat_weights().mul_(3);    // so that tokens differ in probability
        const at::Tensor values = at::arange(count * 3 * 32 * 32);
        images = ((values * 7 + values.div(96, "floor") * 31) % 251).to(at::kByte).view({count, 3, 32, 32});
    }
    static ModelOptions shape() {
        ModelOptions model = model_preset("tiny");
        model.text_layers = model.vision_depth = 2;
        model.image_size = 32;
        return model;
    }
    std::vector<std::vector<Caption>> caption(const std::vector<std::int64_t>& places,
                                              const GenerateOptions& options) const {
        std::vector<PictureRequest> wanted;
        for (const std::int64_t place : places) wanted.push_back(requests[static_cast<std::size_t>(place)]);
        return caption_images(captioner, arena.weights(), images.index_select(0, at::tensor(places)), tokenizer,
                              options, wanted, 9);
    }

    Captioner captioner;
    Arena arena;
    at::Tensor images;
    Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    WordPieceTokenizer tokenizer{vocabulary};
    // 4, 1, 3, 4, 1 and 6 tokens with [DEC]
    std::vector<PictureRequest> requests = {{"a picture of ", 10}, {"", 11}, {"a dog ", 12},
                                            {"a photo of ", 13},   {"", 14}, {"there is a dog and ", 15}};
};

// What PicturePrompts says of a file; empty if it takes it.
std::string complaint(const std::string& text, ExitCode code, int max_length = 20) {
    const TempDir directory;
    write_bytes(directory / "prompts.json", text);
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    GenerateOptions options;
    options.prompts = directory / "prompts.json";
    options.max_length = max_length;
    try {
        const PicturePrompts prompts(options, WordPieceTokenizer(vocabulary));
    } catch (const Error& error) {
        BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(code));
        BOOST_TEST(std::string(error.what()).find("prompts.json") != std::string::npos, error.what());
        return error.what();
    }
    return {};
}

}    // namespace

BOOST_AUTO_TEST_SUITE(caption_pictures)

BOOST_AUTO_TEST_CASE(neighbours_do_not_matter) {
    const Fixture fixture;
    for (const bool sample : {false, true}) {
        GenerateOptions options;
        options.sample = sample;
        options.num_captions = 2;
        options.max_length = 12;
        const auto all = fixture.caption({0, 1, 2, 3, 4, 5}, options);
        const auto turned = fixture.caption({5, 4, 3, 2, 1, 0}, options);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto alone = fixture.caption({static_cast<std::int64_t>(i)}, options);
            BOOST_TEST_REQUIRE(all[i].size() == 2U);
            for (std::size_t c = 0; c < 2; ++c) {
                for (const Caption& other : {alone.front()[c], turned[5 - i][c]}) {
                    BOOST_TEST(other.text == all[i][c].text);
                    BOOST_TEST(std::abs(other.log_probability - all[i][c].log_probability) <=
                               tolerance::log_probability);
                }
            }
        }
        BOOST_TEST((all[0][0].text != all[0][1].text));
    }
}

// The prompt's tokens begin what is generated, and as many characters as it has are cut off the text.
BOOST_AUTO_TEST_CASE(prompts_begin_the_text_and_are_cut) {
    const Fixture fixture;
    GenerateOptions options;
    options.max_length = 12;
    const auto captions = fixture.caption({0, 1, 2, 3, 4, 5}, options);
    const c10::AutoGradMode no_gradients(false);
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string& prompt = fixture.requests[static_cast<std::size_t>(i)].prompt;
        const std::vector<TokenId> tokens = prompt_tokens(fixture.tokenizer, prompt);
        CaptionModel model(fixture.captioner, fixture.arena.weights(), fixture.images.narrow(0, i, 1));
        const Generated one =
            generate(model, at::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end())).unsqueeze(0), options)
                .front();
        const std::string whole = fixture.tokenizer.decode({one.tokens.begin(), one.tokens.end()});
        BOOST_TEST(whole.starts_with(prompt.substr(0, prompt.empty() ? 0 : prompt.size() - 1)));
        BOOST_TEST(captions[static_cast<std::size_t>(i)].front().text ==
                   whole.substr(std::min(whole.size(), prompt.size())));
    }
    BOOST_TEST(prompt_tokens(fixture.tokenizer, "") == (std::vector<TokenId>{SpecialTokens::dec}));
    std::string fifty;
    for (int i = 0; i < 50; ++i) fifty += "dog ";
    BOOST_TEST(prompt_tokens(fixture.tokenizer, fifty).size() == 51U);    // not cut to a caption's length
}

BOOST_AUTO_TEST_CASE(file_of_prompts) {
    const TempDir directory;
    write_bytes(directory / "p.json", R"({"7": "a dog ", "9": "a cat", "b.jpg": ""})");
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    GenerateOptions options;
    options.prompts = directory / "p.json";
    const PicturePrompts prompts(options, WordPieceTokenizer(vocabulary));
    BOOST_TEST(prompts.of({"7"}) == "a dog ");
    BOOST_TEST(prompts.of({"9"}) == "a cat ");
    BOOST_TEST(prompts.of({"x/b.jpg", "b.jpg"}).empty());
    BOOST_TEST(prompts.of({"8"}) == "a picture of ");
    BOOST_TEST(prompts.describe_unknown({}).empty());
    const std::string unknown = prompts.describe_unknown({"1", "2", "3", "4", "5", "6"});
    BOOST_TEST((contains(unknown, "'5'") && !contains(unknown, "'6'")));

    BOOST_TEST(contains(complaint("{\"a\": ", ExitCode::bad_data), "not JSON"));
    BOOST_TEST(contains(complaint("[\"a \"]", ExitCode::bad_data), "no JSON object"));
    BOOST_TEST(contains(complaint("{\"a\": 3}", ExitCode::bad_data), "'a'"));
    BOOST_TEST(contains(complaint("{\"a\": \"a\\ndog \"}", ExitCode::bad_data), "one line"));
    BOOST_TEST(
        contains(complaint("{\"a\": \"x \", \"b\": \"x \", \"a\": \"y \"}", ExitCode::bad_data), "'a' is there twice"));
    BOOST_TEST(contains(complaint("{\"a\": \"\xff \"}", ExitCode::bad_data), "not JSON"));
    BOOST_TEST(contains(complaint("{\"a\": \"one two three four \"}", ExitCode::usage, 5), "--max-length 5"));
    BOOST_TEST(complaint("{\"a\": \"one two three \"}", ExitCode::usage, 5).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
