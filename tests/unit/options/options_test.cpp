// The table of options: parsing, ranges, presets, help. (Config files: config_file_test.cpp.)
#include "blip/options/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>

#include "src/options/declared.h"
#include "src/options/suggestion.h"
#include "tests/unit/options/parse_support.h"

using namespace blip;
using namespace blip::test;

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(verb_may_be_left_out) {
    BOOST_TEST((parse({"--data", "a.h5"}).verb == Verb::train));
    BOOST_TEST((parse({"--evaluate", "--data", "a.h5", "--init", "best"}).verb == Verb::evaluate));
    BOOST_TEST((parse({"evaluate", "--data", "a.h5", "--init", "best"}).verb == Verb::evaluate));
    const Options caption = parse({"caption", "a.jpg", "--init", "best", "b.jpg"});
    BOOST_TEST((caption.verb == Verb::caption));
    BOOST_TEST((caption.images == std::vector<std::filesystem::path>{"a.jpg", "b.jpg"}));
    check_refused({"train", "--evaluate", "--data", "a.h5"}, {"--evaluate", "train"});
    check_refused({"--data", "a.h5", "evaluate"}, {"'evaluate'", "first"});
    check_refused({"pakc"}, {"did you mean pack?"});
    check_refused({"tarin"},
                  {"'tarin'", "pack, train, evaluate, caption, export, score, verify", "did you mean train?"});
    check_refused({"evalute", "--data", "a.h5"}, {"did you mean evaluate?"});
    check_refused({"captions", "a.jpg"}, {"did you mean caption?"});
}

BOOST_AUTO_TEST_CASE(defaults_are_those_of_the_structs) {
    Options expected;
    expected.data.file = "coco.h5";
    BOOST_TEST((parse(train({})) == expected));
}

// Every option that takes a value changes the options when given, and shows its new value under its own name.
BOOST_AUTO_TEST_CASE(every_option_reaches_its_field) {
    ParsedCommandLine defaults;
    const OptionTable plain = declare_options(defaults);
    std::map<std::string, unsigned> verbs_of;
    for (std::size_t i = 0; i < plain.specs().size(); ++i) {
        ParsedCommandLine settings;
        const OptionTable table = declare_options(settings);
        const OptionSpec& spec = table.specs()[i];
        BOOST_TEST((verbs_of[spec.name] & spec.verbs) == 0U, spec.name << " is declared twice for a verb");
        verbs_of[spec.name] |= spec.verbs;
        BOOST_TEST(!spec.meaning.empty());
        BOOST_TEST(spec.get() == plain.specs()[i].get());
        if (spec.name == "config" || spec.name == "version") continue;    // have no field of their own
        // a value that is accepted and is not the default
        bool changed = false;
        for (const char* value :
             {"on",          "off",         "tiny",          "cpu",    "fp32",    "micro-batch", "test", "some/path",
              "a photo of ", "huggingface", "transformers",  "bf16",   "vision",  "bleu",        "csv",  "0.25",
              "3",           "7",           "self-critical", "greedy", "cider=2", "markdown"}) {
            try {
                spec.set(value);
                changed = spec.get() != plain.specs()[i].get();
            } catch (const std::exception&) {
            }
            if (changed) break;
        }
        BOOST_TEST(changed, spec.name << " cannot be changed");
        for (std::size_t k = 0; k < plain.specs().size(); ++k) {
            const OptionSpec& other = table.specs()[k];
            BOOST_TEST((other.name == spec.name || spec.name == "model" || other.get() == plain.specs()[k].get()),
                       spec.name << " changes " << other.name);
        }
    }
}

BOOST_AUTO_TEST_CASE(flags_are_read) {
    const Options options =
        parse(train({"--epochs=3", "--init-lr", "2e-6", "--split", "test,val", "--augment", "off", "--fresh",
                     "--no-evaluate", "--no-progress", "--seed", "18446744073709551615"}));
    BOOST_TEST(options.train.epochs == 3);
    BOOST_TEST(!std::signbit(parse(train({"--dropout", "-0"})).loss.dropout));
    BOOST_TEST(options.optim.init_lr == 2e-6);
    BOOST_TEST((options.evaluate.splits == Words{"test", "val"}));
    BOOST_TEST(!options.augment.enabled);
    BOOST_TEST(options.checkpoint.fresh);
    BOOST_TEST(!options.train.evaluate);
    BOOST_TEST(!options.runtime.progress);
    BOOST_TEST(options.train.seed == 18446744073709551615ULL);
    BOOST_TEST(parse({"caption", "--init", "b", "a.jpg", "--length-penalty", "-1"}).generate.length_penalty == -1);
    BOOST_TEST(parse({"caption", "--init", "b", "a.jpg", "--prompt", ""}).generate.prompt.empty());
    BOOST_TEST(parse({"caption", "--init", "b", "a.jpg", "--prompt", "a photo of"}).generate.prompt == "a photo of ");
}

