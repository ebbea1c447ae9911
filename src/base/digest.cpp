// See digest.h.
#include "blip/base/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

// On x86-64 the library chooses by the processor it runs on, which hashes two to three times as fast as what every
// x86-64 has; digests are the same.
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>    // behind xxhash.h, whose names it replaces
#endif

namespace blip {

struct Digest::State {
    XXH3_state_t* xxh3 = XXH3_createState();
    ~State() { XXH3_freeState(xxh3); }
};

Digest::Digest() : state_(std::make_unique<State>()) { XXH3_64bits_reset(state_->xxh3); }
Digest::~Digest() = default;

void Digest::add(std::span<const std::byte> bytes) { XXH3_64bits_update(state_->xxh3, bytes.data(), bytes.size()); }

std::uint64_t Digest::value() const { return XXH3_64bits_digest(state_->xxh3); }

std::string Digest::hex() const { return fmt::format("{:016x}", value()); }

std::uint64_t digest_value(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string digest_of(std::string_view text) { return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size())); }

}    // namespace blip
