// See torch_safetensors.h. Views of the mapped file.
#include "tests/support/torch_safetensors.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <cstring>
#include <string_view>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/weights/element_type.h"
#include "src/weights/mapped_file.h"

namespace blip {
namespace {

struct TorchType {
    std::string_view name;
    at::ScalarType type;
};
constexpr TorchType torch_types[] = {
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"I16", at::kShort},
    {"I8", at::kChar},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
    {"U16", at::kUInt16},
    {"U32", at::kUInt32},
    {"U64", at::kUInt64},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
};

at::ScalarType torch_type(std::string_view name) {
    for (const TorchType& type : torch_types)
        if (type.name == name) return type.type;
    throw Error(ExitCode::internal, fmt::format("no tensor type for the stored type {}", name));
}

}    // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
    const MappedFile mapped = MappedFile::open(path);
    SafetensorsHeader header = parse_safetensors_header(mapped.bytes(), path.string());
    SafetensorsFile file;
    file.path_ = path;
    file.mapping_ = mapped.memory();
    file.data_ = mapped.bytes().data() + header.data_begin;
    file.entries_ = std::move(header.entries);
    file.metadata_ = std::move(header.metadata);
    return file;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end())
        throw Error(ExitCode::bad_data, fmt::format("{} has no tensor '{}'", path_.string(), printable(name)));
    const TensorEntry& entry = found->second;
    const std::byte* bytes = data_ + entry.begin;
    const auto options = at::TensorOptions().dtype(torch_type(entry.dtype));
    if (reinterpret_cast<std::uintptr_t>(bytes) % element_bytes(entry.dtype) == 0) {
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