BOOST_AUTO_TEST_CASE(bad_words_are_named) {
    check_refused(train({"--epoch", "3"}), {"--epoch", "did you mean --epochs?"});
    check_refused(train({"--init_lr", "1e-4"}), {"--init_lr", "did you mean --init-lr?"});
    check_refused(train({"--Epochs", "3"}), {"--Epochs", "did you mean --epochs?"});
    check_refused(train({"--xyzzy=3"}), {"--xyzzy"});
    // the verb's own options go first, and that of another verb is said to be one
    check_refused({"caption", "--init", "b", "a.jpg", "--epoch", "3"}, {"did you mean --epochs? It is only for train"});
    check_refused(train({"--jsn"}), {"did you mean --json? It is only for caption and score and verify"});
    check_refused(train({"--epochs"}), {"--epochs", "needs a value"});
    check_refused(train({"--epochs", "--fresh"}), {"--epochs", "needs a value"});
    check_refused(train({"--output", "--fresh"}), {"--output", "needs a value"});
    check_refused(train({"--fresh=on"}), {"--fresh", "takes no value"});
    check_refused(train({"3"}), {"'3'"});
    check_refused(train({"-n", "3"}), {"'-n'"});
    check_refused(train({"--config", ""}), {"--config"});
    check_refused(train({"--num-beams", "3", "--prompt", "a "}), {"--prompt", "evaluate and caption"});
    check_refused({"caption", "--init", "best", "a.jpg", "--epochs", "3"}, {"--epochs", "only for train"});
    check_refused({"evaluate", "--data", "a", "--init", "b", "--micro-batch", "3"},
                  {"--micro-batch", "only for train"});
}

// A job script's words come first, a person's behind them.
BOOST_AUTO_TEST_CASE(the_last_of_a_repeated_option_counts) {
    const ParsedCommandLine twice =
        parse_command_line(train({"--micro-batch", "32", "--fresh", "--micro-batch=8", "--fresh", "--seed", "42"}));
    BOOST_TEST(twice.options.train.micro_batch == 8);
    BOOST_TEST((twice.notes == Words{"--micro-batch is given more than once; the last counts: 8 instead of 32"}));
    check_refused(train({"--micro-batch", "8", "--micro-batch", "0"}), {"--micro-batch: 0 is out of range"});
}

