// What all weight files share: stored bytes to fp32.
#include "blip/weights/weight_file.h"

#include <algorithm>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/weights/element_type.h"

namespace blip {

std::int64_t StoredTensor::element_count() const {
    std::int64_t count = 1;    // fits: every reader has checked the shape
    for (const std::int64_t extent : shape) count *= extent;
    return count;
}

const StoredTensor& WeightFile::tensor(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
        throw Error(ExitCode::bad_data, "{} has no tensor '{}'", path_.string(), printable(name));
    return found->second;
}

std::uint64_t WeightFile::stored_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, tensor] : tensors())
        bytes += static_cast<std::uint64_t>(tensor.element_count()) * element_bytes(tensor.dtype);
    return bytes;
}

void WeightFile::read(const std::string& name, const PieceSink& sink) const {
    const std::string& dtype = tensor(name).dtype;
    if (!is_floating(dtype)) {
        throw Error(ExitCode::bad_data, "{}: '{}' holds {}, which is no floating type: it is no weight",
                    path().string(), printable(name), dtype);
    }
    constexpr std::size_t elements_at_once = 64 * 1024;    // stay in the cache between conversion and use
    const std::size_t bytes_each = element_bytes(dtype);
    std::vector<float> converted;
    std::int64_t first = 0;
    read_bytes(name, [&](std::span<const std::byte> bytes) {
        const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0;
        if (dtype == "F32" && aligned) {    // nothing to convert, nothing copied
            const std::size_t count = bytes.size() / sizeof(float);
            sink(first, {reinterpret_cast<const float*>(bytes.data()), count});
            first += static_cast<std::int64_t>(count);
            return;
        }
        while (!bytes.empty()) {
            const std::size_t count = std::min(elements_at_once, bytes.size() / bytes_each);
            converted.resize(count);
            to_floats(dtype, bytes.first(count * bytes_each), converted);
            sink(first, converted);
            first += static_cast<std::int64_t>(count);
            bytes = bytes.subspan(count * bytes_each);
        }
    });
}

std::vector<float> WeightFile::read_all(const std::string& name) const {
    const StoredTensor& stored = tensor(name);
    if (!is_floating(stored.dtype)) read(name, [](std::int64_t, std::span<const float>) {});    // throws
    std::vector<float> values(static_cast<std::size_t>(stored.element_count()));
    read(name, [&](std::int64_t first, std::span<const float> piece) {
        std::copy(piece.begin(), piece.end(), values.begin() + first);
    });
    return values;
}

}    // namespace blip
