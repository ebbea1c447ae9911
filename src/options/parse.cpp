// From arguments and config file to Options, by the table of options. Called by src/app's main.
#include "blip/options/parse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>
#include <optional>
#include <set>

#include "blip/base/error.h"
#include "src/options/config_file.h"
#include "src/options/nearest_word.h"
#include "src/options/option_table.h"
#include "src/options/option_value.h"
#include "src/options/yaml_config.h"

namespace blip {
namespace {

namespace po = boost::program_options;

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitCode::usage, message); }

struct Given {
    const OptionSpec* spec = nullptr;
    std::string value;
    std::string where;    // for messages: "--epochs" or "run.cfg:12: epochs"
    bool from_config = false;
};

struct Words {
    std::vector<Given> flags;
    std::vector<std::string> loose;    // neither options nor their values
};

// "; did you mean --epochs?", with the verbs that use it if `verb` does not; nothing if no option resembles the name.
std::string suggestion(const std::string& name, const char* dashes, std::optional<Verb> verb = std::nullopt) {
    const OptionSpec* similar = similar_option(name, verb);
    if (similar == nullptr) return "";
    const bool of_others = verb && !similar->used_by(*verb);
    return fmt::format("; did you mean {}{}?{}", dashes, similar->name,
                       of_others ? fmt::format(" It is only for {}", verb_names(similar->verbs)) : "");
}

[[noreturn]] void refuse_without_value(const OptionSpec& spec) {
    refuse(fmt::format("--{} needs a value: --{} {}", spec.name, spec.name, spec.value_name));
}

std::optional<Verb> verb_from(const std::string& word) {
    for (const Verb verb : all_verbs)
        if (word == verb_name(verb)) return verb;
    return std::nullopt;
}

// The arguments behind the verb, split into flags and other words; names are checked, values are not.
Words split_arguments(const std::vector<std::string>& arguments, Verb verb) {
    po::options_description known;
    for (const OptionSpec& spec : option_table()) {
        if (spec.is_switch())
            known.add_options()(spec.name.c_str(), "");
        else
            known.add_options()(spec.name.c_str(), po::value<std::string>(), "");
    }
    known.add_options()("words", po::value<std::vector<std::string>>(), "");
    po::positional_options_description positional;
    positional.add("words", -1);

    Words words;
    try {
        namespace style = po::command_line_style;
        const auto parsed = po::command_line_parser(arguments)
                                .options(known)
                                .positional(positional)
                                .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                                .run();
        for (const auto& option : parsed.options) {
            if (option.position_key >= 0 || option.string_key == "words") {
                words.loose.insert(words.loose.end(), option.value.begin(), option.value.end());
                continue;
            }
            const OptionSpec* spec = find_option(option.string_key);
            // "--output --fresh" lacks a value; "--output=--fresh" is taken at its word
            if (option.original_tokens.size() == 2 && option.original_tokens.back().starts_with("--"))
                refuse_without_value(*spec);
            const std::string value = spec->is_switch() ? "on" : option.value.empty() ? "" : option.value.front();
            words.flags.push_back({spec, value, "--" + spec->name, false});
        }
    } catch (const po::unknown_option& problem) {
        std::string name = problem.get_option_name();
        name.erase(0, name.find_first_not_of('-'));
        refuse(fmt::format("there is no option --{}{}", name, suggestion(name, "--", verb)));
    } catch (const po::error_with_option_name& problem) {
        std::string name = problem.get_option_name();
        name.erase(0, name.find_first_not_of('-'));
        const OptionSpec* spec = find_option(name);
        if (spec == nullptr) refuse(problem.what());
        if (spec->is_switch()) refuse(fmt::format("--{} takes no value", name));
        refuse_without_value(*spec);
    }
    return words;
}

void refuse_repeated_flags(const std::vector<Given>& flags) {
    for (auto flag = flags.begin(); flag != flags.end(); ++flag)
        if (std::any_of(flags.begin(), flag, [&](const Given& other) { return other.spec == flag->spec; }))
            refuse(fmt::format("{} is given twice", flag->where));
}

