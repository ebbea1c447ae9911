// Writing safetensors: header padded with spaces to 8 bytes, tensors ordered by element size and name, each byte hashed
// as it goes to disk. Used by checkpoint shards and model weights.

#include <algorithm>
#include <span>
#include <utility>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/weights/safetensors.h"
#include "blip/weights/safetensors_header.h"

namespace blip {
namespace {

using nlohmann::json;

const char* dtype_name(const NamedTensor& named) {
    static constexpr std::pair<at::ScalarType, const char*> names[] = {
        {at::kDouble, "F64"}, {at::kFloat, "F32"}, {at::kHalf, "F16"}, {at::kBFloat16, "BF16"}, {at::kLong, "I64"},
        {at::kInt, "I32"},    {at::kShort, "I16"}, {at::kChar, "I8"},  {at::kByte, "U8"},       {at::kBool, "BOOL"}};
    for (const auto& [type, name] : names)
        if (type == named.tensor.scalar_type()) return name;
    throw Error(ExitCode::internal, "tensor '{}' has a dtype that is not written", named.name);
}

std::string make_header(const std::vector<const NamedTensor*>& order,
                        const std::map<std::string, std::string>& metadata) {
    json header = json::object();
    SafetensorsHeader facts;
    facts.metadata = metadata;
    std::uint64_t at = 0;
    for (const NamedTensor* named : order) {
        const std::uint64_t end = at + named->tensor.nbytes();
        json& entry = header[named->name];
        if (!entry.is_null() || named->name == "__metadata__") {
            throw Error(ExitCode::internal, "tensor '{}' is written twice", named->name);
        }
        const std::vector<std::int64_t> shape = named->tensor.sizes().vec();
        entry = {{"dtype", dtype_name(*named)}, {"shape", shape}, {"data_offsets", {at, end}}};
        facts.entries[named->name] = {dtype_name(*named), shape, at, end};
        at = end;
    }
    if (!metadata.empty()) {
        header["__metadata__"] = metadata;
        header["__metadata__"][kHeaderDigestName] = header_digest(facts);
    }
    std::string text = to_line(header);
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
}

}    // namespace

std::pair<std::uint64_t, std::string> write_safetensors(const std::filesystem::path& path,
                                                        const std::vector<NamedTensor>& tensors,
                                                        const std::map<std::string, std::string>& metadata,
                                                        const WriteObserver& on_written) {
    std::vector<const NamedTensor*> order;
    for (const NamedTensor& named : tensors) {
        if (!named.tensor.is_contiguous() || !named.tensor.is_cpu()) {
            throw Error(ExitCode::internal, "tensor '{}' is not contiguous host memory", named.name);
        }
        order.push_back(&named);
    }
    // larger elements first: every tensor stands aligned to its element size
    std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
        if (a->tensor.element_size() != b->tensor.element_size())
            return a->tensor.element_size() > b->tensor.element_size();
        return a->name < b->name;
    });
    const std::string header = make_header(order, metadata);
    const std::uint64_t header_bytes = header.size();
    DurableFile file(path);
    Digest digest;
    const auto put = [&](std::span<const std::byte> bytes) {
        constexpr std::size_t kPart = std::size_t{1}
                                      << 20;    // hashed while it is in the cache for the copy to the kernel
        while (!bytes.empty()) {
            const auto part = bytes.first(std::min(kPart, bytes.size()));
            digest.add(part);
            file.write(part);
            if (on_written) on_written(part.size());
            bytes = bytes.subspan(part.size());
        }
    };
    put(std::as_bytes(std::span(&header_bytes, 1)));
    put(std::as_bytes(std::span(header)));
    for (const NamedTensor* named : order) {
        put({static_cast<const std::byte*>(named->tensor.const_data_ptr()), named->tensor.nbytes()});
    }
    const std::uint64_t written = file.written_bytes();
    file.commit();
    return {written, digest.hex()};
}

}    // namespace blip
