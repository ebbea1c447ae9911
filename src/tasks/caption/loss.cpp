// See loss.h.
#include "blip/tasks/caption/loss.h"

#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/index_select.h>

#include "blip/device/device.h"

namespace blip {

TrainedTokens trained_tokens(const std::vector<std::int64_t>& tokens_CT, const std::vector<std::int64_t>& lengths_C,
                             int prompt_length) {
    TrainedTokens trained;
    const auto captions = static_cast<std::int64_t>(lengths_C.size());
    const std::int64_t width = captions == 0 ? 0 : static_cast<std::int64_t>(tokens_CT.size()) / captions;
    for (std::int64_t c = 0; c < captions; ++c) {
        for (std::int64_t t = 1; t < lengths_C[static_cast<std::size_t>(c)]; ++t) {
            const std::int64_t token = tokens_CT[static_cast<std::size_t>(c * width + t)];
            if (!is_trained(token, t, prompt_length)) continue;
            trained.positions.push_back(c * width + t - 1);
            trained.targets.push_back(token);
        }
    }
    return trained;
}

at::Tensor caption_loss(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS,
                        const at::Tensor& tokens_CT, const TrainedTokens& trained, double label_smoothing,
                        DropoutMasks& dropout, const at::Tensor& branch_scales, int recomputed_blocks) {
    const c10::Device device = images_I3SS.device();
    const auto index = [&](const std::vector<std::int64_t>& values) {
        return to_device(values, {static_cast<std::int64_t>(values.size())}, device);
    };
    const at::Tensor image_embeds = captioner.vision().forward(weights, images_I3SS, branch_scales, recomputed_blocks);
    const at::Tensor hidden_CTH = captioner.text().forward(weights, tokens_CT, image_embeds, dropout);
    const at::Tensor at_trained = hidden_CTH.view({-1, hidden_CTH.size(2)}).index_select(0, index(trained.positions));
    // The softmax over 30,524 words is taken in fp32 whatever the network computes in.
    const at::Tensor logits = captioner.text().head_in_fp32(weights, at_trained);
    // An empty mean would be NaN; an empty sum is 0.
    const auto reduction = trained.targets.empty() ? at::Reduction::Sum : at::Reduction::Mean;
    return at::cross_entropy_loss(logits, index(trained.targets), {}, reduction, -100, label_smoothing);
}

}    // namespace blip
