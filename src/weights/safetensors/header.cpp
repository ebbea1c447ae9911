// See safetensors_header.h. Format: https://github.com/huggingface/safetensors (README).
#include "blip/weights/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "blip/base/digest.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/printable.h"
#include "blip/weights/element_type.h"

namespace blip {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;    // the format's own limit
// Of the JSON within, which takes many times its bytes in memory: enough for 100,000 tensors.
constexpr std::size_t kMaxHeaderValues = 2'000'000;

[[noreturn]] void bad(const std::string& file, const std::string& what) {
    throw Error(ExitCode::bad_data, "{} is no sound safetensors file: {}", file, what);
}

// Wholly written header numbers: not negative, not fractions.
std::uint64_t whole(const json& value, const std::string& file, const std::string& name) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
        bad(file, fmt::format("'{}' holds {} where a size belongs", printable(name), printable(value.dump())));
    }
    return value.get<std::uint64_t>();
}

TensorEntry parse_entry(const json& value, std::uint64_t data_bytes, const std::string& file, const std::string& name) {
    const std::string shown = printable(name);
    const auto list = [&](const char* key) -> const json& {
        const auto found = value.is_object() ? value.find(key) : value.end();
        if (found == value.end() || !found->is_array()) bad(file, fmt::format("'{}' has no list '{}'", shown, key));
        return *found;
    };
    TensorEntry entry;
    const json& offsets = list("data_offsets");
    const auto dtype = value.find("dtype");
    if (dtype == value.end() || !dtype->is_string()) bad(file, fmt::format("'{}' has no dtype", shown));
    entry.dtype = dtype->get<std::string>();
    if (element_bytes(entry.dtype) == 0) {
        bad(file, fmt::format("'{}' has the unknown dtype '{}'", shown, printable(entry.dtype)));
    }
    for (const json& extent : list("shape"))
        entry.shape.push_back(static_cast<std::int64_t>(whole(extent, file, name)));
    std::uint64_t bytes = 0;
    if (!size_of_shape(entry.shape, element_bytes(entry.dtype), bytes)) {
        bad(file, fmt::format("the shape of '{}' is too large", shown));
    }
    if (offsets.size() != 2) bad(file, fmt::format("'{}' needs two data_offsets", shown));
    entry.begin = whole(offsets[0], file, name);
    entry.end = whole(offsets[1], file, name);
    if (entry.begin > entry.end || entry.end > data_bytes) {
        bad(file, fmt::format("'{}' stands at [{}, {}) of {} data bytes (truncated?)", shown, entry.begin, entry.end,
                              data_bytes));
    }
    if (entry.end - entry.begin != bytes) {
        bad(file, fmt::format("'{}' has {} bytes, its shape needs {}", shown, entry.end - entry.begin, bytes));
    }
    return entry;
}

// Every data byte belongs to exactly one tensor.
void check_coverage(const std::map<std::string, TensorEntry>& entries, std::uint64_t data_bytes,
                    const std::string& file) {
    std::vector<std::pair<const TensorEntry*, const std::string*>> order;
    for (const auto& [name, entry] : entries) order.emplace_back(&entry, &name);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
    });
    std::uint64_t at = 0;
    for (const auto& [entry, name] : order) {
        if (entry->begin != at) {
            bad(file, fmt::format("'{}' begins at byte {}, {} {}", printable(*name), entry->begin,
                                  entry->begin < at ? "overlapping what ends at" : "leaving a hole after", at));
        }
        at = entry->end;
    }
    if (at != data_bytes) bad(file, fmt::format("its tensors end at byte {} of {}", at, data_bytes));
}

}    // namespace

std::string header_digest(const SafetensorsHeader& header) {
    Digest digest;
    const auto number = [&](std::uint64_t value) { digest.add(std::as_bytes(std::span(&value, 1))); };
    const auto text = [&](const std::string& value) {
        number(value.size());
        digest.add(std::as_bytes(std::span(value)));
    };
    for (const auto& [name, entry] : header.entries) {
        text(name);
        text(entry.dtype);
        number(entry.shape.size());
        for (const std::int64_t extent : entry.shape) number(static_cast<std::uint64_t>(extent));
        number(entry.begin);
        number(entry.end);
    }
    for (const auto& [key, value] : header.metadata) {
        if (key == kHeaderDigestName) continue;
        text(key);
        text(value);
    }
    return digest.hex();
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file_bytes, const std::string& file) {
    if (file_bytes.size() < 8) bad(file, fmt::format("{} bytes are too few", file_bytes.size()));
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, file_bytes.data(), 8);
    if (header_bytes > kMaxHeaderBytes || header_bytes > file_bytes.size() - 8) {
        bad(file, fmt::format("a header of {} bytes in a file of {} (truncated?)", header_bytes, file_bytes.size()));
    }
    const json parsed = parse_strictly({reinterpret_cast<const char*>(file_bytes.data()) + 8, header_bytes},
                                       file + " is no sound safetensors file: its header", 8, kMaxHeaderValues);
    if (!parsed.is_object()) bad(file, "its header is no JSON object");
    SafetensorsHeader header;
    header.data_begin = 8 + header_bytes;
    const std::uint64_t data_bytes = file_bytes.size() - header.data_begin;
    for (const auto& [name, value] : parsed.items()) {
        if (name != "__metadata__") {
            header.entries.emplace(name, parse_entry(value, data_bytes, file, name));
            continue;
        }
        if (!value.is_object()) bad(file, "'__metadata__' is no object");
        for (const auto& [key, entry] : value.items()) {
            if (!entry.is_string()) bad(file, fmt::format("metadata '{}' is no text", printable(key)));
            header.metadata[key] = entry.get<std::string>();
        }
    }
    check_coverage(header.entries, data_bytes, file);
    const auto digest = header.metadata.find(kHeaderDigestName);
    if (digest != header.metadata.end() && digest->second != header_digest(header))
        bad(file, "its header does not fit its digest: it is damaged or was edited");
    return header;
}

}    // namespace blip
