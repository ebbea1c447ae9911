// See beam_search.h: which way of generation is taken, and the caption decoder as its model.
#include "blip/generate/beam_search.h"

#include "blip/base/error.h"
#include "blip/device/device.h"
#include "src/generate/searches.h"

namespace blip {

std::vector<Generated> generate(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                const SearchTokens& tokens, const DrawKeys& keys) {
    if (options.sample || options.num_beams == 1) return generate_one_by_one(model, prompts_BP, options, tokens, keys);
    return search_beams(model, prompts_BP, options, tokens);
}

at::Tensor NextTokenModel::alone(std::int64_t, const std::vector<std::int64_t>&) {
    throw Error(ExitCode::internal, "this model does not compute a sequence alone");
}

CaptionModel::CaptionModel(const TextDecoder& text, const Weights& weights, const at::Tensor& image_embeds_INW,
                           EmbedsAlone embeds_alone)
    : text_(text),
      weights_(weights),
      embeds_alone_(std::move(embeds_alone)),
      cache_(text.start_cache(weights, image_embeds_INW)) {}

CaptionModel::CaptionModel(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS)
    : CaptionModel(captioner.text(), weights, captioner.vision().forward(weights, images_I3SS),
                   [&captioner, &weights, images_I3SS](std::int64_t image) {
                       return captioner.vision().forward(weights, images_I3SS.narrow(0, image, 1));
                   }) {}

at::Tensor CaptionModel::logits_after(const at::Tensor& tokens_RT) {
    const at::Device device = cache_.cross_keys_IhNd.front().device();
    return text_.advance(weights_, tokens_RT.to(device), cache_).to(at::kFloat);
}

void CaptionModel::expect_length(std::int64_t longest) { cache_.room = longest; }

at::Tensor CaptionModel::start(const at::Tensor& prompts_BP) { return logits_after(prompts_BP); }

// bf16 logits are so coarse that nearly every draw would have to be repeated alone: there a batch of one is the remedy.
double CaptionModel::rounding() const {
    constexpr double fp32_sums_in_another_order = 4e-6;
    return cache_.cross_keys_IhNd.front().scalar_type() == at::kFloat ? fp32_sums_in_another_order : 0;
}

at::Tensor CaptionModel::alone(std::int64_t prompt, const std::vector<std::int64_t>& tokens) {
    const at::Tensor embeds_1NW = embeds_alone_(prompt);
    const auto length = static_cast<std::int64_t>(tokens.size());
    TextDecoder::Cache cache = text_.start_cache(weights_, embeds_1NW);
    cache.room = length;
    return text_.advance(weights_, to_device(tokens, {1, length}, embeds_1NW.device()), cache).to(at::kFloat);
}

at::Tensor CaptionModel::advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) {
    TextDecoder::reorder(cache_, parents_R.to(cache_.cross_keys_IhNd.front().device()));
    return logits_after(tokens_R.unsqueeze(1));
}

}    // namespace blip
