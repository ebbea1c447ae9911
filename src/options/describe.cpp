// See describe.h.
#include "blip/options/describe.h"

#include <nlohmann/json.hpp>

#include "src/options/declared.h"

namespace blip {
namespace {

using nlohmann::ordered_json;

ordered_json described(const OptionTable& table, unsigned verb) {
    ordered_json options = ordered_json::array();
    for (const OptionSpec& spec : table.specs()) {
        if (!spec.used_by(verb)) continue;
        options.push_back({{"name", spec.name},
                           {"value", spec.value_name},
                           {"default", spec.is_switch() ? "" : spec.get()},
                           {"range", spec.range},
                           {"group", spec.group},
                           {"meaning", spec.meaning},
                           {"often", (spec.shown_by & verb) != 0}});
    }
    return options;
}

std::string as_text(const std::string& program, ordered_json verbs) {
    return ordered_json({{"program", program}, {"verbs", std::move(verbs)}}).dump(1) + "\n";
}

}    // namespace

std::string describe_verbs() {
    ParsedCommandLine defaults = default_settings("base");
    const OptionTable table = declare_options(defaults);
    ordered_json verbs = ordered_json::array();
    for (const VerbText& verb : verb_texts)
        verbs.push_back({{"name", verb.name},
                         {"summary", verb.summary},
                         {"purpose", verb.purpose},
                         {"usage", verb.usage},
                         {"examples", verb.examples},
                         {"options", described(table, verb_bit(verb.verb))}});
    return as_text("blip_mpi", std::move(verbs));
}

std::string describe_program(const std::string& program, const std::string& purpose, const OptionTable& table) {
    OptionTable own;
    bool none = false;
    own.flag("help", "this text", none);
    ordered_json options = described(table, ~0U);
    for (const ordered_json& option : described(own, ~0U)) options.push_back(option);
    return as_text(program, ordered_json::array({{{"name", ""},
                                                  {"summary", ""},
                                                  {"purpose", purpose},
                                                  {"usage", program + " [options]"},
                                                  {"examples", ""},
                                                  {"options", options}}}));
}

}    // namespace blip
