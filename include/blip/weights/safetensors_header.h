// The header of a safetensors file, from bytes in memory to a checked table. Free of LibTorch. Used by safetensors.h
// and weight_file.h; fuzzed by tests/faults/fuzz.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace blip {

struct TensorEntry {
    std::string dtype;    // "F32", "I64", "U8", ...
    std::vector<std::int64_t> shape;
    std::uint64_t begin = 0, end = 0;    // bytes within the data part
};

struct SafetensorsHeader {
    std::map<std::string, TensorEntry> entries;
    std::map<std::string, std::string> metadata;
    std::uint64_t data_begin = 0;    // where the data part begins in the file
};

// Of everything that a header says but the digest itself, in whatever way it is written: stands in the metadata of
// files of ours under this name.
inline constexpr const char* kHeaderDigestName = "header_xxh3";
std::string header_digest(const SafetensorsHeader& header);

// file_bytes: the whole file. Nothing of it is trusted: every entry has a known dtype, a shape whose size fits, and
// bytes of that size within the data part; every data byte belongs to exactly one entry; no name is there twice; a
// digest of the header fits. Throws bad_data naming the file and the entry.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file_bytes, const std::string& file);

}    // namespace blip
