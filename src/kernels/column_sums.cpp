// See column_sums.h and bias_gelu.h. Legend: C chunks of rows.
#include "blip/kernels/column_sums.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "blip/kernels/bias_gelu.h"
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

}    // namespace blip
