// Starting values: every element is a function of (seed, parameter name, element index) alone. Declared in arena.h.
#include <ATen/Parallel.h>

#include <cmath>
#include <numbers>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/params/arena.h"

namespace blip {

namespace {

// FNV-1a: stable over compilers and releases, unlike std::hash.
std::uint64_t name_hash(const std::string& name) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (unsigned char byte : name) hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash;
}

// (0, 1): never 0, so that its logarithm is finite
double open_unit(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

// Four standard normals for one counter (Box-Muller, two pairs).
void four_normals(std::uint64_t key, std::uint64_t counter, double out[4]) {
    const auto words = philox(key, counter);
    for (int pair = 0; pair < 2; ++pair) {
        const double radius = std::sqrt(-2.0 * std::log(open_unit(words[2 * pair])));
        const double angle = 2.0 * std::numbers::pi * open_unit(words[2 * pair + 1]);
        out[2 * pair] = radius * std::cos(angle);
        out[2 * pair + 1] = radius * std::sin(angle);
    }
}

void fill_four(const Init& init, std::uint64_t key, std::uint64_t group, double out[4]) {
    constexpr double truncation = 2.0;    // absolute, as the reference's trunc_normal_ has it
    switch (init.kind) {
        case InitKind::zeros:
        case InitKind::ones:
            for (int i = 0; i < 4; ++i) out[i] = init.kind == InitKind::ones ? 1 : 0;
            return;
        case InitKind::uniform: {
            const auto words = philox(key, group);
            for (int i = 0; i < 4; ++i) out[i] = init.scale * (2 * open_unit(words[static_cast<std::size_t>(i)]) - 1);
            return;
        }
        case InitKind::normal:
        case InitKind::truncated_normal:
            four_normals(key, group, out);
            for (int i = 0; i < 4; ++i) {
                // Redraws come from the upper half of the counters, which no element's first draw uses.
                double again[4];
                for (std::uint64_t attempt = 0;
                     init.kind == InitKind::truncated_normal && std::abs(out[i] * init.scale) > truncation; ++attempt) {
                    four_normals(key, (1ULL << 63) + group * 1024 + attempt, again);
                    out[i] = again[i];
                }
                out[i] *= init.scale;
            }
            return;
    }
}

}    // namespace

void initialise(const Arena& arena, std::uint64_t seed, const WeightSink& sink) {
    constexpr std::int64_t chunk_elements = std::int64_t{1} << 20;    // a multiple of 4: whole groups
    std::vector<float> chunk;
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        const ParamSpec& spec = arena.layout().spec(id);
        const std::uint64_t key = random_key(seed, RandomPurpose::initialisation, {name_hash(spec.name)});
        const std::int64_t count = spec.element_count();
        for (std::int64_t first = 0; first < count; first += chunk_elements) {
            const std::int64_t last = std::min(first + chunk_elements, count);
            chunk.resize(static_cast<std::size_t>(last - first));
            at::parallel_for(first / 4, (last + 3) / 4, 4096, [&](std::int64_t begin, std::int64_t end) {
                double values[4];
                for (std::int64_t group = begin; group < end; ++group) {
                    fill_four(spec.init, key, static_cast<std::uint64_t>(group), values);
                    for (std::int64_t i = 4 * group; i < std::min(4 * group + 4, last); ++i)
                        chunk[static_cast<std::size_t>(i - first)] = static_cast<float>(values[i - 4 * group]);
                }
            });
            sink(arena.offset(id) + first, chunk);
        }
    }
}

void initialise(Arena& arena, std::uint64_t seed) {
    initialise(arena, seed,
               [&](std::int64_t begin, std::span<const float> values) { arena.write_weights(begin, values); });
}

}    // namespace blip
