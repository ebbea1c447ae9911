// Keys and streams of counter-based random numbers: Philox4x32-10 (Salmon et al., 2011) from Random123.
#include "blip/base/random.h"

#include <cmath>
#include <numbers>

#include "blip/base/philox.h"

namespace blip {
namespace {

// Finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection that spreads every input bit.
std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

}    // namespace

std::uint64_t random_key(std::uint64_t seed, RandomPurpose purpose, std::initializer_list<std::uint64_t> parts) {
    // chained, so that order matters; the count goes in last, so that (a) and (a, 0) differ for certain
    std::uint64_t key = mix(mix(seed) ^ static_cast<std::uint64_t>(purpose));
    for (const std::uint64_t part : parts) key = mix(key ^ mix(part));
    return mix(key ^ parts.size());
}

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter) {
    std::array<std::uint32_t, 4> words;
    philox_words(key, counter, words.data());
    return words;
}

std::uint32_t RandomStream::next_u32() {
    if (used_ == 4) {
        words_ = philox(key_, counter_++);
        used_ = 0;
    }
    return words_[used_++];
}

std::uint64_t RandomStream::next_u64() {
    const std::uint64_t low = next_u32();
    return low | static_cast<std::uint64_t>(next_u32()) << 32;
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

// Lemire 2019: multiply and reject the few low products that would favour some values.
std::uint64_t RandomStream::below(std::uint64_t count) {
    unsigned __int128 product = static_cast<unsigned __int128>(next_u64()) * count;
    if (static_cast<std::uint64_t>(product) < count) {
        const std::uint64_t threshold = (0 - count) % count;
        while (static_cast<std::uint64_t>(product) < threshold) {
            product = static_cast<unsigned __int128>(next_u64()) * count;
        }
    }
    return static_cast<std::uint64_t>(product >> 64);
}

double RandomStream::normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));    // argument in (0, 1]
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}    // namespace blip
