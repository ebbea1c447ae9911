// See recompute.h. Backward runs the function again under a graph of its own and lets a nested backward pass go through
// it: in the thread and on the stream in which the outer one is, since both come from the engine's thread of the
// device.
#include "blip/kernels/recompute.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <optional>

#include "blip/kernels/kept.h"

namespace blip {
namespace {

using Part = std::function<TensorPair(const TensorPair&)>;

struct Recompute : torch::autograd::Function<Recompute> {
    // Runs without a graph (Function::apply turns gradients off). The second input and output may be undefined.
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                                                  const std::optional<at::Tensor>& second_in, const Part& function) {
        const at::Tensor second = second_in.value_or(at::Tensor());
        context->set_materialize_grads(false);
        context->save_for_backward({x, second});
        keep(*context, "part", function);
        const TensorPair y = function({x, second});
        return y[1].defined() ? torch::autograd::variable_list{y[0], y[1]} : torch::autograd::variable_list{y[0]};
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   const torch::autograd::variable_list& gradients) {
        const torch::autograd::variable_list saved = context->get_saved_variables();
        TensorPair x;
        for (std::size_t i = 0; i < x.size(); ++i)
            if (saved[i].defined()) x[i] = saved[i].detach().set_requires_grad(true);
        TensorPair y;
        {
            const c10::AutoGradMode with_graph(true);
            y = kept<Part>(*context, "part")(x);
        }
        torch::autograd::variable_list outputs, of_outputs;
        for (std::size_t i = 0; i < gradients.size(); ++i) {
            if (!gradients[i].defined()) continue;    // an output that nothing used
            outputs.push_back(y[i]);
            of_outputs.push_back(gradients[i]);
        }
        y = {};
        torch::autograd::backward(outputs, of_outputs);
        return {x[0].grad(), x[1].defined() ? x[1].grad() : at::Tensor(), at::Tensor()};
    }
};

}    // namespace

TensorPair recomputed(const Part& function, const TensorPair& x) {
    if (!c10::GradMode::is_enabled() || !x[0].requires_grad()) return function(x);
    const std::optional<at::Tensor> second = x[1].defined() ? std::optional(x[1]) : std::nullopt;
    const torch::autograd::variable_list y = Recompute::apply(x[0], second, function);
    return {y[0], y.size() > 1 ? y[1] : at::Tensor()};
}

at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& function, const at::Tensor& x) {
    const Part of_one = [function](const TensorPair& in) { return TensorPair{function(in[0]), at::Tensor()}; };
    return recomputed(of_one, TensorPair{x, at::Tensor()})[0];
}

}    // namespace blip
