// See rules.h.
#include "tests/fake_cuda/rules.h"

#include <ATen/Context.h>
#include <ATen/SDPBackend.h>

#include <cstdlib>
#include <string_view>

namespace blip::fake_cuda {
namespace {

bool is_product(std::string_view name) {
    for (const char* product : {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"})
        if (name == product) return true;
    return false;
}

bool is_half(at::ScalarType type) { return type == at::kBFloat16 || type == at::kHalf; }

// CUDABlas.cpp: gemm_internal_cublas refuses for half precision what only cuBLASLt can promise. addmm with a bias of
// one dimension goes through cuBLASLt (Blas.cpp, addmm_out_cuda_impl), bmm through gemmStridedBatched.
void check_split_k(std::string_view name, const std::vector<c10::IValue>& arguments) {
    const bool with_bias = name == "aten::addmm" && arguments[0].toTensor().dim() == 1;
    if ((name != "aten::mm" && name != "aten::addmm") || with_bias) return;
    const at::ScalarType type = arguments[name == "aten::mm" ? 0 : 1].toTensor().scalar_type();
    const auto reduction = type == at::kBFloat16 ? at::globalContext().allowBF16ReductionCuBLAS()
                                                 : at::globalContext().allowFP16ReductionCuBLAS();
    TORCH_CHECK(!is_half(type) || reduction != at::CuBLASReductionOption::DisallowReducedPrecisionDisallowSplitK,
                "torch.backends.cuda.matmul.allow_", type == at::kBFloat16 ? "bf16" : "fp16",
                "_reduced_precision_reduction(..., allow_splitk=False) requires the cuBLASLt backend");
}

// Context.cpp, alertCuBLASConfigNotDeterministic: called before every product.
void check_cublas_workspace() {
    if (!at::globalContext().deterministicAlgorithms()) return;
    const char* set = std::getenv("CUBLAS_WORKSPACE_CONFIG");
    const std::string_view workspace = set != nullptr ? set : "";
    TORCH_CHECK(workspace == ":4096:8" || workspace == ":16:8",
                "Deterministic behavior was enabled, but CUBLAS_WORKSPACE_CONFIG is '", workspace, "'");
}

// fused_adamw_impl.cu and ForeachUtils.h (check_fast_path_restrictions): one type for parameters, gradients and
// moments; FusedAdamKernel.cu: found_inf and the rate on the parameters' device.
void check_fused_adamw(const std::vector<c10::IValue>& arguments) {
    const at::Tensor parameter = arguments[0].toTensorVector().at(0);
    for (int list = 1; list <= 3; ++list)
        for (const at::Tensor& other : arguments[static_cast<std::size_t>(list)].toTensorVector())
            TORCH_CHECK(other.scalar_type() == parameter.scalar_type() && other.device() == parameter.device() &&
                            other.strides() == parameter.strides(),
                        "params, grads, exp_avgs, and exp_avg_sqs must have same dtype, device, and layout");
    for (const c10::IValue& argument : arguments)
        if (argument.isTensor() && argument.toTensor().defined())
            TORCH_CHECK(argument.toTensor().device() == parameter.device(),
                        "_fused_adamw_: scalars must be on the same GPU device as the params");
}

// Operators whose CUDA form calls alertNotDeterministic (native/cuda: SummaryOps.cu, Indexing.cu, Sorting.cpp,
// NLLLoss2d.cu).
void check_deterministic(std::string_view name) {
    if (!at::globalContext().deterministicAlgorithms()) return;
    for (const char* refused :
         {"aten::histc", "aten::bincount", "aten::put_", "aten::kthvalue", "aten::nll_loss2d_forward"})
        TORCH_CHECK(name != refused, name, " does not have a deterministic implementation");
}

// Reduce and cast as the CPU does is fine; but the device has no operators between different floating types here
// (Blas.cpp: expected mat1 and mat2 to have the same dtype).
void check_types(std::string_view name, const std::vector<c10::IValue>& arguments) {
    const std::size_t first = name == "aten::addmm" || name == "aten::baddbmm" ? 1 : 0;
    const at::Tensor left = arguments[first].toTensor(), right = arguments[first + 1].toTensor();
    TORCH_CHECK(left.scalar_type() == right.scalar_type(),
                "expected mat1 and mat2 to have the same dtype, but got: ", left.scalar_type(),
                " != ", right.scalar_type());
    TORCH_CHECK(at::isFloatingType(left.scalar_type()), "\"addmm_cuda\" not implemented for '", left.scalar_type(),
                "'");
}

}    // namespace

void check_rules(const std::string& name, const std::vector<c10::IValue>& arguments) {
    if (is_product(name)) {
        check_types(name, arguments);
        check_split_k(name, arguments);
        check_cublas_workspace();
    }
    if (name == "aten::_fused_adamw_") check_fused_adamw(arguments);
    check_deterministic(name);
}

int chosen_attention(const at::Tensor& query, const at::Tensor& key, double dropout) {
    at::Context& context = at::globalContext();
    const bool half = is_half(query.scalar_type()), eights = query.size(3) % 8 == 0 && query.size(3) <= 256;
    const bool last_dense = query.stride(3) == 1 && key.stride(3) == 1;
    for (const at::SDPBackend backend : context.sDPPriorityOrder()) {
        switch (backend) {
            case at::SDPBackend::cudnn_attention:
                if (context.userEnabledCuDNNSDP() && half && eights && query.size(3) <= 128 && last_dense &&
                    !context.deterministicAlgorithms())
                    return static_cast<int>(backend);
                break;
            case at::SDPBackend::flash_attention:
                if (context.userEnabledFlashSDP() && half && last_dense) return static_cast<int>(backend);
                break;
            case at::SDPBackend::efficient_attention:
                if (context.userEnabledMemEfficientSDP() && dropout == 0 && last_dense &&
                    query.size(3) % (half ? 8 : 4) == 0)
                    return static_cast<int>(backend);
                break;
            case at::SDPBackend::math:
                if (context.userEnabledMathSDP()) return static_cast<int>(backend);
                break;
            default:
                break;
        }
    }
    TORCH_CHECK(false, "No viable backend for scaled_dot_product_attention was found.");
}

}    // namespace blip::fake_cuda
