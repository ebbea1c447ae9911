// Config files: what they set, how their bad lines are named, that a printed configuration gives the same run again.
#include <boost/test/unit_test.hpp>

#include "tests/unit/options/parse_support.h"

using namespace blip;
using namespace blip::test;

BOOST_AUTO_TEST_SUITE(config_file)

BOOST_AUTO_TEST_CASE(config_file_and_flags) {
    const ConfigFile config(
        "# a run\r\n\n epochs=7  # as short as that\nmodel = tiny\noutput = out#1\nnum-beams = 2\n"
        "prompt = \"a # photo of \"   # quoted\nfresh = on");
    const Options run = parse({"--config", config.path(), "--data", "a.h5", "--num-beams", "5", "--text-layers", "2"});
    BOOST_TEST(run.train.epochs == 7);
    BOOST_TEST(run.checkpoint.output == "out#1");
    BOOST_TEST(run.generate.num_beams == 5);
    BOOST_TEST(run.model.vision_width == 128);
    BOOST_TEST(run.model.text_layers == 2);
    BOOST_TEST(run.checkpoint.fresh);
    BOOST_TEST(parse({"--config", config.path(), "--data", "a.h5", "--model", "base"}).model.text_hidden == 768);
    // the same file serves evaluation: what only training uses is left aside
    const Options scored = parse({"--config", config.path(), "--evaluate", "--data", "a.h5", "--init", "best"});
    BOOST_TEST(scored.generate.prompt == "a # photo of ");
    BOOST_TEST(scored.train.epochs == Options().train.epochs);
}

BOOST_AUTO_TEST_CASE(bad_lines_of_a_config_file_are_named) {
    const auto refused = [](const std::string& text, Words named) {
        const ConfigFile config(text);
        named.push_back("run.cfg:");
        check_refused(train({"--config", config.path()}), named);
        named.pop_back();
    };
    refused("\nepoch = 3\n", {"run.cfg:2:", "'epoch'", "did you mean epochs?"});
    refused("epochs = 3\n\nepochs = 4\n", {"run.cfg:3:", "epochs", "line 1"});
    refused("epochs = 0\n", {"run.cfg:1:", "epochs", "at least 1"});
    refused("epochs\n", {"run.cfg:1:", "'epochs'"});
    refused("= 3\n", {"run.cfg:1:"});
    refused("epochs =\n", {"run.cfg:1:", "epochs"});
    refused("data =\n", {"run.cfg:1:", "data"});
    refused("prompt = \"a picture\n", {"run.cfg:1:"});
    refused("prompt = \"a\" b\n", {"run.cfg:1:"});
    refused("config = other.cfg\n", {"run.cfg:1:", "command line"});
    refused("evaluate = on\n", {"run.cfg:1:", "command line"});
    refused("init_lr = 1e-4\n", {"run.cfg:1:", "'init_lr'", "did you mean init-lr?"});
    refused(std::string("# a\nepochs = 3\0\n", 16), {"run.cfg:2: a zero byte"});
    refused("precision = bf6\n", {"run.cfg:1: precision", "did you mean bf16?"});
    // options at odds with one another, or with a default, or with a flag: the lines they come from
    refused("seed = 1\nglobal-batch = 100\n", {"--micro-batch 32 does not divide", "/run.cfg:2: global-batch)"});
    refused("micro-batch = 7\n\nglobal-batch = 12\n", {"/run.cfg:1: micro-batch, ", "/run.cfg:3: global-batch)"});
    refused("min-length = 9\nmax-length = 8\n", {"/run.cfg:1: min-length, ", "/run.cfg:2: max-length)"});
    refused("max-length = 65\nmodel = tiny\n", {"65", "run.cfg:1: max-length", "run.cfg:2: model"});
    refused("min-lr = 1\n", {"/run.cfg:1: min-lr)"});
    try {
        parse(train({"--config", "/nonexistent/run.cfg"}));
        BOOST_ERROR("accepted a config file that does not exist");
    } catch (const Error& error) {
        BOOST_TEST(static_cast<int>(error.code()) == 66);
        BOOST_TEST(std::string(error.what()).find("/nonexistent/run.cfg") != std::string::npos);
    }
    const ConfigFile batch("micro-batch = 7\nglobal-batch = 14\n");
    check_refused(train({"--config", batch.path(), "--global-batch", "12"}),
                  {"--micro-batch 7 does not divide --global-batch 12", "run.cfg:1: micro-batch)"});
    // flags do not hide a bad line
    const ConfigFile config("epochs = 0\n");
    check_refused(train({"--config", config.path(), "--epochs", "3"}), {"run.cfg:1:"});
}

