// Texts made from the table of options: help, a config file of a run, what differs from the defaults.
#include <fmt/format.h>

#include <algorithm>

#include "blip/options/parse.h"
#include "src/options/config_file.h"
#include "src/options/option_table.h"

namespace blip {
namespace {

constexpr std::size_t indent = 28, line_width = 100;

// Breaks text at spaces; lines after the first start in column `indent`.
std::string wrapped(const std::string& text) {
    std::string out;
    std::size_t used = indent;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        if (!out.empty() && used + (end - begin) > line_width) {
            out.back() = '\n';
            out.append(indent, ' ');
            used = indent;
        }
        out.append(text, begin, end - begin).append(" ");
        used += end - begin + 1;
        begin = end + 1;
    }
    if (!out.empty()) out.pop_back();
    return out;
}

std::string usage_text(Verb verb) {
    switch (verb) {
        case Verb::train:
            return "Trains a captioner on a packed data set, one MPI rank per processor or device. Run again, the same "
                   "command\n"
                   "goes on from the newest checkpoint in --output.\n\n"
                   "  mpirun -np N blip_mpi [train] --data FILE [--init PATH] [--output DIR] [--config FILE] "
                   "[options]\n\n"
                   "Other verbs (each has a --help): evaluate, caption, export, score, verify\n";
        case Verb::evaluate:
            return "Captions the pictures of a packed data set and scores the captions; writes DIR/result/SPLIT.json "
                   "and\n"
                   "DIR/evaluate.json.\n\n"
                   "  mpirun -np N blip_mpi evaluate --data FILE --init PATH [--output DIR] [--config FILE] "
                   "[options]\n";
        case Verb::export_weights:
            return "Writes weights in another form: the reference's names or Hugging Face's, safetensors or .pth.\n\n"
                   "  blip_mpi export --from PATH --to FOLDER|FILE.safetensors|FILE.pth [options]\n";
        case Verb::caption:
            break;
    }
    return "Prints a caption for each JPEG or PNG picture, as `FILE: CAPTION` in the order given, without mpirun.\n"
           "A folder stands for all pictures below it, - for a list on standard input, one name a line. A picture "
           "that\n"
           "cannot be read is reported on stderr and left out; Ctrl-C prints what is finished and ends with 85.\n\n"
           "  blip_mpi caption --init PATH [options] photo.jpg|FOLDER|- ...\n";
}

}    // namespace

std::string help_text(Verb verb) {
    const ParsedCommandLine defaults = default_settings("base");
    std::string text = usage_text(verb), group;
    for (const OptionSpec& spec : option_table()) {
        if (!spec.used_by(verb)) continue;
        if (spec.group != group) text += fmt::format("\n{}\n", spec.group);
        group = spec.group;
        std::string left = fmt::format("  --{}{}{}", spec.name, spec.is_switch() ? "" : " ", spec.value_name);
        // a long left side has a line of its own
        if (left.size() + 2 > indent)
            left += '\n' + std::string(indent, ' ');
        else
            left.resize(indent, ' ');
        std::string meaning = spec.meaning;
        const std::string value = spec.get(defaults);
        if (!spec.is_switch() && !value.empty()) {
            const std::string shown = spec.name == "prompt" ? quote_config_value(value) : value;
            meaning += fmt::format(" [{}]", spec.range.empty() ? shown : shown + "; " + spec.range);
        }
        text += left + wrapped(meaning) + '\n';
    }
    return text + "\nIn brackets: the default, and what is accepted. Defaults under Model are those of --model base.\n";
}

std::string print_config(const Options& options) {
    ParsedCommandLine settings;
    settings.options = options;
    const ParsedCommandLine defaults = default_settings("base");
    const auto& names = options.explicit_model_options;
    std::string text = fmt::format("# blip_mpi {}\n", verb_name(options.verb)), group;
    for (const OptionSpec& spec : option_table()) {
        if (!spec.used_by(options.verb) || spec.command_line_only) continue;
        if (spec.group != group) text += fmt::format("\n# {}\n", spec.group);
        group = spec.group;
        const std::string value = spec.get(settings);
        const bool absent = value.empty() && spec.get(defaults).empty();
        const bool filled = spec.shapes_model() && std::find(names.begin(), names.end(), spec.name) == names.end();
        const std::string line = fmt::format("{}{} = {}", absent || filled ? "# " : "", spec.name,
                                             absent ? spec.value_name : quote_config_value(value));
        text += fmt::format("{:<36} # {}\n", line, spec.meaning);
    }
    return text;
}

std::map<std::string, std::string> changed_options(const Options& options) {
    ParsedCommandLine settings;
    settings.options = options;
    const ParsedCommandLine preset = default_settings(options.model.preset), base = default_settings("base");
    std::map<std::string, std::string> changed;
    for (const OptionSpec& spec : option_table()) {
        if (!spec.used_by(options.verb) || spec.command_line_only) continue;
        const std::string value = spec.get(settings);
        if (value != spec.get(spec.name == "model" ? base : preset)) changed[spec.name] = value;
    }
    return changed;
}

}    // namespace blip
