// From arguments and config file to Options, by the table of options. Called by src/app's main.
#include "blip/options/parse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "blip/base/error.h"
#include "src/options/config_file.h"
#include "src/options/declared.h"
#include "src/options/suggestion.h"
#include "src/options/words.h"
#include "src/options/yaml_config.h"

namespace blip {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitCode::usage, message); }

std::optional<Verb> verb_from(const std::string& word) {
    for (const VerbText& text : verb_texts)
        if (word == text.name) return text.verb;
    return std::nullopt;
}

// All options of the file, those of other verbs that take one included.
std::vector<Given> read_config(const std::string& file, const OptionTable& table) {
    std::vector<Given> given;
    std::map<std::string, int> line_of;
    for (ConfigLine& line : read_config_file(file)) {
        const std::string where = fmt::format("{}:{}: {}", file, line.number, line.name);
        const OptionSpec* spec = table.find(line.name, for_model);
        if (spec == nullptr)
            refuse(fmt::format("{}:{}: there is no option '{}'{}", file, line.number, line.name,
                               suggestion(table, line.name, "")));
        if (spec->is(command_line_only))
            refuse(fmt::format("{} belongs on the command line, as --{}", where, line.name));
        const auto [first, is_new] = line_of.emplace(line.name, line.number);
        if (!is_new) refuse(fmt::format("{} is given twice, first in line {}", where, first->second));
        given.push_back({spec, std::move(line.value), where, true});
    }
    return given;
}

// The reference's configuration file. Weights that are still to be downloaded are asked for unless --init gives some,
// or the program only looks or prints.
std::vector<Given> read_reference_config(const std::string& file, const OptionTable& table,
                                         const std::vector<Given>& flags, std::vector<std::string>& notes) {
    YamlConfig config = read_yaml_config(file);
    std::vector<Given> given;
    for (YamlSetting& setting : config.settings)
        given.push_back({table.find(setting.option, for_model), std::move(setting.value),
                         fmt::format("{}:{}: {}", file, setting.line, setting.key), true});
    notes.insert(notes.end(), config.notes.begin(), config.notes.end());
    const auto has = [&](const char* name) {
        return std::any_of(flags.begin(), flags.end(), [&](const Given& flag) { return flag.spec->name == name; });
    };
    if (!config.download.empty() && !has("init")) {
        if (!has("dry-run") && !has("print-config") && !has("help")) refuse(config.download);
        notes.push_back(config.download);
    }
    return given;
}

// Sets the preset first: it fills the dimensions that the others override. Returns what took effect.
std::vector<Given> apply_all(const std::vector<Given>& config, const std::vector<Given>& flags,
                             const OptionTable& table, Options& options) {
    const auto overridden = [&](const Given& line) {
        return std::any_of(flags.begin(), flags.end(), [&](const Given& flag) { return flag.spec == line.spec; });
    };
    std::vector<Given> winners;
    ParsedCommandLine unused;
    const OptionTable scratch = declare_options(unused);
    for (Given line : config) {
        if (line.spec->used_by(verb_bit(options.verb)) && !overridden(line)) winners.push_back(line);
        line.spec = scratch.find(line.spec->name, line.spec->verbs);
        apply(line);    // a bad line is refused even where it has no effect
    }
    winners.insert(winners.end(), flags.begin(), flags.end());
    std::stable_partition(winners.begin(), winners.end(),
                          [](const Given& given) { return given.spec->name == "model"; });
    for (const Given& given : winners) apply(given);
    // in the table's order, so that equal choices compare equal
    for (const OptionSpec& spec : table.specs())
        if (spec.shapes_model() &&
            std::any_of(winners.begin(), winners.end(), [&](const Given& g) { return g.spec == &spec; }))
            options.explicit_model_options.push_back(spec.name);
    return winners;
}

// The weights that a run starts from will tell the model's shape, unless a preset was asked for.
bool knows_shape(const Options& options) {
    const std::filesystem::path& weights = options.verb == Verb::export_weights ? options.export_to.from : options.init;
    return weights.empty() || weights == "random" || asks_for_dimension(options, "model");
}

// As check_consistency, and says which of the options at odds come from lines of the config file.
void check_together(const Options& options, const std::vector<Given>& given) {
    std::set<std::string> flags;
    for (const Given& one : given)
        if (!one.from_config) flags.insert(one.spec->name);
    const auto found = find_inconsistency(options, flags, knows_shape(options));
    if (!found) return;
    std::vector<std::string> lines;
    for (const Given& one : given)
        if (one.from_config &&
            std::find(found->options.begin(), found->options.end(), one.spec->name) != found->options.end())
            lines.push_back(one.where);
    refuse(found->message + (lines.empty() ? "" : fmt::format(" ({})", fmt::join(lines, ", "))));
}

void check_required(const Options& options) {
    const auto require = [&](Verb verb, bool present, const char* what, const char* example) {
        if (verb == options.verb && !present)
            refuse(fmt::format("{} needs {}, for example: blip_mpi {}", text_of(verb).name, what, example));
    };
    constexpr const char* evaluate = "evaluate --data coco.h5 --init out/best --output out";
    constexpr const char* caption = "caption --init out/best photo.jpg";
    constexpr const char* export_weights = "export --from out/best --to blip.safetensors";
    constexpr const char* score = "score --references captions_val2014.json --results results.json";
    require(Verb::train, !options.data.file.empty(), "--data", "train --data coco.h5 --init blip.pth --output out");
    require(Verb::evaluate, !options.data.file.empty(), "--data", evaluate);
    require(Verb::evaluate, !options.init.empty(), "--init", evaluate);
    require(Verb::caption, !options.init.empty(), "--init", caption);
    require(Verb::caption, !options.images.empty(), "pictures", caption);
    require(Verb::export_weights, !options.export_to.from.empty(), "--from", export_weights);
    require(Verb::export_weights, !options.export_to.to.empty(), "--to", export_weights);
    require(Verb::verify, !options.verify.path.empty(), "a folder or file", "verify output --deep");
    require(Verb::report, !options.show.runs.empty(), "the folder of a run", "report out");
    require(Verb::status, !options.show.runs.empty(), "the folder of a run", "status out");
    if (!options.score.compile_meteor.empty()) return;
    const bool only_frequencies = !options.score.write_cider_df.empty() && options.score.compare.empty();
    require(Verb::score, !options.score.references.empty(), "--references", score);
    require(Verb::score, !options.score.results.empty() || only_frequencies, "--results", score);
}

