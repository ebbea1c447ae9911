// See column_sums.h.
#include "blip/kernels/column_sums.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "src/kernels/add_chunks.h"

namespace blip {

void add_column_sums(const at::Tensor& rows, const at::Tensor& into) {
    const Chunks chunks = chunks_of(rows);
    const at::Tensor partial = partial_sums(rows, chunks, 1);
    with_type_of(rows, [&]<class Value>(Value) {
        run(ColumnSumBody<Value>{read_from<Value>(rows, rows.numel()), write_to<float>(partial, partial.numel()),
                                 chunks},
            rows);
    });
    add_chunks(partial, chunks, {into});
}

at::Tensor bias_gelu(const at::Tensor& x, const at::Tensor& bias) {
    const at::Tensor y = at::empty_like(x);
    const Chunks chunks = chunks_of(x);
    with_type_of(x, [&]<class Value>(Value) {
        run(BiasGeluBody<Value>{read_from<Value>(x, x.numel()), read_from<Value>(bias, chunks.width),
                                write_to<Value>(y, x.numel()), chunks.rows, chunks.width},
            x);
    });
    return y;
}

at::Tensor bias_gelu_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& bias,
                              const at::Tensor& into_bias) {
    const at::Tensor dx = at::empty_like(x);
    const Chunks chunks = chunks_of(x);
    const at::Tensor partial = partial_sums(x, chunks, 1);
    with_type_of(x, [&]<class Value>(Value) {
        run(BiasGeluBackwardBody<Value>{read_from<Value>(dy, x.numel()), read_from<Value>(x, x.numel()),
                                        read_from<Value>(bias, chunks.width), write_to<Value>(dx, x.numel()),
                                        write_to<float>(partial, partial.numel()), chunks},
            x);
    });
    add_chunks(partial, chunks, {into_bias});
    return dx;
}

namespace {

// Throws internal for parts that the kernel would read past the end of.
void check_parts(const std::vector<at::Tensor>& parts_BhTd) {
    const auto refuse = [](const std::string& what) { throw Error(ExitCode::internal, "heads to stack: {}", what); };
    if (parts_BhTd.empty() || parts_BhTd.size() > StackedHeadsBody<float>::most)
        refuse(fmt::format("{} parts, not one to {}", parts_BhTd.size(), StackedHeadsBody<float>::most));
    const at::Tensor& first = parts_BhTd.front();
    if (first.dim() != 4) refuse(fmt::format("{} dimensions", first.dim()));
    for (const at::Tensor& part : parts_BhTd)
        if (part.sizes() != first.sizes() || part.scalar_type() != first.scalar_type() ||
            part.device() != first.device())
            refuse(fmt::format("parts of sizes {} and {}, types {} and {}", fmt::join(first.sizes(), ","),
                               fmt::join(part.sizes(), ","), c10::toString(first.scalar_type()),
                               c10::toString(part.scalar_type())));
}

}    // namespace

at::Tensor stacked_heads(const std::vector<at::Tensor>& parts_BhTd, const at::Tensor& into_bias) {
    check_parts(parts_BhTd);
    const at::Tensor& first = parts_BhTd.front();
    const auto count = static_cast<std::int64_t>(parts_BhTd.size());
    const at::Tensor stacked_BTO =
        at::empty({first.size(0), first.size(2), count * first.size(1) * first.size(3)}, first.options());
    const Chunks chunks = chunks_of(stacked_BTO);
    const at::Tensor partial = partial_sums(stacked_BTO, chunks, 1);
    with_type_of(first, [&]<class Value>(Value) {
        StackedHeadsBody<Value> body{};
        for (const at::Tensor& part : parts_BhTd)
            body.parts[body.count_of_parts++] = {static_cast<const Value*>(part.const_data_ptr()), part.stride(0),
                                                 part.stride(1), part.stride(2), part.stride(3)};
        body.heads = first.size(1);
        body.tokens = first.size(2);
        body.head_width = first.size(3);
        body.to = write_to<Value>(stacked_BTO, stacked_BTO.numel());
        body.partial = write_to<float>(partial, partial.numel());
        body.chunks = chunks;
        run(body, stacked_BTO);
    });
    add_chunks(partial, chunks, {into_bias});
    return stacked_BTO;
}

}    // namespace blip
