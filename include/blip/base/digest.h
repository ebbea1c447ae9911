// xxh3-64 of a stream of bytes: what tells a damaged file from a whole one. Used wherever files are written to be
// trusted later (checkpoints, weights).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace blip {

class Digest {
  public:
    Digest();
    ~Digest();
    void add(std::span<const std::byte> bytes);
    // Of everything added so far: the number, and its 16 hex digits.
    std::uint64_t value() const;
    std::string hex() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// The same digest as a number.
std::uint64_t digest_value(std::span<const std::byte> bytes);
std::string digest_of(std::string_view text);

}    // namespace blip
