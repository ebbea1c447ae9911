// What a run's options are, walked from the table: as a config file, what differs from the defaults, what a checkpoint
// notes.
#include <fmt/format.h>

#include <algorithm>

#include "src/options/config_file.h"
#include "src/options/declared.h"

namespace blip {
namespace {

// The table over a copy of a run's options.
struct Settings {
    explicit Settings(const Options& options) { run.options = options; }
    explicit Settings(ParsedCommandLine command) : run(std::move(command)) {}
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    ParsedCommandLine run;
    OptionTable table = declare_options(run);
};

// left_out: of these traits
std::map<std::string, std::string> changes(const Options& options, unsigned left_out) {
    const Settings now(options), preset(default_settings(options.model.preset)), base(default_settings("base"));
    std::map<std::string, std::string> changed;
    for (std::size_t i = 0; i < now.table.specs().size(); ++i) {
        const OptionSpec& spec = now.table.specs()[i];
        if (!spec.used_by(verb_bit(options.verb)) || (spec.traits & left_out) != 0) continue;
        const OptionTable& defaults = spec.name == "model" ? base.table : preset.table;
        const std::string value = spec.get();
        if (value != defaults.specs()[i].get()) changed[spec.name] = value;
    }
    return changed;
}

}    // namespace

std::string print_config(const Options& options) {
    const Settings settings(options), defaults(default_settings("base"));
    const auto& names = options.explicit_model_options;
    std::string text = fmt::format("# blip_mpi {}\n", text_of(options.verb).name), group;
    for (std::size_t i = 0; i < settings.table.specs().size(); ++i) {
        const OptionSpec& spec = settings.table.specs()[i];
        if (!spec.used_by(verb_bit(options.verb)) || spec.is(command_line_only)) continue;
        if (spec.group != group) text += fmt::format("\n# {}\n", spec.group);
        group = spec.group;
        const std::string value = spec.get();
        const bool absent = value.empty() && defaults.table.specs()[i].get().empty();
        const bool filled = spec.shapes_model() && std::find(names.begin(), names.end(), spec.name) == names.end();
        const std::string line = fmt::format("{}{} = {}", absent || filled ? "# " : "", spec.name,
                                             absent ? spec.value_name : quote_config_value(value));
        text += fmt::format("{:<36} # {}\n", line, spec.meaning);
    }
    return text;
}

std::map<std::string, std::string> changed_options(const Options& options) {
    return changes(options, command_line_only);
}

std::map<std::string, std::string> changed_options_of_all_ranks(const Options& options) {
    return changes(options, command_line_only | own_of_rank);
}

NotedOptions noted_options(const Options& options) {
    const Settings settings(options);
    NotedOptions noted;
    for (const OptionSpec& spec : settings.table.specs()) {
        if (!spec.used_by(for_train)) continue;
        const std::string value = spec.effect ? spec.effect() : spec.get();
        if (spec.is(another_run)) noted.identity[spec.name] = value;
        if (spec.is(other_bits)) noted.other_bits[spec.name] = value;
        if (spec.is(other_scores)) noted.other_scores[spec.name] = value;
    }
    return noted;
}

std::vector<std::string> model_conflicts(const Options& options, const ModelOptions& found) {
    std::vector<std::string> conflicts;
    for (const Dimension& dimension : model_dimensions()) {
        // A preset asks for every dimension; what a preset is called does not matter. Another resolution is none of the
        // weights' concern: positions are resized.
        if (dimension.member == &ModelOptions::image_size || !asks_for_dimension(options, dimension.option)) continue;
        const int asked = options.model.*dimension.member, there = found.*dimension.member;
        if (asked != there)
            conflicts.push_back(
                fmt::format("{}: {} was asked for, the weights have {}", dimension.option, asked, there));
    }
    return conflicts;
}

}    // namespace blip