BOOST_AUTO_TEST_CASE(names_from_other_programs_are_answered_with_ours) {
    const std::vector<std::pair<const char*, const char*>> names = {{"batch-size", "--global-batch"},
                                                                    {"lr", "--init-lr"},
                                                                    {"learning_rate", "--init-lr"},
                                                                    {"num-epochs", "--epochs"},
                                                                    {"max-epochs", "--epochs"},
                                                                    {"resume", "--output"},
                                                                    {"checkpoint", "--init"},
                                                                    {"output-dir", "--output"},
                                                                    {"num-workers", "--loader-threads"},
                                                                    {"world-size", "mpirun -np N"},
                                                                    {"gpus", "mpirun -np N"},
                                                                    {"beam-size", "--num-beams"},
                                                                    {"warmup-ratio", "--warmup-steps"},
                                                                    {"max_grad_norm", "--clip-norm"},
                                                                    {"early_stopping_patience", "--patience"},
                                                                    {"freeze_vit", "--freeze"},
                                                                    {"weight_decay", "--weight-decay"},
                                                                    {"num_beams", "--num-beams"}};
    for (const auto& [name, ours] : names) check_refused(train({std::string("--") + name, "8"}), {name, ours});
    check_refused({"score", "--refs", "a", "--hyps", "b"}, {"--refs; here it is --references"});
    check_refused({"score", "--references", "a", "--hyps", "b"}, {"--hyps; here it is --results"});
    check_refused({"evaluate", "--batch-size", "8"}, {"--batch-size; here it is --eval-batch"});
    for (const char* name : {"report", "patch", "qqqq"}) {    // nothing like it: no hint
        try {
            parse(train({std::string("--x") + name}));
            BOOST_ERROR("accepted");
        } catch (const Error& error) {
            BOOST_TEST(error.what() == fmt::format("there is no option --x{}", name));
        }
    }
    check_refused({"publish"}, {"(blip_mpi help)"});
    // a name from elsewhere that is one of ours would never be reached
    ParsedCommandLine run;
    const OptionTable table = declare_options(run);
    for (const OptionSpec& spec : table.specs())
        if (spec.used_by(for_train)) BOOST_TEST(foreign_name(table, spec.name, "--", for_train).empty(), spec.name);
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_named) {
    check_refused(train({"--epochs", "0"}), {"--epochs", "0", "at least 1"});
    check_refused(train({"--epochs", "3x"}), {"--epochs", "'3x'", "whole number"});
    check_refused(train({"--epochs", "3.5"}), {"--epochs", "'3.5'"});
    check_refused(train({"--epochs", "99999999999"}), {"--epochs", "99999999999"});
    check_refused(train({"--seed", "-1"}), {"--seed", "'-1'"});
    check_refused(train({"--dropout", "1"}), {"--dropout", "below 1"});
    check_refused(train({"--init-lr", "0"}), {"--init-lr", "above 0"});
    check_refused(train({"--init-lr", "nan"}), {"--init-lr", "'nan'"});
    check_refused(train({"--comm-timeout", "inf"}), {"--comm-timeout", "'inf'"});
    check_refused(train({"--comm-timeout", "1e-9"}), {"--comm-timeout", "at least 0.1"});
    check_refused(train({"--augment", "yes"}), {"--augment", "'yes'"});
    check_refused(train({"--augment-operators", "-1"}), {"--augment-operators", "-1", "at least 0"});
    check_refused(train({"--model", "huge"}), {"--model", "'huge'"});
    check_refused(train({"--model", "tinny"}), {"--model", "did you mean tiny?"});
    check_refused(train({"--precision", "bf6"}), {"--precision", "did you mean bf16?"});
    check_refused(train({"--device", "gpu"}), {"--device", "'gpu' is none of auto, cpu, cuda"});
    check_refused(train({"--split", "val,tset"}), {"--split", "did you mean test?"});
    check_refused(train({"--split", "val,,test"}), {"--split", "''"});
    check_refused(train({"--split", "val,val"}), {"--split", "twice"});
    check_refused(train({"--loss-average", "mean"}), {"--loss-average", "'mean'"});
    const auto refused_caption = [](Words more, const Words& named) {
        more.insert(more.begin(), {"caption", "--init", "b", "a.jpg"});
        check_refused(more, named);
    };
    refused_caption({"--num-captions", "4"}, {"--num-captions 4", "--num-beams 3", "--sample"});
    refused_caption({"--num-captions", "2", "--num-beams", "1"}, {"--num-captions 2", "--num-beams 1"});
    refused_caption({"--top-k", "5"}, {"--top-k", "without --sample"});
    refused_caption({"--top-p", "0.5"}, {"--top-p", "without --sample"});
    refused_caption({"--sample", "--num-beams", "3"}, {"--num-beams", "--sample"});
    refused_caption({"--sample", "--length-penalty", "1"}, {"--length-penalty", "--sample"});
    refused_caption({"--sample", "--search", "blip"}, {"--search", "--sample"});
    BOOST_TEST(parse({"caption", "--init", "b", "a.jpg", "--sample", "--num-captions", "9"}).generate.num_captions ==
               9);
    // a config file may serve both
    const ConfigFile either("top-k = 5\nnum-beams = 4\n");
    BOOST_TEST(parse({"caption", "--init", "b", "a.jpg", "--config", either.path()}).generate.num_beams == 4);
    BOOST_TEST(parse({"caption", "--init", "b", "a.jpg", "--config", either.path(), "--sample"}).generate.top_k == 5);
}

BOOST_AUTO_TEST_CASE(options_must_fit_each_other) {
    check_refused(train({"--global-batch", "100"}), {"--micro-batch 32", "--global-batch 100", "25"});
    check_refused(train({"--text-heads", "7"}), {"--text-heads 7", "--text-hidden 768"});
    // weights have a shape of their own: what was not asked for is checked when it is known
    const Options given = parse(train({"--init", "x", "--text-heads", "7", "--max-length", "600"}));
    BOOST_CHECK_THROW(check_consistency(given), Error);
    Options found = given;
    found.model.text_hidden = 70;
    found.model.text_positions = 600;
    check_consistency(found);
    parse({"export", "--from", "x", "--to", "y", "--vision-heads", "5"});
    check_refused({"export", "--from", "random", "--to", "y", "--vision-heads", "5"}, {"--vision-heads 5"});
    check_refused(train({"--init", "x", "--text-heads", "7", "--model", "tiny"}),
                  {"--text-heads 7", "--text-hidden 128"});
    check_refused(train({"--init", "x", "--text-heads", "7", "--text-hidden", "64"}), {"--text-heads 7"});
    check_refused(train({"--vision-width", "100"}), {"--vision-heads 12", "--vision-width 100"});
    check_refused(train({"--image-size", "100"}), {"--patch-size 16", "--image-size 100"});
    check_refused(train({"--min-length", "21"}), {"--min-length 21", "--max-length 20"});
    check_refused(train({"--max-length", "65", "--model", "tiny"}), {"--max-length 65", "64"});
    check_refused(train({"--max-length", "4", "--min-length", "1"}), {"--max-length 4", "a picture of"});
    check_refused(train({"--min-lr", "1"}), {"--min-lr", "--init-lr"});
    check_refused({"report", "out", "--trace", "a.json", "--pictures", "3"}, {"--trace", "--pictures"});
}

