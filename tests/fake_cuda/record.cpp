// See record.h.
#include "tests/fake_cuda/record.h"

#include <ATen/SequenceNumber.h>
#include <torch/csrc/autograd/function.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "tests/fake_cuda/fake_cuda.h"

namespace blip::fake_cuda {
namespace {
std::mutex record_mutex;
std::atomic<bool> recording{false}, skipping{false};
std::vector<Operation> operations;
}    // namespace

Operand operand_of(const at::Tensor& tensor, bool written) {
    return {tensor.sizes().vec(), tensor.strides().vec(), tensor.scalar_type(), written,
            tensor.numel() > 0 ? tensor.const_data_ptr() : nullptr};
}

Operand bytes_operand(std::size_t bytes, bool written) {
    return {{static_cast<std::int64_t>(bytes)}, {1}, at::kByte, written, nullptr};
}

void begin_record(bool compute) {
    const std::lock_guard lock(record_mutex);
    operations.clear();
    skipping = !compute;
    recording = true;
}

std::vector<Operation> end_record() {
    const std::lock_guard lock(record_mutex);
    recording = skipping = false;
    return std::exchange(operations, {});
}

bool computing() { return !skipping; }

void ran(std::string name, std::vector<Operand> operands) {
    ++counts().kernels;
    if (!recording) return;
    Operation operation{std::move(name), false, at::sequence_number::peek(), std::move(operands)};
    if (const auto node = torch::autograd::get_current_node()) {
        operation.backward = true;
        operation.sequence = node->sequence_nr();
    }
    const std::lock_guard lock(record_mutex);
    operations.push_back(std::move(operation));
}

}    // namespace blip::fake_cuda