// All options of the file, those of other verbs included.
std::vector<Given> read_config(const std::string& file) {
    std::vector<Given> given;
    std::map<std::string, int> line_of;
    for (ConfigLine& line : read_config_file(file)) {
        const std::string where = fmt::format("{}:{}: {}", file, line.number, line.name);
        const OptionSpec* spec = find_option(line.name);
        if (spec == nullptr)
            refuse(fmt::format("{}:{}: there is no option '{}'{}", file, line.number, line.name,
                               suggestion(line.name, "")));
        if (spec->command_line_only) refuse(fmt::format("{} belongs on the command line, as --{}", where, line.name));
        const auto [first, is_new] = line_of.emplace(line.name, line.number);
        if (!is_new) refuse(fmt::format("{} is given twice, first in line {}", where, first->second));
        given.push_back({spec, std::move(line.value), where, true});
    }
    return given;
}

// The reference's configuration file. Weights that are still to be downloaded are asked for unless --init gives some,
// or the program only looks or prints.
std::vector<Given> read_reference_config(const std::string& file, const std::vector<Given>& flags,
                                         std::vector<std::string>& notes) {
    YamlConfig config = read_yaml_config(file);
    std::vector<Given> given;
    for (YamlSetting& setting : config.settings)
        given.push_back({find_option(setting.option), std::move(setting.value),
                         fmt::format("{}:{}: {}", file, setting.line, setting.key), true});
    notes = std::move(config.notes);
    const auto has = [&](const char* name) {
        return std::any_of(flags.begin(), flags.end(), [&](const Given& flag) { return flag.spec->name == name; });
    };
    if (!config.download.empty() && !has("init")) {
        if (!has("dry-run") && !has("print-config") && !has("help")) refuse(config.download);
        notes.push_back(config.download);
    }
    return given;
}

void apply(const Given& given, ParsedCommandLine& settings) {
    try {
        given.spec->set(settings, given.value);
    } catch (const BadValue& problem) {
        refuse(fmt::format("{}: {}", given.where, problem.what()));
    }
}

// Sets the preset first: it fills the dimensions that the others override. Returns what took effect.
std::vector<Given> apply_all(const std::vector<Given>& config, const std::vector<Given>& flags,
                             ParsedCommandLine& settings) {
    const auto overridden = [&](const Given& line) {
        return std::any_of(flags.begin(), flags.end(), [&](const Given& flag) { return flag.spec == line.spec; });
    };
    std::vector<Given> winners;
    for (const Given& line : config) {
        ParsedCommandLine scratch;
        apply(line, scratch);    // a bad line is refused even where it has no effect
        if (line.spec->used_by(settings.options.verb) && !overridden(line)) winners.push_back(line);
    }
    winners.insert(winners.end(), flags.begin(), flags.end());
    std::stable_partition(winners.begin(), winners.end(),
                          [](const Given& given) { return given.spec->name == "model"; });
    for (const Given& given : winners) apply(given, settings);
    // in the table's order, so that equal choices compare equal
    for (const OptionSpec& spec : option_table())
        if (spec.shapes_model() &&
            std::any_of(winners.begin(), winners.end(), [&](const Given& g) { return g.spec == &spec; }))
            settings.options.explicit_model_options.push_back(spec.name);
    return winners;
}

// As check_consistency, and says which of the options at odds come from lines of the config file.
void check_together(const Options& options, const std::vector<Given>& given) {
    std::set<std::string> flags;
    for (const Given& one : given)
        if (!one.from_config) flags.insert(one.spec->name);
    const auto found = find_inconsistency(options, flags);
    if (!found) return;
    std::vector<std::string> lines;
    for (const Given& one : given)
        if (one.from_config &&
            std::find(found->options.begin(), found->options.end(), one.spec->name) != found->options.end())
            lines.push_back(one.where);
    refuse(found->message + (lines.empty() ? "" : fmt::format(" ({})", fmt::join(lines, ", "))));
}

