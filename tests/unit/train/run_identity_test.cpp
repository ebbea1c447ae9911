// What another value of an option does to a resumed run: every option of training is walked through the functions that
// decide it. And what knows the model's dimensions.
#include "blip/train/run_identity.h"

#include <bit>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/options/parse.h"
#include "src/options/declared.h"

namespace blip::test {
namespace {

using Texts = std::vector<std::string>;

Options tiny_run() {
    Options options = default_settings("tiny").options;
    options.loss.drop_path = 0.05;
    return options;
}

// As a checkpoint on disk has it.
Manifest written_by(const Options& options, const std::string& digest = "d1") {
    Manifest manifest;
    note_run(manifest, options, digest);
    manifest.shards = {{"shard", 1, "0123456789abcdef"}};
    return Manifest::from_json(manifest.to_json(), "manifest.json");
}

// Sets the option to the first of these values that is accepted and is another. Returns "was A, now B".
std::string change(const OptionSpec& spec) {
    const std::string was = spec.get();
    for (const char* value : {"on", "off", "large", "cpu", "fp32", "micro-batch", "transformers", "vision", "test",
                              "some/path", "0.25", "3", "7", "self-critical", "greedy", "cider=2"}) {
        try {
            spec.set(value);
        } catch (const std::exception&) {
        }
        if (spec.get() != was) return fmt::format("was {}, now {}", was, spec.get());
    }
    return "";
}

BOOST_AUTO_TEST_SUITE(run_identity)

BOOST_AUTO_TEST_CASE(every_option_of_training_says_what_a_change_does) {
    ParsedCommandLine plain;
    const std::size_t count = declare_options(plain).specs().size();
    std::map<unsigned, int> walked;
    for (std::size_t i = 0; i < count; ++i) {
        ParsedCommandLine run;
        run.options = tiny_run();
        const Manifest then = written_by(run.options);
        const auto ranks_then = changed_options_of_all_ranks(run.options);
        const OptionTable table = declare_options(run);
        const OptionSpec& spec = table.specs()[i];
        if (!spec.used_by(for_train)) continue;
        const unsigned answer = spec.traits & (blip::another_run | blip::other_bits | blip::other_scores | same_run);
        BOOST_TEST(std::popcount(answer) == 1, spec.name << " does not say");
        if (spec.is(command_line_only)) continue;
        const std::string changed = change(spec);
        BOOST_TEST(!changed.empty(), spec.name << " could not be changed");
        ++walked[answer];
        // the preset's name is none of these, its dimensions and drop-path are; without augmentation no operators count
        const std::size_t expected = spec.name == "model"     ? model_dimensions().size() + 1
                                     : spec.name == "augment" ? 2
                                                              : 1;
        const auto [another_run, other_bits, other_scores] = resumed_differences(then, run.options, "d1");
        const auto lists = [&](const Texts& told, unsigned kind) {
            const bool in_it = answer == kind || (spec.name == "model" && kind == blip::another_run);
            BOOST_TEST((in_it ? !told.empty() && told.size() <= expected : told.empty()), spec.name);
            // told by what they come to
            const bool of_own =
                spec.name == "loss-average" || spec.name == "objective" || spec.name == "cider-df" || spec.name == "kl";
            if (in_it && spec.name != "model" && !of_own)
                BOOST_TEST(told.front() == fmt::format("{}: {}", spec.name, changed));
        };
        lists(another_run, blip::another_run);
        lists(other_bits, blip::other_bits);
        lists(other_scores, blip::other_scores);
        // what ranks compare when they start
        BOOST_TEST((changed_options_of_all_ranks(run.options) == ranks_then) == spec.is(own_of_rank), spec.name);
    }
    BOOST_TEST(walked[blip::another_run] >= 29);
    BOOST_TEST(walked[blip::other_bits] >= 5);
    BOOST_TEST(walked[blip::other_scores] >= 7);
}

BOOST_AUTO_TEST_CASE(values_that_come_to_the_same_are_the_same_run) {
    Options run = tiny_run();
    run.augment.enabled = false;
    const Manifest then = written_by(run);
    run.augment.operators = 7;    // of nothing
    BOOST_TEST(resumed_differences(then, run, "d1").another_run.empty());
    BOOST_TEST((resumed_differences(then, run, "d2").another_run == Texts{"data digest: was d1, now d2"}));

    run.self_critical.cider_df = "df.json";
    run.self_critical.cider_df_digest = "0a";
    const Manifest rewarded = written_by(run);
    run.self_critical.cider_df = "elsewhere/df.json";    // the same frequencies
    BOOST_TEST(resumed_differences(rewarded, run, "d1").another_run.empty());
    run.self_critical.cider_df_digest = "0b";
    BOOST_TEST((resumed_differences(rewarded, run, "d1").another_run ==
                Texts{"cider-df: was of digest 0a, now of digest 0b"}));

    run.self_critical.kl = 0.5;
    run.self_critical.kl_start_digest = "0c";
    const Manifest near = written_by(run);
    run.init = "elsewhere/best";    // the same weights
    BOOST_TEST(resumed_differences(near, run, "d1").another_run.empty());
    run.self_critical.kl_start_digest = "0d";
    BOOST_TEST((resumed_differences(near, run, "d1").another_run ==
                Texts{"kl: was 0.5 from weights of digest 0c, now 0.5 from weights of digest 0d"}));
}

BOOST_AUTO_TEST_CASE(micro_batch_is_rounding_unless_the_loss_averages_over_it) {
    Options run = tiny_run();
    Manifest then = written_by(run);
    run.train.micro_batch = 4;
    BOOST_TEST(resumed_differences(then, run, "d1").another_run.empty());
    BOOST_TEST((resumed_differences(then, run, "d1").other_bits == Texts{"micro-batch: was 32, now 4"}));
    run.loss.average = "micro-batch";
    then = written_by(run);
    run.train.micro_batch = 8;
    BOOST_TEST((resumed_differences(then, run, "d1").another_run ==
                Texts{"loss-average: was micro-batch of 4, now micro-batch of 8"}));
}

// Whoever adds a dimension is stopped here until its row is in the table (options/model_shape.cpp); the rest of the
// list is in src/README.md. Each name below is a member of ModelOptions.
BOOST_AUTO_TEST_CASE(every_place_that_knows_the_dimensions) {
    ModelOptions model = model_preset("tiny");
    auto& [preset, text_hidden, text_heads, text_intermediate, text_layers, text_positions, vision_width, vision_depth,
           vision_heads, image_size, patch_size] = model;
    const std::vector<int*> members = {&text_hidden,  &text_heads,   &text_intermediate, &text_layers, &text_positions,
                                       &vision_width, &vision_depth, &vision_heads,      &image_size,  &patch_size};
    BOOST_REQUIRE(members.size() == model_dimensions().size());
    ParsedCommandLine shown;
    shown.help_all = true;
    const std::string help = help_text(shown);
    for (std::size_t i = 0; i < members.size(); ++i) {
        const Dimension& dimension = model_dimensions()[i];
        BOOST_TEST(&(model.*dimension.member) == members[i], dimension.option);
        const std::string words = std::string("--") + dimension.option;
        BOOST_TEST(help.find("\n  " + words + " " + dimension.unit) != std::string::npos);
        // presets
        for (const char* name : {"base", "large", "tiny"}) {
            ModelOptions other = model_preset(name);
            BOOST_TEST(preset_of(other).value_or("") == name);
            other.*dimension.member += 1;
            const bool resolution = dimension.member == &ModelOptions::image_size;
            BOOST_TEST(preset_of(other).value_or("") == (resolution ? name : ""));
        }
        // option, refused range, what was asked for
        const int value = *members[i] + (dimension.member == &ModelOptions::image_size ? 16 : 1);
        const auto parsed = [&](const std::string& text) {
            return parse_command_line({"train", "--data", "x", "--init", "y", words, text}).options;
        };
        const Options asked = parsed(std::to_string(value));
        BOOST_TEST((asked.model.*dimension.member == value));
        BOOST_TEST((asked.explicit_model_options == Texts{dimension.option}));
        BOOST_CHECK_THROW(parsed("0"), Error);
        BOOST_CHECK_THROW(parsed(std::to_string(dimension.most + 1)), Error);
        // JSON of checkpoints, and identity
        Options run = tiny_run();
        const Manifest then = written_by(run);
        run.model.*dimension.member = value;
        Manifest with_shape;
        with_shape.model = run.model;
        with_shape.shards = {{"shard", 1, "0123456789abcdef"}};
        const std::string text = with_shape.to_json();
        BOOST_TEST((Manifest::from_json(text, "m").model == run.model));
        BOOST_TEST(nlohmann::json::parse(text)["model"][dimension.json_key()] == value);
        BOOST_TEST((resumed_differences(then, run, "d1").another_run ==
                    Texts{fmt::format("{}: was {}, now {}", dimension.option, *members[i], value)}));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
