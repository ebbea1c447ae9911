// Parameter declarations: see layout.h.
#include "blip/params/layout.h"

#include <fmt/format.h>

#include "blip/base/error.h"

namespace blip {

std::int64_t ParamSpec::element_count() const {
    std::int64_t count = 1;
    for (std::int64_t extent : shape) count *= extent;
    return count;
}

ParamId Layout::declare(std::string name, std::vector<std::int64_t> shape, Init init) {
    const ParamId id = count();
    if (!by_name_.emplace(name, id).second)
        throw Error(ExitCode::internal, fmt::format("parameter '{}' is declared twice", name));
    specs_.push_back({std::move(name), std::move(shape), init});
    return id;
}

ParamId Layout::find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? -1 : found->second;
}

std::int64_t Layout::element_count() const {
    std::int64_t total = 0;
    for (const ParamSpec& spec : specs_) total += spec.element_count();
    return total;
}

}    // namespace blip
