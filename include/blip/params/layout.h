// The list of a model's parameters before any memory exists: modules declare reference names, shapes and initialisers;
// the arena then places them. Declaration order = order of first use in the forward pass.
#pragma once

#include <cstdint>
#include <string>
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
    // name must be new. Returns the id that modules keep and look views up by.
    ParamId declare(std::string name, std::vector<std::int64_t> shape, Init init);

    int count() const { return static_cast<int>(specs_.size()); }
    const ParamSpec& spec(ParamId id) const { return specs_.at(static_cast<std::size_t>(id)); }
    // -1 if no parameter has this name
    ParamId find(const std::string& name) const;
    std::int64_t element_count() const;

  private:
    std::vector<ParamSpec> specs_;
    std::unordered_map<std::string, ParamId> by_name_;
};

}    // namespace blip
