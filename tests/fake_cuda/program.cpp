// What takes the place of the program's own CUDA code on the pretended device: GPUs that are found, and launches of
// kernels as loops over the same bodies.
#include <cstddef>

#include "blip/base/gpu_presence.h"
#include "blip/image/device_transform.h"
#include "src/image/augment_kernels.h"
#include "src/kernels/dropout_kernel.h"
#include "tests/fake_cuda/fake_cuda.h"
#include "tests/fake_cuda/record.h"

namespace blip {

GpuPresence find_gpus() { return {fake_cuda::device_count, ""}; }
std::string gpu_name(int index) { return "a pretended GPU " + std::to_string(index); }
int gpu_generation(int) { return 0; }
GpuMemory gpu_memory() { return {}; }

namespace {

using namespace fake_cuda;

template <class Value>
void drop(DropoutBody<Value> body, void* stream) {
    const std::size_t bytes = static_cast<std::size_t>(body.count) * sizeof(Value);
    touch(body.from, bytes, false, stream_of(stream), "dropout");
    touch(body.to, bytes, true, stream_of(stream), "dropout");
    ran("blip::dropout", {bytes_operand(bytes, false), bytes_operand(bytes, true)});
    if (!computing()) return;
    body.from = static_cast<const Value*>(host_address(body.from));
    body.to = static_cast<Value*>(host_address(body.to));
    for (std::int64_t group = 0; group < (body.count + 3) / 4; ++group) body(group);
}

}    // namespace

void launch_dropout(const DropoutBody<float>& body, void* stream) { drop(body, stream); }
void launch_dropout(const DropoutBody<Bf16>& body, void* stream) { drop(body, stream); }

void queue_transform(const TransformTable& table, const std::byte* device_table, const std::uint8_t* pixels,
                     std::byte* workspace, std::uint8_t* output_I3SS, void* stream) {
    const StreamKey key = stream_of(stream);
    touch(device_table, table.bytes().size(), false, key, "transform");
    touch(pixels, 1, false, key, "transform");
    touch(workspace, table.workspace_bytes(), true, key, "transform");
    touch(output_I3SS, table.output_bytes(), true, key, "transform");
    ran("blip::transform", {bytes_operand(table.workspace_bytes(), true), bytes_operand(table.output_bytes(), true)});
    run_transform(
        table.layout(), static_cast<const std::byte*>(host_address(device_table)),
        static_cast<const std::uint8_t*>(host_address(pixels)), static_cast<std::byte*>(host_address(workspace)),
        static_cast<std::uint8_t*>(host_address(output_I3SS)), [](const auto& body, std::int64_t count, const char*) {
            for (std::int64_t i = 0; i < count; ++i) body(i);
        });
}

}    // namespace blip
