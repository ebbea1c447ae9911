// Lays out help: the overview, a verb's, a small program's. Nothing is wider than the terminal.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <cstdlib>
#include <sstream>

#include "src/options/config_file.h"
#include "src/options/declared.h"

namespace blip {
namespace {

constexpr std::size_t indent = 28;
constexpr char hard_space = '\x1f';    // a space at which no line breaks

// COLUMNS, the terminal's width, or 80 where there is none; within what reads well.
std::size_t line_width() {
    long width = 80;
    winsize size{};
    if (const char* columns = std::getenv("COLUMNS"); columns != nullptr && std::atol(columns) > 0)
        width = std::atol(columns);
    else if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    return static_cast<std::size_t>(std::clamp(width, 60L, 100L));
}

// Breaks text at spaces; its first line begins in column `used`, the others in column `hanging`.
std::string wrapped(std::string_view text, std::size_t used, std::size_t hanging) {
    const std::size_t width = line_width();
    std::string out;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        if (!out.empty() && used + (end - begin) > width) {
            out.back() = '\n';
            out.append(hanging, ' ');
            used = hanging;
        }
        out.append(text, begin, end - begin).append(" ");
        used += end - begin + 1;
        begin = end + 1;
    }
    if (!out.empty()) out.pop_back();
    std::replace(out.begin(), out.end(), hard_space, ' ');
    return out + '\n';
}

// Each of its lines wrapped; those that begin with spaces are commands.
std::string wrapped_lines(const std::string& text) {
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t blanks = std::min(line.find_first_not_of(' '), line.size());
        out += std::string(blanks, ' ') + wrapped(line.substr(blanks), blanks, blanks > 0 ? blanks + 4 : 0);
    }
    return out;
}

// "  --epochs N    meaning [5; >= 1]"
std::string described(const OptionSpec& spec) {
    std::string left = fmt::format("  --{}{}{}", spec.name, spec.is_switch() ? "" : " ", spec.value_name);
    // a long left side has a line of its own
    if (left.size() + 2 > indent)
        left += '\n' + std::string(indent, ' ');
    else
        left.resize(indent, ' ');
    std::string brackets = spec.is_switch() ? "" : spec.get();
    if (!brackets.empty()) {
        if (brackets.ends_with(' ')) brackets = quote_config_value(brackets);
        if (!spec.range.empty()) brackets += "; " + spec.range;
        std::replace(brackets.begin(), brackets.end(), ' ', hard_space);
        brackets = fmt::format(" [{}]", brackets);
    }
    return left + wrapped(spec.meaning + brackets, indent, indent);
}

std::string commands(const char* title, std::string_view lines) {
    return wrapped_lines(fmt::format("\n{}:\n  {}", title, boost::replace_all_copy(std::string(lines), "\n", "\n  ")));
}

std::string overview() {
    std::string text = wrapped_lines(
        "Trains BLIP captioners with one MPI rank per GPU or processor, captions pictures and scores captions.\n"
        "\n"
        "  [mpirun -np N] blip_mpi VERB [options]\n"
        "\n");
    const auto add_verb = [&](const char* name, const char* summary) {
        text += fmt::format("  {:<10} {}", name, wrapped(summary, 13, 13));
    };
    add_verb("pack", "pack pictures and captions into one file");
    for (const VerbText& verb : verb_texts) add_verb(verb.name, verb.summary);
    text += commands("Examples",
                     "blip_mpi pack coco2014 --out coco.h5\n"
                     "mpirun -np 8 blip_mpi train --data coco.h5 --output out\n"
                     "blip_mpi caption --init out/best photo.jpg");
    return text + wrapped_lines(
                      "\n"
                      "blip_mpi help VERB shows the options that people set, VERB --help-all all of them. Without a "
                      "verb, options are those of train.");
}

}    // namespace

std::string help_text(const ParsedCommandLine& command) {
    if (!command.verb_named && !command.help_all) return overview();
    const VerbText& verb = text_of(command.options.verb);
    const unsigned bit = verb_bit(verb.verb);
    ParsedCommandLine defaults = default_settings("base");
    const OptionTable table = declare_options(defaults);
    std::string text =
        wrapped_lines(verb.purpose) + commands("Usage", verb.usage) + commands("Examples", verb.examples);
    std::string group;
    bool all = true, model = false;
    if (!command.help_all) text += "\nOptions:\n";
    for (const OptionSpec& spec : table.specs()) {
        if (!spec.used_by(bit)) continue;
        const bool shown = command.help_all || (spec.shown_by & bit) != 0;
        all &= shown || spec.group == "General";
        if (!shown) continue;
        if (command.help_all && spec.group != group) text += fmt::format("\n{}:\n", spec.group);
        group = spec.group;
        model |= spec.shapes_model();
        text += described(spec);
    }
    return text + "\n" +
           wrapped(fmt::format("In brackets: the default, and what is accepted.{}{}",
                               model ? " Defaults of dimensions are those of --model base." : "",
                               all ? "" : fmt::format(" blip_mpi {} --help-all shows all options.", verb.name)),
                   0, 0);
}

std::string OptionTable::help(const std::string& intro) const {
    std::string text = wrapped_lines(intro) + "\nOptions:\n";
    for (const OptionSpec& spec : specs_) text += described(spec);
    OptionTable own;
    bool none = false;
    return text + described(own.flag("help", "this text", none));
}

}    // namespace blip
