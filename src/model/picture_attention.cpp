// See picture_attention.h. The bias is a further column of the weights, and each token of a picture has a one there.
// Gradients of the pictures come from all layers' products at once: what is multiplied is gathered until the last layer
// is done, so that they are summed in the product and rounded once. Legend: h heads, d = H/h, Q = T * h queries of a
// caption, A tokens of a picture and B its width, both with what is added to them; captions lie picture by picture.
#include "src/model/picture_attention.h"

#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "blip/kernels/attention_probabilities.h"
#include "blip/kernels/kept.h"
#include "src/model/leaf_gradient.h"

namespace blip {

std::int64_t padded(std::int64_t size, const at::Tensor& x) {
    const std::int64_t multiple = x.is_cuda() ? 8 : 1;
    return (size + multiple - 1) / multiple * multiple;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// [..., W] with a one behind, then zeros.
at::Tensor with_one(const at::Tensor& x_INW) {
    const std::int64_t tokens = x_INW.size(1), width = x_INW.size(2);
    at::Tensor y = at::zeros({x_INW.size(0), padded(tokens, x_INW), padded(width + 1, x_INW)}, x_INW.options());
    const at::Tensor real = y.narrow(1, 0, tokens);
    real.narrow(2, 0, width).copy_(x_INW);
    real.select(2, width).fill_(1);
    return y;
}

// [R, W] with the bias behind, then zeros.
at::Tensor with_bias(const at::Tensor& weight_RW, const at::Tensor& bias_R) {
    const std::int64_t width = weight_RW.size(1);
    at::Tensor y = at::zeros({weight_RW.size(0), padded(width + 1, weight_RW)}, weight_RW.options());
    y.narrow(1, 0, width).copy_(weight_RW);
    y.select(1, width).copy_(bias_R);
    return y;
}

// [C, T * h, x] or [C, T, h * x] -> [h, C * T, x], a view
at::Tensor by_head(const at::Tensor& rows, std::int64_t heads, std::int64_t width) {
    return rows.view({-1, heads, width}).transpose(0, 1);
}

}    // namespace

struct PictureAttention::State {
    at::Tensor pictures_IAB, weight_PhdB;
    std::int64_t layers = 0, heads = 0, tokens = 0;    // tokens: of a picture
    // For backward: what each part's gradient of the pictures is a product of, and the weights' gradient in fp32.
    at::Tensor of_pictures_CPQA, of_queries_CPQB, weight_gradient_PhdB;

