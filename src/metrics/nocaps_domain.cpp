// See nocaps_domain.h.
#include "blip/metrics/nocaps_domain.h"

namespace blip {

bool is_nocaps_domain(std::string_view name) {
    return name == "in-domain" || name == "near-domain" || name == "out-domain";
}

}    // namespace blip
