// All kernels of this layer, once: what launches them on a GPU (kernels.cu), what refuses in a build without CUDA
// (kernels_nocuda.cpp) and the pretended device of the tests take them from here. Internal to the kernels layer.
// A body has: name; count() and operator()(index), or rows and operator()(team, row), or teams_of_a_block, blocks(),
// scratch_floats() and operator()(block, index). The memory it uses: tests/fake_cuda/operands.h.
#pragma once

#include "src/kernels/attention_kernels.h"
#include "src/kernels/column_kernels.h"
#include "src/kernels/dropout_kernel.h"
#include "src/kernels/norm_kernels.h"
#include "src/kernels/patch_kernels.h"

#define BLIP_KERNELS_OF(use, Value)        \
    use(DropoutBody<Value>);               \
    use(NormForwardBody<Value>);           \
    use(NormBackward<Value>);              \
    use(NormDropBackward<Value>);          \
    use(ColumnSumBody<Value>);             \
    use(StackedHeadsBody<Value>);          \
    use(BiasGeluBody<Value>);              \
    use(BiasGeluBackwardBody<Value>);      \
    use(ProbabilitiesBody<Value>);         \
    use(ProbabilitiesBackwardBody<Value>); \
    use(PatchesBody<Value>)
#define BLIP_KERNELS(use)        \
    BLIP_KERNELS_OF(use, float); \
    BLIP_KERNELS_OF(use, Bf16);  \
    use(AddChunksBody)

namespace blip {

template <class Body>
concept RowBody = requires(const Body& body) {
    body.rows_by_teams;
};
template <class Body>
concept BlockBody = requires(const Body& body) {
    body.teams_of_a_block;
};

// Queues the body for all its indices, or a team for each of its rows, or all its blocks, on the device's queue
// `stream`. In a build without CUDA it throws internal.
template <class Body>
void launch(const Body& body, void* stream);

// The CPU twin.
template <class Body>
void run_on_host(const Body& body) {
    if constexpr (RowBody<Body>) {
        run_rows_on_host(body);
    } else if constexpr (BlockBody<Body>) {
        run_blocks_on_host(body);
    } else {
        for (std::int64_t index = 0; index < body.count(); ++index) body(index);
    }
}

}    // namespace blip
