// Every operator of the pretended device: a boxed fallback for LibTorch's dispatch key CUDA. See fake_cuda.h.
#include "tests/fake_cuda/operators.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include <cstring>
#include <utility>

#include "tests/fake_cuda/copies.h"
#include "tests/fake_cuda/order.h"
#include "tests/fake_cuda/record.h"
#include "tests/fake_cuda/rules.h"
#include "tests/fake_cuda/shapes.h"

namespace blip::fake_cuda {

void touch(const at::Tensor& tensor, bool written, const char* what) {
    if (!tensor.defined() || !tensor.is_cuda() || tensor.numel() == 0) return;
    std::size_t last = 0;
    for (std::int64_t d = 0; d < tensor.dim(); ++d)
        last += static_cast<std::size_t>((tensor.size(d) - 1) * tensor.stride(d));
    touch(tensor.unsafeGetTensorImpl()->data(), (last + 1) * tensor.element_size(), written, current_stream(), what);
}

at::Tensor on_host(const at::Tensor& tensor) {
    const auto options = at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU);
    if (tensor.numel() == 0) return at::empty_strided(tensor.sizes(), tensor.strides(), options);
    at::Tensor alias = at::from_blob(host_address(tensor.unsafeGetTensorImpl()->mutable_data()), tensor.sizes(),
                                     tensor.strides(), options);
    if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) alias.unsafeGetTensorImpl()->set_wrapped_number(true);
    return alias;
}

at::Tensor empty_on_device(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type,
                           c10::DeviceIndex device) {
    const c10::DeviceGuard guard(c10::Device(c10::kCUDA, device));
    return at::detail::empty_strided_generic(sizes, strides, device_allocator(),
                                             c10::DispatchKeySet(c10::DispatchKey::CUDA), type);
}

at::Tensor on_device(const at::Tensor& host, c10::DeviceIndex device, const char* what) {
    if (!host.defined() || !host.is_cpu()) return host;
    at::Tensor made = empty_on_device(host.sizes(), host.strides(), host.scalar_type(), device);
    touch(made, true, what);
    if (made.numel() > 0 && computing()) on_host(made).copy_(host);
    return made;
}

namespace {

// Everything that runs here is below autograd.
class Call {
  public:
    Call(const c10::OperatorHandle& op, torch::jit::Stack& stack)
        : op_(op),
          name_(op.schema().name() + (op.schema().overload_name().empty() ? "" : "." + op.schema().overload_name())),
          stack_(stack),
          arguments_(stack.end() - static_cast<long>(op.schema().arguments().size()), stack.end()) {}