void check_required(const Options& options) {
    const auto require = [&](bool present, const char* what, const char* example) {
        if (!present)
            refuse(fmt::format("{} needs {}, for example: blip_mpi {}", verb_name(options.verb), what, example));
    };
    switch (options.verb) {
        case Verb::train:
            require(!options.data.file.empty(), "--data", "train --data coco.h5 --init blip.pth --output out");
            break;
        case Verb::evaluate:
            require(!options.data.file.empty(), "--data", "evaluate --data coco.h5 --init out/best --output out");
            require(!options.init.empty(), "--init", "evaluate --data coco.h5 --init out/best --output out");
            break;
        case Verb::caption:
            require(!options.init.empty(), "--init", "caption --init out/best photo.jpg");
            require(!options.images.empty(), "pictures", "caption --init out/best photo.jpg");
            break;
        case Verb::export_weights:
            require(!options.export_to.from.empty(), "--from", "export --from out/best --to blip.safetensors");
            require(!options.export_to.to.empty(), "--to", "export --from out/best --to blip.safetensors");
            break;
    }
}

// The first argument, if it is not an option; removes it.
std::optional<Verb> take_verb(std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front().starts_with('-')) return std::nullopt;
    const auto verb = verb_from(arguments.front());
    if (!verb)
        refuse(fmt::format(
            "'{}' is no verb; there are train, evaluate, caption, export, score and verify (blip_mpi "
            "--help){}",
            arguments.front(),
            did_you_mean(arguments.front(), {"train", "evaluate", "caption", "export", "score", "verify"})));
    arguments.erase(arguments.begin());
    return verb;
}

}    // namespace

ParsedCommandLine parse_command_line(const std::vector<std::string>& given_arguments) {
    std::vector<std::string> arguments = given_arguments;
    const auto verb = take_verb(arguments);
    std::replace(arguments.begin(), arguments.end(), std::string("-h"), std::string("--help"));
    const bool evaluates = std::find(arguments.begin(), arguments.end(), "--evaluate") != arguments.end();
    const Words words = split_arguments(arguments, verb.value_or(evaluates ? Verb::evaluate : Verb::train));
    refuse_repeated_flags(words.flags);

    ParsedCommandLine settings;
    Options& options = settings.options;
    const Given* config_flag = nullptr;
    for (const Given& flag : words.flags) {
        if (flag.spec->name == "config") config_flag = &flag;
        if (flag.spec->name == "evaluate" && verb && *verb != Verb::evaluate)
            refuse(fmt::format("--evaluate contradicts the verb {}", verb_name(*verb)));
        if (flag.spec->name == "evaluate") options.verb = Verb::evaluate;
    }
    if (verb) options.verb = *verb;
    for (const Given& flag : words.flags)
        if (!flag.spec->used_by(options.verb))
            refuse(fmt::format("{} is not for {}, only for {}", flag.where, verb_name(options.verb),
                               verb_names(flag.spec->verbs)));
    for (const std::string& word : words.loose) {
        if (options.verb == Verb::caption)
            options.images.emplace_back(word);
        else if (verb_from(word))
            refuse(fmt::format("the verb '{}' must be the first argument", word));
        else
            refuse(fmt::format("'{}' is neither an option nor an option's value", word));
    }

    std::vector<Given> config;
    if (config_flag != nullptr) {
        apply(*config_flag, settings);    // refuses an empty name
        config = is_yaml(config_flag->value) ? read_reference_config(config_flag->value, words.flags, settings.notes)
                                             : read_config(config_flag->value);
    }
    const std::vector<Given> given = apply_all(config, words.flags, settings);
    if (settings.help || settings.version) return settings;
    check_together(options, given);
    if (!options.print_config) check_required(options);
    return settings;
}

}    // namespace blip