// train --trace is a switch, report --trace names a file.
BOOST_AUTO_TEST_CASE(verbs_have_options_of_one_name_and_of_two_kinds) {
    const Options traced = parse(train({"--trace", "--epochs", "3"}));
    BOOST_TEST((traced.train.trace && traced.train.epochs == 3 && traced.show.trace.empty()));
    const Options shown = parse({"report", "--trace", "a.json", "out"});
    BOOST_TEST((!shown.train.trace && shown.show.trace == "a.json"));
    BOOST_TEST((shown.show.runs == std::vector<std::filesystem::path>{"out"}));
    check_refused(train({"--trace=a.json"}), {"--trace takes no value"});
    check_refused({"report", "out", "--trace"}, {"--trace needs a value"});
}

BOOST_AUTO_TEST_CASE(score_takes_references_and_results_as_words) {
    const ScoreOptions words = parse({"score", "r", "a", "b", "--compare", "c", "--compare", "d"}).score;
    BOOST_TEST(words.references == "r");
    BOOST_TEST(words.results == "a");
    BOOST_TEST((words.compare == std::vector<std::filesystem::path>{"c", "d", "b"}));
    const ScoreOptions mixed = parse({"score", "-", "--references", "r"}).score;
    BOOST_TEST(mixed.references == "r");
    BOOST_TEST(mixed.results == "-");
    BOOST_TEST(parse({"score", "r", "--predictions", "p"}).score.results == "p");
    BOOST_TEST(parse({"score", "r", "--predictions=p"}).score.results == "p");
    BOOST_TEST(parse({"score", "r", "a", "--clip", "c", "--image-dir", "i"}).score.pictures == "i");
    check_refused({"score", "r", "a", "--seed", "2"}, {"--seed", "--intervals"});
    check_refused({"score", "r", "a", "--json", "--table", "latex"}, {"--json", "--table latex"});
    check_refused({"score", "r", "a", "b", "--spice", "s"}, {"--spice", "--compare"});
    check_refused({"score", "r", "a", "--clip", "d"}, {"--clip", "--images"});
    check_refused({"score", "r", "a", "--images", "d"}, {"--images", "--clip"});
    check_refused({"score", "r", "--write-cider-df", "f", "--clip", "d", "--images", "d"}, {"--clip", "--results"});
    BOOST_TEST(parse({"score", "r", "a", "--clip", "c", "--images", "i"}).score.pictures == "i");
}

BOOST_AUTO_TEST_CASE(missing_options_come_with_an_example) {
    check_refused({"train"}, {"--data", "blip_mpi train --data"});
    check_refused({"score", "--results", "r"}, {"score needs --references"});
    check_refused({"score", "--references", "r"}, {"score needs --results"});
    check_refused({"score", "r", "--compare", "b"}, {"score needs --results"});
    BOOST_TEST(parse({"score", "--references", "r", "--write-cider-df", "d"}).score.references == "r");
    check_refused({"verify"}, {"a folder or file"});
    check_refused({"verify", "a", "b"}, {"'b'"});
    BOOST_TEST(parse({"verify", "a", "--deep", "--json"}).json);
    check_refused({"evaluate", "--data", "a.h5"}, {"--init", "blip_mpi evaluate"});
    check_refused({"evaluate", "--init", "best"}, {"--data"});
    check_refused({"caption", "a.jpg"}, {"--init", "blip_mpi caption"});
    check_refused({"caption", "--init", "best"}, {"pictures", "photo.jpg"});
    BOOST_TEST(parse_command_line({"--help"}).help);
    BOOST_TEST(parse_command_line({"caption", "-h"}).help);
    BOOST_TEST(parse({"--print-config"}).print_config);
}

