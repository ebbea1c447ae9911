// Counter-based random numbers: every draw is a pure function of a key (what it is for) and a counter (which one),
// so results never depend on how often a generator was called before, nor on ranks or threads.
// Used by the sampler, augmentation, dropout, initialisation and make_sample. Generator: Philox4x32-10 (Random123).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

namespace blip {

// What a stream of numbers is for; part of the key, so that purposes never share numbers. Never renumber.
enum class RandomPurpose : std::uint64_t {
    shuffle = 1,
    augmentation = 2,
    dropout = 3,
    initialisation = 4,
    sampling = 6,
    sample_drawing = 7,
    drop_path = 8,
    caption_choice = 9,
    picture_augmentation = 10,
    self_critical_sampling = 11,
    bootstrap = 12,
    randomisation = 13,
};

// 64-bit key of a stream: mixes the seed, the purpose and any further numbers (epoch, sample, step, micro-batch, ...).
std::uint64_t random_key(std::uint64_t seed, RandomPurpose purpose, std::initializer_list<std::uint64_t> parts = {});

// Four uniform 32-bit words for one key and one 64-bit counter.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter);

// Sequential reader of one stream. Cheap to construct.
class RandomStream {
  public:
    explicit RandomStream(std::uint64_t key) : key_(key) {}

    std::uint32_t next_u32();
    std::uint64_t next_u64();
    // uniform in [0, 1) with 53 random bits
    double uniform();
    // uniform in [low, high)
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    // uniform integer in [0, count), count >= 1, without modulo bias
    std::uint64_t below(std::uint64_t count);
    // standard normal (Box-Muller)
    double normal();

  private:
    std::uint64_t key_;
    std::uint64_t counter_ = 0;
    std::array<std::uint32_t, 4> words_{};
    int used_ = 4;
};

}    // namespace blip
