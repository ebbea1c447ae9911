// The list of a model's parameters before any memory exists: modules declare reference names, shapes and initialisers;
// the arena then places them. Declaration order = order of first use in the forward pass.
// Some parameters are joined: they lie one after another, and modules compute with one view of them all. What autograd
// gives a gradient is a *leaf*: a parameter by itself or a join. Everything that names parameters (checkpoints,
// exports, initialisation) knows nothing of joins.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace blip {

enum class InitKind { zeros, ones, normal, truncated_normal, uniform };

// How a parameter starts. normal: N(0, scale). truncated_normal: N(0, scale) cut at +-2 (absolute). uniform: U(-scale,
// scale).
struct Init {
    InitKind kind = InitKind::zeros;
    double scale = 0;

    static Init zeros() { return {InitKind::zeros, 0}; }
    static Init ones() { return {InitKind::ones, 0}; }
    static Init normal(double std) { return {InitKind::normal, std}; }
    static Init truncated_normal(double std) { return {InitKind::truncated_normal, std}; }
    static Init uniform(double bound) { return {InitKind::uniform, bound}; }
};

using ParamId = int;

struct ParamSpec {
    std::string name;    // the reference's
    std::vector<std::int64_t> shape;
    Init init;

    std::int64_t element_count() const;
};

class Layout {
  public:
    // name must be new, and nothing joined yet. Returns the id that modules keep and look views up by.
    ParamId declare(std::string name, std::vector<std::int64_t> shape, Init init);
    // One view of the members, the rows of each after those of the one before: shapes may differ in the first extent
    // only. A parameter is in one join at most. The join takes the place of its member that was declared first. Returns
    // an id behind those of all parameters.
    ParamId join(std::vector<ParamId> members);
    // Parameters whose names begin so are not trained: they keep the values they start with, and an arena gives them no
    // gradient. Nothing may be declared or joined afterwards. Throws internal if some members of a join begin so, but
    // not all.
    void freeze(std::string_view prefix);
    // Of a parameter or a join.
    bool is_frozen(ParamId id) const { return frozen_.contains(members(id).front()); }

    int leaf_ids() const { return count() + static_cast<int>(joins_.size()); }
    // Whether autograd sees id: a join, or a parameter that is in none.
    bool is_leaf(ParamId id) const { return id >= count() || join_of_.at(static_cast<std::size_t>(id)) < 0; }
    // The parameters of a leaf in the order of their places; of a member of a join: itself.
    std::vector<ParamId> members(ParamId id) const;
    // The leaf that a parameter belongs to: the parameter itself, or its join.
    ParamId leaf_of(ParamId id) const { return is_leaf(id) ? id : join_of_[static_cast<std::size_t>(id)]; }
    // The shape of a parameter or of a join.
    std::vector<std::int64_t> shape(ParamId id) const;
    // All leaves in the order of places: the reverse of the order of declaration, the frozen ones behind the others.
    std::vector<ParamId> placed_leaves() const;

    int count() const { return static_cast<int>(specs_.size()); }
    const ParamSpec& spec(ParamId id) const { return specs_.at(static_cast<std::size_t>(id)); }
    // -1 if no parameter has this name
    ParamId find(const std::string& name) const;
    std::int64_t element_count() const;
    std::int64_t frozen_element_count() const;

  private:
    std::vector<ParamSpec> specs_;
    std::set<ParamId> frozen_;
    std::vector<ParamId> join_of_;    // by parameter: the id of its join, or -1
    std::vector<std::vector<ParamId>> joins_;
    std::unordered_map<std::string, ParamId> by_name_;
};

}    // namespace blip