BOOST_AUTO_TEST_CASE(presets_and_dimensions) {
    const Options plain = parse(train({"--model", "tiny"}));
    BOOST_TEST((plain.model == model_preset("tiny")));
    BOOST_TEST((plain.explicit_model_options == Words{"model"}));
    const Options mixed = parse(train({"--text-layers", "2", "--model", "tiny"}));    // whatever the order
    BOOST_TEST(mixed.model.text_layers == 2);
    BOOST_TEST(mixed.model.vision_width == 128);
    BOOST_TEST((mixed.explicit_model_options == Words{"model", "text-layers"}));
    BOOST_TEST(parse(train({})).explicit_model_options.empty());

    const Options large = parse(train({"--model", "large"}));
    BOOST_TEST(large.model.vision_depth == 24);
    BOOST_TEST(large.loss.drop_path == 0.1);
    BOOST_TEST(parse(train({"--drop-path", "0.2", "--model", "large"})).loss.drop_path == 0.2);
    BOOST_TEST(parse(train({})).loss.drop_path == 0);
    BOOST_TEST(changed_options(large).count("drop-path") == 0U);

    ModelOptions found = model_preset("tiny");
    BOOST_TEST(model_conflicts(parse(train({})), found).empty());
    BOOST_TEST(model_conflicts(plain, found).empty());
    BOOST_TEST((model_conflicts(mixed, found) == Words{"text-layers: 2 was asked for, the weights have 3"}));
    found.image_size = 384;    // positions are resized
    BOOST_TEST(model_conflicts(plain, found).empty());
    found.patch_size = 32;
    BOOST_TEST((model_conflicts(plain, found) == Words{"patch-size: 16 was asked for, the weights have 32"}));
    BOOST_TEST(model_conflicts(parse(train({"--text-layers", "3"})), found).empty());
}

BOOST_AUTO_TEST_CASE(changed_options_are_listed) {
    const auto changed = changed_options(parse(train({"--epochs", "5", "--model", "tiny", "--text-layers", "2"})));
    BOOST_TEST(
        (changed == std::map<std::string, std::string>{{"data", "coco.h5"}, {"model", "tiny"}, {"text-layers", "2"}}));
    const auto caption = changed_options(parse({"caption", "--init", "best", "a.jpg"}));
    BOOST_TEST((caption == std::map<std::string, std::string>{{"init", "best"}}));
}

std::size_t widest(const std::string& text) {
    std::istringstream lines(text);
    std::size_t most = 0;
    for (std::string line; std::getline(lines, line);) most = std::max(most, line.size());
    return most;
}

BOOST_AUTO_TEST_CASE(help_fits_the_terminal_and_lists_what_a_verb_uses) {
    ParsedCommandLine run;
    const OptionTable table = declare_options(run);
    for (const char* columns : {"60", "80", "100", "200"}) {
        const std::size_t most = std::min(std::stoul(columns), 100UL);
        ::setenv("COLUMNS", columns, 1);
        for (const VerbText& verb : verb_texts) {
            const std::string shown = help_text(parse_command_line({"help", verb.name}));
            const std::string all = help_text(parse_command_line({verb.name, "--help-all"}));
            BOOST_TEST(widest(shown) <= most, verb.name);
            BOOST_TEST(widest(all) <= most, verb.name);
            int count = 0;
            for (const OptionSpec& spec : table.specs()) {
                if (!spec.used_by(verb_bit(verb.verb))) continue;
                const std::string start = "\n  --" + spec.name + (spec.is_switch() ? " " : " " + spec.value_name);
                BOOST_TEST(all.find(start) != std::string::npos, verb.name << " --" << spec.name);
                BOOST_TEST((spec.range.empty() || all.find("; " + spec.range + "]") != std::string::npos), spec.name);
                count += shown.find(start) != std::string::npos;
                BOOST_TEST((shown.find(start) != std::string::npos) == ((spec.shown_by & verb_bit(verb.verb)) != 0));
            }
            BOOST_TEST((count >= 1 && count <= 16), verb.name << " shows " << count);
        }
        const std::string overview = help_text(parse_command_line({}));
        BOOST_TEST(widest(overview) <= most);
        BOOST_TEST(std::count(overview.begin(), overview.end(), '\n') <= 25);
        BOOST_TEST(overview == help_text(parse_command_line({"--help"})));
        BOOST_TEST(overview == help_text(parse_command_line({"help"})));
    }
    ::unsetenv("COLUMNS");
}

BOOST_AUTO_TEST_SUITE_END()