    void run() {
        ask_device();
        check_rules(op_.schema().name(), arguments_);
        for (std::size_t i = 0; i < arguments_.size(); ++i) argument(i) = to_host(i);
        TORCH_CHECK(!host_tensor_ || device_ < 0, op_.schema().name(), " has tensors of the host and of a GPU");
        if (device_ < 0) device_ = static_cast<c10::DeviceIndex>(current_device());
        const c10::DeviceGuard on_its_device(c10::Device(c10::kCUDA, device_));    // as LibTorch's CUDA operators do
        for (std::size_t i = 0; i < arguments_.size(); ++i) use(i);
        for (const char* reader : {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"})
            if (op_.schema().name() == reader) host_waits_for_stream(reader);
        if (!computing() && writes_only_arguments()) {
            stack_.resize(stack_.size() - arguments_.size() + returns().size());
        } else if (computing() || !results_without_values(op_.schema().name(), arguments_.size(), stack_)) {
            op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack_);
        }
        for (std::size_t i = 0; i < returns().size(); ++i) finish(i);
        ran(name_, std::move(operands_));
    }

  private:
    const std::vector<c10::Argument>& returns() const { return op_.schema().returns(); }
    const c10::AliasInfo* alias(std::size_t i) const { return op_.schema().arguments()[i].alias_info(); }
    bool written(std::size_t i) const { return alias(i) != nullptr && alias(i)->isWrite(); }
    c10::IValue& argument(std::size_t i) { return stack_[stack_.size() - arguments_.size() + i]; }

    at::Tensor to_host(const at::Tensor& tensor) {
        if (!tensor.defined()) return tensor;
        if (tensor.is_cuda()) {
            TORCH_CHECK(device_ < 0 || device_ == tensor.device().index(),
                        "Expected all tensors to be on the same "
                        "device, but ",
                        op_.schema().name(), " has those of two GPUs");
            device_ = tensor.device().index();
            return on_host(tensor);
        }
        if (tensor.dim() > 0) host_tensor_ = true;    // a host's scalar is copied into the kernel's arguments
        return tensor;
    }
    c10::IValue to_host(std::size_t i) {
        const c10::IValue& value = arguments_[i];
        if (value.isTensor()) return to_host(value.toTensor());
        if (value.isTensorList()) {
            std::vector<at::Tensor> list;
            for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(to_host(tensor));
            return c10::IValue(list);
        }
        if (value.isOptionalTensorList()) {
            c10::List<std::optional<at::Tensor>> list;
            for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
                list.push_back(tensor ? std::optional(to_host(*tensor)) : tensor);
            return c10::IValue(list);
        }
        if (value.isDevice() && value.toDevice().is_cuda()) {
            device_ = value.toDevice().index();
            return c10::Device(c10::kCPU);
        }
        return value;
    }
    void use(std::size_t i) {
        const auto one = [&](const at::Tensor& tensor) {
            touch(tensor, written(i), op_.schema().name().c_str());
            if (tensor.defined()) operands_.push_back(operand_of(tensor, written(i)));
        };
        const c10::IValue& value = arguments_[i];
        if (value.isTensor()) one(value.toTensor());
        if (value.isTensorList())
            for (const at::Tensor& tensor : value.toTensorVector()) one(tensor);
        if (value.isOptionalTensorList())
            for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
                if (tensor) one(*tensor);
    }
    bool writes_only_arguments() const {
        for (const c10::Argument& result : returns())
            if (result.alias_info() == nullptr || !result.alias_info()->isWrite()) return false;
        return true;
    }
    // Results that are arguments become those again; new ones move to the device.
    void finish(std::size_t i) {
        c10::IValue& value = stack_[stack_.size() - returns().size() + i];
        const c10::AliasInfo* of_result = returns()[i].alias_info();
        if (of_result != nullptr && of_result->isWrite()) {
            for (std::size_t a = 0; a < arguments_.size(); ++a) {
                if (alias(a) == nullptr || *alias(a) != *of_result) continue;
                TORCH_CHECK(
                    !computing() || !value.isTensor() || value.toTensor().sizes() == arguments_[a].toTensor().sizes(),
                    op_.schema().name(), " resized its result");
                value = arguments_[a];
            }
            return;
        }
        TORCH_CHECK(of_result == nullptr || !value.isTensor(), op_.schema().name(), " makes a view");
        const auto moved = [&](const at::Tensor& tensor) {
            at::Tensor made = on_device(tensor, device_, op_.schema().name().c_str());
            if (made.defined()) operands_.push_back(operand_of(made, true));
            return made;
        };
        if (value.isTensor()) {
            value = moved(value.toTensor());
        } else if (value.isTensorList()) {
            std::vector<at::Tensor> list;
            for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(moved(tensor));
            value = c10::IValue(list);
        }
    }

    const c10::OperatorHandle& op_;
    std::string name_;
    torch::jit::Stack& stack_;
    std::vector<c10::IValue> arguments_;
    std::vector<Operand> operands_;
    c10::DeviceIndex device_ = -1;
    bool host_tensor_ = false;
};

}    // namespace

void run_on_host_kernel(const c10::OperatorHandle& op, torch::jit::Stack* stack) { Call(op, *stack).run(); }

namespace {

c10::DeviceIndex index_of(std::optional<c10::Device> device) {
    return device && device->has_index() ? device->index() : static_cast<c10::DeviceIndex>(current_device());
}

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                 std::optional<c10::Device> device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
    const c10::DeviceGuard guard(c10::Device(c10::kCUDA, index_of(device)));
    return at::detail::empty_generic(size, device_allocator(), c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                     c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> type,
                         std::optional<at::Layout>, std::optional<c10::Device> device, std::optional<bool>) {
    const c10::DeviceGuard guard(c10::Device(c10::kCUDA, index_of(device)));
    return at::detail::empty_strided_generic(size, stride, device_allocator(),
                                             c10::DispatchKeySet(c10::DispatchKey::CUDA), c10::dtype_or_default(type));
}

at::Tensor& copy_(at::Tensor& to, const at::Tensor& from, bool non_blocking) {
    const bool up = to.is_cuda() && from.is_cpu(), down = to.is_cpu() && from.is_cuda();
    const c10::DeviceGuard guard(to.is_cuda() ? to.device() : from.device());
    const char* what = up ? "copy to the device" : down ? "copy to the host" : "copy on the device";
    touch(from, false, what);
    touch(to, true, what);
    const at::Tensor source = from.is_cuda() ? on_host(from) : from;
    at::Tensor target = to.is_cuda() ? on_host(to) : to;
    const void* of_host = up ? from.const_data_ptr() : down ? to.const_data_ptr() : nullptr;
    const bool plain = to.scalar_type() == from.scalar_type() && to.is_contiguous() && from.is_contiguous();
    const bool later = non_blocking && plain && (up || down) && is_page_locked(of_host);
    ran(what, {operand_of(from, false), operand_of(to, true)});
    if ((up || down) && !later) host_waits_for_stream(what);
    if (down && later) {
        copy_to_host_later(to.mutable_data_ptr(), source.const_data_ptr(), source.nbytes());
        return to;
    }
    if (up && later) copied_from_host(of_host, source.nbytes());
    if (computing()) target.copy_(source);
    return to;
}

void record_stream(at::Tensor& tensor, c10::Stream stream) {
    static const bool left_out = planted("no_record");
    if (!left_out) use_recorded(tensor.unsafeGetTensorImpl()->data(), stream_of(stream));
}

at::Tensor view(const at::Tensor& tensor, c10::IntArrayRef size) { return at::native::view(tensor, size); }
at::Tensor as_strided(const at::Tensor& tensor, c10::IntArrayRef size, c10::IntArrayRef stride,
                      std::optional<int64_t> offset) {
    return at::native::as_strided_tensorimpl(tensor, size, stride, offset);
}
at::Tensor reshape_alias(const at::Tensor& tensor, c10::IntArrayRef size, c10::IntArrayRef stride) {
    return at::native::_reshape_alias(tensor, size, stride);
}

// A boxed call cannot give back a pair of references.
std::tuple<at::Tensor, at::Tensor> topk(const at::Tensor& tensor, int64_t k, int64_t dim, bool largest, bool sorted) {
    touch(tensor, false, "aten::topk");
    const auto [values, places] = at::topk(on_host(tensor), k, dim, largest, sorted);
    const auto device = tensor.device().index();
    const at::Tensor values_there = on_device(values, device, "aten::topk"),
                     places_there = on_device(places, device, "aten::topk");
    ran("aten::topk", {operand_of(tensor, false), operand_of(values_there, true), operand_of(places_there, true)});
    return {values_there, places_there};
}

TORCH_LIBRARY_IMPL(_, CUDA, library) {
    library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host_kernel>());
}
TORCH_LIBRARY_IMPL(aten, CUDA, library) {
    library.impl("empty.memory_format", TORCH_FN(empty));
    library.impl("empty_strided", TORCH_FN(empty_strided));
    library.impl("copy_", TORCH_FN(copy_));
    library.impl("record_stream", TORCH_FN(record_stream));
    library.impl("topk", TORCH_FN(topk));
    library.impl("view", TORCH_FN(view));
    library.impl("as_strided", TORCH_FN(as_strided));
    library.impl("_reshape_alias", TORCH_FN(reshape_alias));
    // One kernel on a GPU; without this line it would be composed of others.
    library.impl("native_layer_norm", torch::CppFunction::makeFromBoxedFunction<&run_on_host_kernel>());
}

}    // namespace
}    // namespace blip::fake_cuda
