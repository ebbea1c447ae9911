// What takes the place of the program's own CUDA code on the pretended device: GPUs that are found, and launches of
// kernels as loops over the same bodies.
#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "blip/base/gpu_presence.h"
#include "blip/image/device_transform.h"
#include "src/image/augment_kernels.h"
#include "tests/fake_cuda/fake_cuda.h"
#include "tests/fake_cuda/operands.h"
#include "tests/fake_cuda/record.h"

namespace blip {

GpuPresence find_gpus() { return {fake_cuda::device_count, ""}; }
std::string gpu_name(int index) { return "a pretended GPU " + std::to_string(index); }
int gpu_generation(int) { return 9; }
std::string gpu_problem(int, const GpuNeeds&) { return ""; }
GpuMemory gpu_memory() { return {64ULL << 30, 1ULL << 30}; }

using namespace fake_cuda;

namespace {

// What a launch would show: the memory that the body uses.
template <class Body>
void note(Body body, const char* name, void* stream) {
    std::vector<Operand> operands;
    each_operand(body, [&](const void* memory, std::size_t bytes, bool written) {
        touch(memory, bytes, written, stream_of(stream), name);
        operands.push_back(bytes_operand(bytes, written));
    });
    ran(fmt::format("blip::{}", name), std::move(operands));
}

// The same body over the host's memory.
template <class Body>
Body on_host(Body body) {
    each_operand(body, [](auto*& memory, std::size_t, bool) {
        using Pointer = std::remove_reference_t<decltype(memory)>;
        memory = static_cast<Pointer>(host_address(memory));
    });
    return body;
}

}    // namespace

template <class Body>
void launch(const Body& body, void* stream) {
    note(body, Body::name, stream);
    if (!computing()) return;
    run_on_host(on_host(body));
}

void launch_choose(const ChooseBody& body, void* stream) {
    note(body, "choice of the next tokens", stream);
    if (!computing()) return;
    const ChooseBody there = on_host(body);
    for (std::int64_t image = 0; image < body.images; ++image) there(image);
}

#define BLIP_PRETENDED(Body) template void launch(const Body&, void*)
BLIP_KERNELS(BLIP_PRETENDED);

void queue_transform(const TransformTable& table, const std::byte* device_table, const std::uint8_t* pixels,
                     std::byte* workspace, std::uint8_t* output_I3SS, void* stream) {
    const StreamKey key = stream_of(stream);
    touch(device_table, table.bytes.size(), false, key, "transform");
    touch(pixels, 1, false, key, "transform");
    touch(workspace, table.workspace_bytes, true, key, "transform");
    touch(output_I3SS, table.output_bytes(), true, key, "transform");
    ran("blip::transform", {bytes_operand(table.workspace_bytes, true), bytes_operand(table.output_bytes(), true)});
    run_transform(
        table, static_cast<const std::byte*>(host_address(device_table)),
        static_cast<const std::uint8_t*>(host_address(pixels)), static_cast<std::byte*>(host_address(workspace)),
        static_cast<std::uint8_t*>(host_address(output_I3SS)), [](const auto& body, std::int64_t count, const char*) {
            for (std::int64_t i = 0; i < count; ++i) body(i);
        });
}

}    // namespace blip