// The first argument, if it is not an option; removes it. `help VERB` becomes `VERB --help`.
std::optional<Verb> take_verb(std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front() == "help") {
        if (!arguments.empty()) arguments.erase(arguments.begin());
        arguments.emplace_back("--help");
    }
    if (arguments.front().starts_with('-')) return std::nullopt;
    const auto verb = verb_from(arguments.front());
    if (!verb) {
        std::vector<std::string> names = {"pack"};    // a program of its own, which the front door starts
        for (const VerbText& text : verb_texts) names.emplace_back(text.name);
        refuse(fmt::format("'{}' is no verb; there are {} (blip_mpi help){}", arguments.front(), fmt::join(names, ", "),
                           did_you_mean(arguments.front(), names)));
    }
    arguments.erase(arguments.begin());
    return verb;
}

// What is neither an option nor a value: pictures of caption, what verify, report and status look at, and score's
// references, results and what is compared with these.
void take_loose_words(const std::vector<std::string>& words, Options& options) {
    for (const std::string& word : words) {
        if (options.verb == Verb::caption)
            options.images.emplace_back(word);
        else if (options.verb == Verb::score && options.score.references.empty())
            options.score.references = word;
        else if (options.verb == Verb::score && options.score.results.empty())
            options.score.results = word;
        else if (options.verb == Verb::score)
            options.score.compare.emplace_back(word);
        else if (options.verb == Verb::report || (options.verb == Verb::status && options.show.runs.empty()))
            options.show.runs.emplace_back(word);
        else if (options.verb == Verb::verify && options.verify.path.empty())
            options.verify.path = word;
        else if (options.verb == Verb::verify)
            refuse(fmt::format("verify takes one folder or file; '{}' is a second", word));
        else if (verb_from(word))
            refuse(fmt::format("the verb '{}' must be the first argument", word));
        else
            refuse(fmt::format("'{}' is neither an option nor an option's value", word));
    }
}

// `--write csv captions.csv`: the file may follow as it does where it is told with --output.
void take_caption_file(Options& options) {
    const std::string ending = "." + options.write.form;
    if ((ending != ".csv" && ending != ".jsonl") || !options.write.output.empty()) return;
    const auto found = std::find_if(options.images.begin(), options.images.end(),
                                    [&](const auto& word) { return word.extension() == ending; });
    if (found == options.images.end()) return;
    options.write.output = *found;
    options.images.erase(found);
}

// What capevalkit calls options of the verb score when it starts a metric.
constexpr std::pair<std::string_view, std::string_view> capevalkit_names[] = {{"--predictions", "--results"},
                                                                              {"--image-dir", "--images"}};

}    // namespace

ParsedCommandLine parse_command_line(const std::vector<std::string>& given_arguments) {
    std::vector<std::string> arguments = given_arguments;
    const auto verb = take_verb(arguments);
    std::replace(arguments.begin(), arguments.end(), std::string("-h"), std::string("--help"));
    if (verb == Verb::score)
        for (std::string& word : arguments)
            for (const auto& [theirs, ours] : capevalkit_names)
                if (word == theirs || (word.starts_with(theirs) && word[theirs.size()] == '='))
                    word.replace(0, theirs.size(), ours);
    ParsedCommandLine settings;
    Options& options = settings.options;
    const bool evaluates = std::find(arguments.begin(), arguments.end(), "--evaluate") != arguments.end();
    options.verb = verb.value_or(evaluates ? Verb::evaluate : Verb::train);
    if (evaluates && options.verb != Verb::evaluate)
        refuse(fmt::format("--evaluate contradicts the verb {}", text_of(options.verb).name));
    settings.verb_named = verb || evaluates;

    const OptionTable table = declare_options(settings);
    const Words words = split_words(table, arguments, verb_bit(options.verb));
    settings.notes = words.notes;
    const Given* config_flag = nullptr;
    for (const Given& flag : words.flags) {
        if (flag.spec->name == "config") config_flag = &flag;
        if (!flag.spec->used_by(verb_bit(options.verb)))
            refuse(fmt::format("{} is not for {}, only for {}", flag.where, text_of(options.verb).name,
                               verb_names(flag.spec->verbs)));
    }
    std::vector<Given> config;
    if (config_flag != nullptr) {
        apply(*config_flag);    // refuses an empty name
        config = is_yaml(config_flag->value)
                     ? read_reference_config(config_flag->value, table, words.flags, settings.notes)
                     : read_config(config_flag->value, table);
    }
    const std::vector<Given> given = apply_all(config, words.flags, table, options);
    take_loose_words(words.loose, options);    // behind the options, which name some of what words may be
    take_caption_file(options);
    settings.help |= settings.help_all;
    if (settings.help) return settings;
    check_together(options, given);
    if (!options.print_config) check_required(options);
    return settings;
}

}    // namespace blip