// What a flipped bit turns into another value is another run, which a resume refuses by name.
BOOST_AUTO_TEST_CASE(damaged_files_are_refused_by_name_or_are_other_settings) {
    for (const char* name : {"caption_coco.cfg", "caption_coco_large.cfg"}) {
        const std::string whole = read_bytes(repository_root() / "jobs" / name);
        int refused = 0;
        const auto check = [&](const std::string& text, const std::string& how) {
            const ConfigFile config(text);
            try {
                parse(train({"--config", config.path()}));
            } catch (const Error& error) {
                ++refused;
                const std::string message = error.what();
                BOOST_TEST((error.code() == ExitCode::usage), how << ": " << message);
                BOOST_TEST(message.find("run.cfg:") != std::string::npos, how << ": " << message);
            }
        };
        for (std::size_t at = 0; at < whole.size(); ++at) {
            std::string text = whole;
            text[at] = static_cast<char>(text[at] ^ (1 << (at * 5 % 8)));
            check(text, "byte " + std::to_string(at));
        }
        BOOST_TEST(refused > 100);
        for (std::size_t k = 0; k < 20; ++k) check(whole.substr(0, whole.size() * k / 20), "cut " + std::to_string(k));
    }
}

BOOST_AUTO_TEST_CASE(printed_configuration_gives_the_same_options_again) {
    const std::vector<Words> runs = {
        {"train", "--data", "coco.h5"},
        {"train",
         "--data",
         " odd name #1 \".h5",
         "--init",
         "b\\c",
         "--model",
         "tiny",
         "--text-layers",
         "2",
         "--init-lr",
         "1.2345678901234567e-5",
         "--no-evaluate",
         "--augment",
         "off",
         "--fresh",
         "--split",
         "test",
         "--seed",
         "9",
         "--bucket-mb",
         "0.3",
         "--loss-average",
         "micro-batch",
         "--checkpoint-minutes",
         "2.5",
         "--image-size",
         "48"},
        {"evaluate", "--data", "coco.h5", "--init", "out/best", "--prompt", "a photo of ", "--length-penalty", "-0.5"},
        {"evaluate", "--data", "coco.h5", "--init", "out/best", "--prompt", "", "--limit", "10"},
        {"caption", "--init", "out/best", "a.jpg", "--num-beams", "1"},
    };
    for (const Words& words : runs) {
        const Options options = parse(words);
        const ConfigFile config(print_config(options));
        Words again = {words.front(), "--config", config.path()};
        for (const auto& image : options.images) again.push_back(image.string());
        BOOST_TEST((parse(again) == options), print_config(options));
        BOOST_TEST(print_config(parse(again)) == print_config(options));
    }
}

// The option files that the project ships are read, and say what their names promise.
BOOST_AUTO_TEST_CASE(shipped_option_files) {
    const auto jobs = test::repository_root() / "jobs";
    const Options paper = parse(train({"--config", (jobs / "caption_coco.cfg").string()}));
    const Options defaults = parse(train({}));
    BOOST_TEST((paper.augment == defaults.augment));
    BOOST_TEST((paper.model == defaults.model));
    BOOST_TEST((paper.train == defaults.train));
    BOOST_TEST((paper.optim == defaults.optim));
    BOOST_TEST((paper.loss == defaults.loss));
    BOOST_TEST((paper.generate == defaults.generate));
    const Options demo = parse(train({"--config", (jobs / "demo.cfg").string()}));
    BOOST_TEST(demo.model.preset == "tiny");
    BOOST_TEST((parse({"--config", (jobs / "demo.cfg").string(), "--evaluate", "--data", "a", "--init", "b"}).verb ==
                Verb::evaluate));
}

BOOST_AUTO_TEST_SUITE_END()
