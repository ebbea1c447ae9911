// Reading safetensors: nothing in the header is trusted. Format: https://github.com/huggingface/safetensors (README).
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/weights/safetensors.h"

namespace blip {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;    // the format's own limit

struct Dtype {
    const char* name;
    std::uint64_t bytes;
    at::ScalarType type;
};
constexpr Dtype kDtypes[] = {
    {"F64", 8, at::kDouble},
    {"F32", 4, at::kFloat},
    {"F16", 2, at::kHalf},
    {"BF16", 2, at::kBFloat16},
    {"I64", 8, at::kLong},
    {"I32", 4, at::kInt},
    {"I16", 2, at::kShort},
    {"I8", 1, at::kChar},
    {"U8", 1, at::kByte},
    {"BOOL", 1, at::kBool},
    {"U16", 2, at::kUInt16},
    {"U32", 4, at::kUInt32},
    {"U64", 8, at::kUInt64},
    {"F8_E4M3", 1, at::kFloat8_e4m3fn},
    {"F8_E5M2", 1, at::kFloat8_e5m2},
};

const Dtype* find_dtype(const std::string& name) {
    const auto* found =
        std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const Dtype& d) { return name == d.name; });
    return found == std::end(kDtypes) ? nullptr : found;
}

[[noreturn]] void bad(const fs::path& path, const std::string& what) {
    throw Error(ExitCode::bad_data, fmt::format("{} is no sound safetensors file: {}", path.string(), what));
}

struct Mapping {
    std::shared_ptr<const std::byte> bytes;
    std::uint64_t size = 0;
};

Mapping map_file(const fs::path& path) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        const ExitCode code = errno == ENOENT || errno == ENOTDIR ? ExitCode::missing_input : ExitCode::io;
        throw Error(code, fmt::format("cannot open {}: {}", path.string(), std::generic_category().message(errno)));
    }
    if (!S_ISREG(status.st_mode)) bad(path, "not a regular file");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size < 8) bad(path, fmt::format("{} bytes are too few", size));
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (memory == MAP_FAILED) {
        throw Error(ExitCode::io,
                    fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(errno)));
    }
    return {{static_cast<const std::byte*>(memory), [memory, size](const std::byte*) { ::munmap(memory, size); }},
            size};
}

// Wholly written header numbers: not negative, not fractions.
std::uint64_t whole(const json& value, const fs::path& path, const std::string& name) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
        bad(path, fmt::format("'{}' holds {} where a size belongs", name, value.dump()));
    }
    return value.get<std::uint64_t>();
}

TensorEntry parse_entry(const json& value, std::uint64_t data_bytes, const fs::path& path, const std::string& name) {
    const auto list = [&](const char* key) -> const json& {
        const auto found = value.is_object() ? value.find(key) : value.end();
        if (found == value.end() || !found->is_array()) bad(path, fmt::format("'{}' has no list '{}'", name, key));
        return *found;
    };
    TensorEntry entry;
    const json& offsets = list("data_offsets");
    const auto dtype = value.find("dtype");
    if (dtype == value.end() || !dtype->is_string()) bad(path, fmt::format("'{}' has no dtype", name));
    entry.dtype = dtype->get<std::string>();
    const Dtype* known = find_dtype(entry.dtype);
    if (known == nullptr) bad(path, fmt::format("'{}' has the unknown dtype '{}'", name, entry.dtype));
    std::uint64_t bytes = known->bytes;
    for (const json& extent : list("shape")) {
        const std::uint64_t length = whole(extent, path, name);
        if (__builtin_mul_overflow(bytes, length, &bytes))
            bad(path, fmt::format("the shape of '{}' is too large", name));
        entry.shape.push_back(static_cast<std::int64_t>(length));
    }
    if (offsets.size() != 2) bad(path, fmt::format("'{}' needs two data_offsets", name));
    entry.begin = whole(offsets[0], path, name);
    entry.end = whole(offsets[1], path, name);
    if (entry.begin > entry.end || entry.end > data_bytes) {
        bad(path, fmt::format("'{}' stands at [{}, {}) of {} data bytes (truncated?)", name, entry.begin, entry.end,
                              data_bytes));
    }
    if (entry.end - entry.begin != bytes) {
        bad(path, fmt::format("'{}' has {} bytes, its shape needs {}", name, entry.end - entry.begin, bytes));
    }
    return entry;
}