    std::int64_t width() const { return pictures_IAB.size(2); }
    // Rows of all captions of a picture, [C, ..., x] as [I, rows, x]: a view.
    at::Tensor by_picture(const at::Tensor& rows) const { return rows.view({pictures_IAB.size(0), -1, rows.size(-1)}); }
    // [C, Q, B] times the caption's picture, [C, Q, A]; and [C, Q, A] -> [C, Q, B].
    at::Tensor times_picture_transposed(const at::Tensor& rows_CQB) const {
        return at::bmm(by_picture(rows_CQB), pictures_IAB.transpose(1, 2))
            .view({rows_CQB.size(0), rows_CQB.size(1), pictures_IAB.size(1)});
    }
    at::Tensor times_picture(const at::Tensor& rows_CQA) const {
        return at::bmm(by_picture(rows_CQA), pictures_IAB).view({rows_CQA.size(0), rows_CQA.size(1), width()});
    }
    void make_room(std::int64_t captions, std::int64_t queries) {
        if (of_pictures_CPQA.defined()) return;
        const std::int64_t parts = 2 * layers;
        of_pictures_CPQA = at::empty({captions, parts, queries, pictures_IAB.size(1)}, pictures_IAB.options());
        of_queries_CPQB = at::empty({captions, parts, queries, width()}, pictures_IAB.options());
    }
    // Row-wise: [C, T, h * d] times the part's weights, [C, Q, B].
    at::Tensor times_weight(const at::Tensor& rows_CTH, std::int64_t part) const {
        const std::int64_t d = weight_PhdB.size(2);
        at::Tensor y = at::empty({rows_CTH.size(0), rows_CTH.size(1) * heads, width()}, rows_CTH.options());
        at::Tensor into = by_head(y, heads, width());
        at::bmm_out(into, by_head(rows_CTH, heads, d), weight_PhdB[part]);
        return y;
    }
    // And back: [C, Q, B] -> [C, T, h * d]
    at::Tensor times_weight_transposed(const at::Tensor& rows_CQB, std::int64_t part) const {
        const std::int64_t d = weight_PhdB.size(2);
        at::Tensor y = at::empty({rows_CQB.size(0), rows_CQB.size(1) / heads, heads * d}, rows_CQB.options());
        at::Tensor into = by_head(y, heads, d);
        at::bmm_out(into, by_head(rows_CQB, heads, width()), weight_PhdB[part].transpose(1, 2));
        return y;
    }
    void set_weight_gradient(std::int64_t part, const at::Tensor& narrow_CTH, const at::Tensor& wide_CQB) {
        const at::Tensor left = by_head(narrow_CTH, heads, weight_PhdB.size(2)).transpose(1, 2);
        const at::Tensor right = by_head(wide_CQB, heads, width());
        if (!weight_gradient_PhdB.defined())
            weight_gradient_PhdB = at::empty(weight_PhdB.sizes(), weight_PhdB.options().dtype(at::kFloat));
        at::Tensor into = weight_gradient_PhdB[part];
        if (left.scalar_type() == into.scalar_type()) {
            at::bmm_out(into, left, right);
        } else if (left.is_cuda()) {
            at::bmm_out(into, left, right, at::kFloat);
        } else {
            into.copy_(at::bmm(left, right));
        }
    }
    double scale() const { return 1 / std::sqrt(static_cast<double>(weight_PhdB.size(2))); }
};

namespace {

using State = PictureAttention::State;

AttentionProbabilities probabilities_of(at::Tensor& scores_CQA, const State& state, const DropoutDraw& draw) {
    if (scores_CQA.is_cuda()) return attention_probabilities(scores_CQA, state.scale(), false, draw, state.tokens);
    AttentionProbabilities made{at::softmax(scores_CQA.mul_(state.scale()), -1), {}};
    made.dropped = draw.probability > 0 ? dropped(made.whole, draw) : made.whole;
    return made;
}

at::Tensor gradient_of_scores(const at::Tensor& gradient_CQA, const at::Tensor& whole_CQA, const State& state,
                              const DropoutDraw& draw) {
    if (whole_CQA.is_cuda())
        return attention_probabilities_backward(gradient_CQA, whole_CQA, state.scale(), draw, state.tokens);
    const at::Tensor of_whole = draw.probability > 0 ? dropped(gradient_CQA, draw) : gradient_CQA;
    return at::_softmax_backward_data(of_whole, whole_CQA, -1, whole_CQA.scalar_type()).mul_(state.scale());
}

struct Attended {
    at::Tensor context_CTH, shifted_CQB, probabilities_CQA, dropped_CQA, gathered_CQB;
};
// shifted: queries times Wk. gathered: sums of the picture's tokens, weighted by the probabilities.
Attended attended(const State& state, std::int64_t layer, const at::Tensor& query_CTH, const DropoutDraw& draw) {
    Attended made;
    made.shifted_CQB = state.times_weight(query_CTH, 2 * layer);
    at::Tensor scores_CQA = state.times_picture_transposed(made.shifted_CQB);
    const AttentionProbabilities probabilities = probabilities_of(scores_CQA, state, draw);
    made.probabilities_CQA = probabilities.whole;
    made.dropped_CQA = probabilities.dropped;
    made.gathered_CQB = state.times_picture(made.dropped_CQA);
    made.context_CTH = state.times_weight_transposed(made.gathered_CQB, 2 * layer + 1);
    return made;
}

// Its backward pass comes after those of all layers, which leave their parts in the state.
struct Pictures : torch::autograd::Function<Pictures> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& pictures_INW, const at::Tensor& weight,
                              const at::Tensor& bias, const std::shared_ptr<State>& state) {
        context->set_materialize_grads(false);
        context->save_for_backward({weight, bias});
        keep(*context, "state", state);
        context->saved_data["width"] = pictures_INW.size(2);
        return at::empty({0}, pictures_INW.options());
    }
    static variable_list backward(AutogradContext* context, const variable_list&) {
        const std::shared_ptr<State> state = kept<std::shared_ptr<State>>(*context, "state");
        const std::int64_t width = context->saved_data["width"].toInt();
        const variable_list leaves = context->get_saved_variables();
        at::Tensor of_pictures;
        if (context->needs_input_grad(0)) {
            const at::Tensor gradient_IAB = at::bmm(state->by_picture(state->of_pictures_CPQA).transpose(1, 2),
                                                    state->by_picture(state->of_queries_CPQB));
            of_pictures = gradient_IAB.narrow(1, 0, state->tokens).narrow(2, 0, width).contiguous();
        }
        const at::Tensor of_weights = state->weight_gradient_PhdB.flatten(0, 2);
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            if (!leaves[i].requires_grad()) continue;
            const at::Tensor sum = gradient_to_add_to(leaves[i]);
            sum.add_(i == 0 ? of_weights.narrow(1, 0, width).view_as(sum) : of_weights.select(1, width));
        }
        *state = State();    // the rest of backward needs the memory
        return {of_pictures, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

struct Attend : torch::autograd::Function<Attend> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& query_CTH, const at::Tensor&,
                              const std::shared_ptr<State>& state, std::int64_t layer, const DropoutDraw& draw) {
        const Attended made = attended(*state, layer, query_CTH, draw);
        state->make_room(made.shifted_CQB.size(0), made.shifted_CQB.size(1));
        state->of_queries_CPQB.select(1, 2 * layer).copy_(made.shifted_CQB);
        state->of_pictures_CPQA.select(1, 2 * layer + 1).copy_(made.dropped_CQA);
        context->save_for_backward({query_CTH, made.probabilities_CQA, made.gathered_CQB});
        context->saved_data["layer"] = layer;
        keep(*context, "state", state);
        keep(*context, "draw", draw);
        return made.context_CTH;
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const std::shared_ptr<State> state = kept<std::shared_ptr<State>>(*context, "state");
        const std::int64_t key = 2 * context->saved_data["layer"].toInt(), value = key + 1;
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &query_CTH = saved[0], &whole_CQA = saved[1], &gathered_CQB = saved[2];
        const at::Tensor of_context_CTH = gradients[0].contiguous();
        state->set_weight_gradient(value, of_context_CTH, gathered_CQB);
        const at::Tensor of_gathered_CQB = state->times_weight(of_context_CTH, value);
        state->of_queries_CPQB.select(1, value).copy_(of_gathered_CQB);
        const at::Tensor of_scores_CQA = gradient_of_scores(state->times_picture_transposed(of_gathered_CQB), whole_CQA,
                                                            *state, kept<DropoutDraw>(*context, "draw"));
        state->of_pictures_CPQA.select(1, key).copy_(of_scores_CQA);
        const at::Tensor of_shifted_CQB = state->times_picture(of_scores_CQA);
        state->set_weight_gradient(key, query_CTH, of_shifted_CQB);
        return {state->times_weight_transposed(of_shifted_CQB, key), at::Tensor(), at::Tensor(), at::Tensor(),
                at::Tensor()};
    }
};

}    // namespace

