// See recompute.h. Backward runs the function again under a graph of its own and lets a nested backward pass go through
// it: in the thread and on the stream in which the outer one is, since both come from the engine's thread of the
// device.
#include "blip/kernels/recompute.h"

#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <utility>

namespace blip {
namespace {

using Part = std::function<at::Tensor(const at::Tensor&)>;

// A function as autograd's context keeps it.
struct KeptPart : torch::CustomClassHolder {
    Part function;
    explicit KeptPart(Part a_function) : function(std::move(a_function)) {}
};

struct Recompute : torch::autograd::Function<Recompute> {
    // Runs without a graph (Function::apply turns gradients off).
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const Part& function) {
        context->save_for_backward({x});
        context->saved_data["part"] = c10::IValue::make_capsule(c10::make_intrusive<KeptPart>(function));
        return function(x);
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   const torch::autograd::variable_list& gradients) {
        const at::Tensor x = context->get_saved_variables().front().detach().set_requires_grad(true);
        const auto part = c10::static_intrusive_pointer_cast<KeptPart>(context->saved_data["part"].toCapsule());
        at::Tensor y;
        {
            const c10::AutoGradMode with_graph(true);
            y = part->function(x);
        }
        torch::autograd::backward({y}, {gradients.front()});
        return {x.grad(), at::Tensor()};
    }
};

}    // namespace

at::Tensor recomputed(const Part& function, const at::Tensor& x) {
    if (!c10::GradMode::is_enabled() || !x.requires_grad()) return function(x);
    return Recompute::apply(x, function);
}

}    // namespace blip
