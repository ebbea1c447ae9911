// Values of any type in the context of an autograd function, from its forward to its backward pass. Used by kernels and
// model.
#pragma once

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <utility>

namespace blip {

template <class Value>
struct Kept : torch::CustomClassHolder {
    Value value;
    explicit Kept(Value a_value) : value(std::move(a_value)) {}
};

template <class Value>
void keep(torch::autograd::AutogradContext& context, const char* name, Value value) {
    context.saved_data[name] = c10::IValue::make_capsule(c10::make_intrusive<Kept<Value>>(std::move(value)));
}

// What was kept by this name, as this type.
template <class Value>
Value kept(torch::autograd::AutogradContext& context, const char* name) {
    return c10::static_intrusive_pointer_cast<Kept<Value>>(context.saved_data[name].toCapsule())->value;
}

}    // namespace blip