// Every data byte belongs to exactly one tensor.
void check_coverage(const std::map<std::string, TensorEntry>& entries, std::uint64_t data_bytes, const fs::path& path) {
    std::vector<std::pair<const TensorEntry*, const std::string*>> order;
    for (const auto& [name, entry] : entries) order.emplace_back(&entry, &name);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
    });
    std::uint64_t at = 0;
    for (const auto& [entry, name] : order) {
        if (entry->begin != at) {
            bad(path, fmt::format("'{}' begins at byte {}, {} {}", *name, entry->begin,
                                  entry->begin < at ? "overlapping what ends at" : "leaving a hole after", at));
        }
        at = entry->end;
    }
    if (at != data_bytes) bad(path, fmt::format("its tensors end at byte {} of {}", at, data_bytes));
}

// Parses strictly enough that a name given twice is an error, not a silent last one.
json parse_header(const char* begin, const char* end, const fs::path& path) {
    std::vector<std::map<std::string, bool>> seen;
    std::string twice;
    const auto callback = [&](int depth, json::parse_event_t event, json& value) {
        if (depth > 8) bad(path, "its header is nested too deeply");
        if (event == json::parse_event_t::object_start) seen.emplace_back();
        if (event == json::parse_event_t::object_end) seen.pop_back();
        if (event == json::parse_event_t::key && !seen.back().emplace(value.get<std::string>(), true).second) {
            twice = value.get<std::string>();
        }
        return true;
    };
    json header;
    try {
        header = json::parse(begin, end, callback);
    } catch (const json::exception& error) {
        bad(path, fmt::format("header: {}", error.what()));
    }
    if (!twice.empty()) bad(path, fmt::format("'{}' is there twice", twice));
    if (!header.is_object()) bad(path, "its header is no JSON object");
    return header;
}

}    // namespace

SafetensorsFile SafetensorsFile::open(const fs::path& path) {
    SafetensorsFile file;
    file.path_ = path;
    const Mapping mapping = map_file(path);
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, mapping.bytes.get(), 8);
    if (header_bytes > kMaxHeaderBytes || header_bytes > mapping.size - 8) {
        bad(path, fmt::format("a header of {} bytes in a file of {} (truncated?)", header_bytes, mapping.size));
    }
    const char* text = reinterpret_cast<const char*>(mapping.bytes.get()) + 8;
    const json header = parse_header(text, text + header_bytes, path);
    const std::uint64_t data_bytes = mapping.size - 8 - header_bytes;
    for (const auto& [name, value] : header.items()) {
        if (name != "__metadata__") {
            file.entries_.emplace(name, parse_entry(value, data_bytes, path, name));
            continue;
        }
        if (!value.is_object()) bad(path, "'__metadata__' is no object");
        for (const auto& [key, entry] : value.items()) {
            if (!entry.is_string()) bad(path, fmt::format("metadata '{}' is no text", key));
            file.metadata_[key] = entry.get<std::string>();
        }
    }
    check_coverage(file.entries_, data_bytes, path);
    file.mapping_ = mapping.bytes;
    file.data_ = mapping.bytes.get() + 8 + header_bytes;
    return file;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end())
        throw Error(ExitCode::bad_data, fmt::format("{} has no tensor '{}'", path_.string(), name));
    const TensorEntry& entry = found->second;
    const Dtype& dtype = *find_dtype(entry.dtype);
    const std::byte* bytes = data_ + entry.begin;
    const auto options = at::TensorOptions().dtype(dtype.type);
    if (reinterpret_cast<std::uintptr_t>(bytes) % dtype.bytes == 0) {
        // from_blob wants a pointer to change; the pages are read-only, and callers only read
        return at::from_blob(
            const_cast<std::byte*>(bytes), entry.shape, [mapping = mapping_](void*) {}, options);
    }
    // headers of other writers need not be padded: such a tensor is copied to an aligned place
    std::shared_ptr<std::byte[]> copy(new std::byte[entry.end - entry.begin]);
    std::memcpy(copy.get(), bytes, entry.end - entry.begin);
    return at::from_blob(
        copy.get(), entry.shape, [copy](void*) {}, options);
}

}    // namespace blip
