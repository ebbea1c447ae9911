// See digest.h.
#include "blip/base/digest.h"

#include <fmt/format.h>

#include "blip/base/xxh3.h"

namespace blip {

struct Digest::State {
    XXH3_state_t* xxh3 = XXH3_createState();
    ~State() { XXH3_freeState(xxh3); }
};

Digest::Digest() : state_(std::make_unique<State>()) { XXH3_64bits_reset(state_->xxh3); }
Digest::~Digest() = default;

void Digest::add(std::span<const std::byte> bytes) { XXH3_64bits_update(state_->xxh3, bytes.data(), bytes.size()); }

std::string Digest::hex() const { return fmt::format("{:016x}", XXH3_64bits_digest(state_->xxh3)); }

std::uint64_t digest_value(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string digest_of(std::string_view text) { return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size())); }

}    // namespace blip
