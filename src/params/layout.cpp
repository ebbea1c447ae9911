// Parameter declarations: see layout.h.
#include "blip/params/layout.h"

#include <algorithm>

#include "blip/base/error.h"

namespace blip {

std::int64_t ParamSpec::element_count() const {
    std::int64_t count = 1;
    for (std::int64_t extent : shape) count *= extent;
    return count;
}

ParamId Layout::declare(std::string name, std::vector<std::int64_t> shape, Init init) {
    const ParamId id = count();
    if (!joins_.empty()) throw Error(ExitCode::internal, "parameter '{}' is declared after others were joined", name);
    if (!by_name_.emplace(name, id).second) throw Error(ExitCode::internal, "parameter '{}' is declared twice", name);
    specs_.push_back({std::move(name), std::move(shape), init});
    join_of_.push_back(-1);
    return id;
}

ParamId Layout::join(std::vector<ParamId> members) {
    const ParamId id = leaf_ids();
    const std::vector<std::int64_t>& first = spec(members.at(0)).shape;
    for (const ParamId member : members) {
        const ParamSpec& own = spec(member);
        const bool fits = own.shape.size() == first.size() && !first.empty() &&
                          std::equal(first.begin() + 1, first.end(), own.shape.begin() + 1);
        if (!is_leaf(member) || !fits)
            throw Error(ExitCode::internal, "parameter '{}' cannot be joined to '{}'", own.name,
                        spec(members.front()).name);
        join_of_[static_cast<std::size_t>(member)] = id;
    }
    joins_.push_back(std::move(members));
    return id;
}

void Layout::freeze(std::string_view prefix) {
    for (ParamId id = 0; id < count(); ++id)
        if (spec(id).name.starts_with(prefix)) frozen_.insert(id);
    for (const std::vector<ParamId>& join : joins_)
        for (const ParamId member : join)
            if (frozen_.contains(member) != frozen_.contains(join.front()))
                throw Error(ExitCode::internal, "'{}' and '{}' are joined: both are frozen, or neither",
                            spec(join.front()).name, spec(member).name);
}

std::vector<ParamId> Layout::members(ParamId id) const {
    return id < count() ? std::vector<ParamId>{id} : joins_.at(static_cast<std::size_t>(id - count()));
}

std::vector<std::int64_t> Layout::shape(ParamId id) const {
    const std::vector<ParamId> of_leaf = members(id);
    std::vector<std::int64_t> shape = spec(of_leaf.front()).shape;
    for (std::size_t i = 1; i < of_leaf.size(); ++i) shape[0] += spec(of_leaf[i]).shape[0];
    return shape;
}

std::vector<ParamId> Layout::placed_leaves() const {
    std::vector<ParamId> leaves;
    for (ParamId id = count() - 1; id >= 0; --id) {
        const std::vector<ParamId> of_leaf = members(leaf_of(id));
        if (id == *std::min_element(of_leaf.begin(), of_leaf.end())) leaves.push_back(leaf_of(id));
    }
    std::stable_partition(leaves.begin(), leaves.end(), [this](ParamId leaf) { return !is_frozen(leaf); });
    return leaves;
}

ParamId Layout::find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? -1 : found->second;
}

std::int64_t Layout::frozen_element_count() const {
    std::int64_t total = 0;
    for (const ParamId id : frozen_) total += spec(id).element_count();
    return total;
}

std::int64_t Layout::element_count() const {
    std::int64_t total = 0;
    for (const ParamSpec& spec : specs_) total += spec.element_count();
    return total;
}

}    // namespace blip
