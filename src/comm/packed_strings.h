// Strings of all ranks end to end, as MPI gathers them. Internal to mpi_communicator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace blip {

// sizes: bytes of each rank's string; their sum must fit an int.
struct PackedStrings {
    std::vector<int> counts, offsets;
    std::string bytes;

    explicit PackedStrings(const std::vector<std::uint64_t>& sizes) {
        int end = 0;
        for (const std::uint64_t size : sizes) {
            counts.push_back(static_cast<int>(size));
            offsets.push_back(end);
            end += static_cast<int>(size);
        }
        bytes.resize(static_cast<std::size_t>(end));
    }
    std::vector<std::string> split() const {
        std::vector<std::string> parts;
        for (std::size_t r = 0; r < counts.size(); ++r) {
            parts.push_back(bytes.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(counts[r])));
        }
        return parts;
    }
};

}    // namespace blip
