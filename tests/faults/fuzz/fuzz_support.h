// What the fuzzers share: an input is either refused, in words, or read whole, and what is read is what was promised.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <span>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/weights/element_type.h"
#include "blip/weights/weight_file.h"

namespace blip::fuzz {

// libFuzzer keeps an input that aborts.
inline void require(bool holds) {
    if (!holds) std::abort();
}

// Runs body; it may refuse the input, but only with these codes and in words that a terminal can show.
template <class Body>
void read_or_refuse(Body body, std::initializer_list<ExitCode> codes = {ExitCode::bad_data}) {
    try {
        body();
    } catch (const Error& error) {
        require(std::find(codes.begin(), codes.end(), error.code()) != codes.end());
        require(printable_message(error.what()) == error.what());
    }
}

// Reads every tensor of at most a million elements; each must give all of its bytes, or be refused.
inline void read_all_tensors(const WeightFile& file) {
    for (const auto& [name, stored] : file.tensors()) {
        const std::int64_t count = stored.element_count();
        require(count >= 0);
        if (count > 1'000'000) continue;
        read_or_refuse([&, &name = name, &stored = stored] {
            std::uint64_t bytes = 0;
            unsigned sum = 0;
            file.read_bytes(name, [&](std::span<const std::byte> piece) {
                bytes += piece.size();
                for (const std::byte byte : piece) sum += std::to_integer<unsigned>(byte);
            });
            require(bytes == static_cast<std::uint64_t>(count) * element_bytes(stored.dtype));
            if (is_floating(stored.dtype)) require(file.read_all(name).size() == static_cast<std::size_t>(count));
        });
    }
}

}    // namespace blip::fuzz