PictureAttention::PictureAttention(const at::Tensor& pictures_INW, const at::Tensor& weight_PHW,
                                   const at::Tensor& bias_PH, std::int64_t layers, std::int64_t heads)
    : state_(std::make_shared<State>()) {
    const at::Tensor weight_RW = weight_PHW.detach().view({-1, pictures_INW.size(2)});
    const at::Tensor weight_RB = with_bias(weight_RW, bias_PH.detach().view(-1));
    state_->pictures_IAB = with_one(pictures_INW.detach());
    state_->weight_PhdB = weight_RB.view({2 * layers, heads, -1, weight_RB.size(1)});
    state_->layers = layers;
    state_->heads = heads;
    state_->tokens = pictures_INW.size(1);
    if (wants_gradient(pictures_INW) || wants_gradient(weight_PHW))
        in_graph_ = Pictures::apply(pictures_INW, weight_PHW, bias_PH, state_);
}

at::Tensor PictureAttention::attend(std::int64_t layer, const at::Tensor& query_CTH, DropoutMasks& dropout) const {
    if (in_graph_.defined()) return Attend::apply(query_CTH, in_graph_, state_, layer, dropout.next());
    return attended(*state_, layer, query_CTH, dropout.next()).context_CTH;
}

}    // namespace blip
