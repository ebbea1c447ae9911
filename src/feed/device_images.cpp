// See device_images.h.
#include "src/feed/device_images.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "blip/base/error.h"
#include "blip/device/device.h"

namespace blip {

namespace {

// Keeps the tensor whose memory a batch's pixels are.
struct TensorOwner {
    at::Tensor tensor;
    void operator()(std::uint8_t*) const {}
};

std::uint8_t* bytes_of(const at::Tensor& tensor) { return static_cast<std::uint8_t*>(tensor.mutable_data_ptr()); }

// Makes buffer hold so many bytes, whatever is in it.
void make_room(at::Tensor& buffer, std::size_t bytes, c10::Device device) {
    if (buffer.defined() && static_cast<std::size_t>(buffer.numel()) >= bytes) return;
    const std::size_t with_spare = bytes + bytes / 4;    // the next batch may be a little larger
    buffer = at::Tensor();                               // before its successor is made
    buffer = at::empty({static_cast<std::int64_t>(std::max<std::size_t>(with_spare, 1))},
                       at::TensorOptions().dtype(at::kByte).device(device));
}

}    // namespace

PixelAllocator staging_pixels(c10::Device device) {
    return [device](std::size_t bytes) {
        // In a loader's thread, which would otherwise speak to the first GPU of the machine.
        use_device(device);
        const auto count = static_cast<std::int64_t>(std::max<std::size_t>(bytes, 1));
        at::Tensor tensor = staging_tensor({count}, at::kByte, device);
        std::uint8_t* memory = bytes_of(tensor);
        return std::shared_ptr<std::uint8_t[]>(memory, TensorOwner{std::move(tensor)});
    };
}

at::Tensor DeviceImages::transform(Batch& batch) {
    const auto* owner = std::get_deleter<TensorOwner>(batch.pixels);
    if (owner == nullptr) throw Error(ExitCode::internal, "a batch's pixels do not lie in staging memory");
    const TransformTable table(batch.pictures_I, batch.image_size);
    const auto pixel_bytes = static_cast<std::int64_t>(batch.pixel_bytes);
    make_room(pixels_, batch.pixel_bytes, device_);
    make_room(workspace_, table.workspace_bytes, device_);
    pixels_.narrow(0, 0, pixel_bytes).copy_(owner->tensor.narrow(0, 0, pixel_bytes), /*non_blocking=*/true);

    const auto table_bytes = static_cast<std::int64_t>(table.bytes.size());
    const at::Tensor host_table = staging_tensor({table_bytes}, at::kByte, device_);
    std::copy_n(table.bytes.data(), table.bytes.size(), reinterpret_cast<std::byte*>(bytes_of(host_table)));
    const at::Tensor device_table = to_device(host_table, device_);

    at::Tensor images_I3SS =
        at::empty({static_cast<std::int64_t>(batch.pictures_I.size()), 3, batch.image_size, batch.image_size},
                  at::TensorOptions().dtype(at::kByte).device(device_));
    transform_(table, reinterpret_cast<const std::byte*>(bytes_of(device_table)), bytes_of(pixels_),
               reinterpret_cast<std::byte*>(bytes_of(workspace_)), bytes_of(images_I3SS), compute_stream(device_));
    batch.pixels.reset();
    batch.pictures_I.clear();
    return images_I3SS;
}

}    // namespace blip
