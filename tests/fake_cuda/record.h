// What runs on the pretended device, operator by operator, with shapes: what the roofline is made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace blip::fake_cuda {

struct Operand {
    std::vector<std::int64_t> sizes, strides;    // in elements
    at::ScalarType type = at::kByte;
    bool written = false;    // an output, or written in place
    // Where it lies on the device; null where only bytes are known.
    const void* memory = nullptr;
};

struct Operation {
    std::string name;    // "aten::addmm.out", "blip::dropout", "copy to host" ...
    bool backward = false;
    // forward: autograd's next sequence number; backward: that of the forward operator that this is the gradient of
    // (the largest number there is for what adds gradients up).
    std::uint64_t sequence = 0;
    std::vector<Operand> operands;
};

Operand operand_of(const at::Tensor& tensor, bool written);
Operand bytes_operand(std::size_t bytes, bool written);

// From now on, until end_record. compute false: neither the results of operators that write into given tensors, nor
// those of the program's own kernels, nor those of what costs most besides (shapes.h) are computed: shapes do without,
// and a network of full size takes seconds.
void begin_record(bool compute);
std::vector<Operation> end_record();

// Internal to the pretended device.
bool computing();
void ran(std::string name, std::vector<Operand> operands);

}    // namespace blip::fake_cuda
