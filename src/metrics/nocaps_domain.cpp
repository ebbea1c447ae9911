// See nocaps_domain.h.
#include "blip/metrics/nocaps_domain.h"

#include <fmt/format.h>

#include "blip/text/json_file.h"

namespace blip {

std::string nocaps_domain(const JsonFile& file, const nlohmann::json& image, const std::string& where) {
    if (!image.contains("domain")) return "";
    std::string domain = json_text(file, image, "domain", where);
    check_text(file, domain, where);
    if (domain != "in-domain" && domain != "near-domain" && domain != "out-domain")
        bad_json(file, where, fmt::format("domain '{}' is none of in-domain, near-domain, out-domain", domain));
    return domain;
}

}    // namespace blip
