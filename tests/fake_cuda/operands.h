// The memory that each kernel's body uses, for what pretends to be a device and for tests that move it elsewhere:
// each_operand(body, see) calls see(pointer, bytes, written), where pointer is the body's own and may be replaced.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/generate/choose_kernel.h"
#include "src/kernels/kernel_list.h"

namespace blip {

// see, with values counted instead of bytes; nothing is shown of what is not there.
template <class See>
auto by_values(const See& see) {
    return [&see](auto*& pointer, std::int64_t values, bool written) {
        if (pointer != nullptr) see(pointer, static_cast<std::size_t>(values) * sizeof *pointer, written);
    };
}

template <class Value, class See>
void each_operand(DropoutBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    show(body.from, body.rows * body.width, false);
    show(body.to, body.rows * body.width, true);
}

template <class Value, class See>
void each_operand(NormForwardBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    for (const Value** read : {&body.x, &body.residual}) show(*read, body.rows * body.width, false);
    for (const Value** read : {&body.bias, &body.gamma, &body.beta}) show(*read, body.width, false);
    show(body.factors.picture_scales, body.rows / body.factors.rows_of_a_picture, false);
    for (Value** written : {&body.sum, &body.y}) show(*written, body.rows * body.width, true);
    for (float** written : {&body.mean, &body.inverse_std}) show(*written, body.rows, true);
}

template <class Value, bool drops, class See>
void each_operand(NormBackwardBody<Value, drops>& body, const See& see) {
    const auto show = by_values(see);
    const Chunks& chunks = body.chunks;
    for (const Value** read : {&body.dy, &body.dsum, &body.sum}) show(*read, chunks.rows * chunks.width, false);
    show(body.gamma, chunks.width, false);
    for (const float** read : {&body.mean, &body.inverse_std}) show(*read, chunks.rows, false);
    show(body.factors.picture_scales, chunks.rows / body.factors.rows_of_a_picture, false);
    for (Value** written : {&body.dresidual, &body.dx}) show(*written, chunks.rows * chunks.width, true);
    show(body.partial, 3 * chunks.count() * chunks.width, true);
}

template <class Value, class See>
void each_operand(ColumnSumBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    show(body.from, body.chunks.rows * body.chunks.width, false);
    show(body.partial, body.chunks.count() * body.chunks.width, true);
}

template <class Value, class See>
void each_operand(StackedHeadsBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    const std::int64_t batch = body.chunks.rows / body.tokens;
    for (int k = 0; k < body.count_of_parts; ++k) {
        auto& part = body.parts[k];
        const std::int64_t last = (batch - 1) * part.of_picture + (body.heads - 1) * part.of_head +
                                  (body.tokens - 1) * part.of_token + (body.head_width - 1) * part.of_column;
        show(part.from, last + 1, false);
    }
    show(body.to, body.chunks.rows * body.chunks.width, true);
    show(body.partial, body.chunks.count() * body.chunks.width, true);
}

template <class Value, class See>
void each_operand(BiasGeluBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    show(body.x, body.rows * body.width, false);
    show(body.bias, body.width, false);
    show(body.y, body.rows * body.width, true);
}

template <class Value, class See>
void each_operand(BiasGeluBackwardBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    const std::int64_t values = body.chunks.rows * body.chunks.width;
    for (const Value** read : {&body.dy, &body.x}) show(*read, values, false);
    show(body.bias, body.chunks.width, false);
    show(body.dx, values, true);
    show(body.partial, body.chunks.count() * body.chunks.width, true);
}

template <class See>
void each_operand(AddChunksBody& body, const See& see) {
    const auto show = by_values(see);
    show(body.partial, body.sums * body.chunks * body.width, false);
    for (int k = 0; k < body.sums; ++k) show(body.into[k], body.width, true);
}

template <class Value, class See>
void each_operand(ProbabilitiesBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    show(body.scores, body.rows * body.keys, false);
    show(body.probabilities, body.rows * body.keys, true);
    show(body.dropped, body.rows * body.keys, true);
}

template <class Value, class See>
void each_operand(ProbabilitiesBackwardBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    for (const Value** read : {&body.gradient, &body.probabilities}) show(*read, body.rows * body.keys, false);
    show(body.dscores, body.rows * body.keys, true);
}

template <class Value, class See>
void each_operand(PatchesBody<Value>& body, const See& see) {
    const auto show = by_values(see);
    const std::int64_t values = body.pictures * 3 * body.size * body.size;
    show(body.pixels, values, false);
    show(body.patches, values, true);
}

template <class See>
void each_operand(ChooseBody& body, const See& see) {
    const auto show = by_values(see);
    FinishedBeams& finished = body.finished;
    const std::int64_t rows = body.images * finished.beams, longest = finished.longest;
    for (const float** read : {&body.best_IC, &body.own_IC}) show(*read, 2 * rows, false);
    show(body.where_IC, 2 * rows, false);
    for (RunningBeams* beams : {&body.from, &body.to}) {
        const bool written = beams == &body.to;
        show(beams->tokens_RL, rows * longest, written);
        show(beams->scores_R, rows, written);
        show(beams->own_R, rows, written);
    }
    show(finished.tokens_IKL, rows * longest, true);
    for (double** scores : {&finished.scores_IK, &finished.own_IK}) show(*scores, rows, true);
    for (std::int64_t** numbers : {&finished.lengths_IK, &finished.order_IK}) show(*numbers, rows, true);
    show(finished.count_I, body.images, true);
    show(finished.powers_L, longest + 1, false);
    show(body.done_I, body.images, true);
    for (std::int64_t** numbers : {&body.next_R, &body.parents_R}) show(*numbers, rows, true);
}

}    // namespace blip
