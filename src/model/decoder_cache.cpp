// Decoding token by token with cached keys and values: the generation half of text_decoder.h.
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <utility>

#include "blip/base/error.h"
#include "blip/model/text_decoder.h"

namespace blip {

TextDecoder::Cache TextDecoder::start_cache(const Weights& weights, const at::Tensor& image_embeds_INW) const {
    Cache cache;
    cache.image_tokens = image_embeds_INW.size(1);
    const std::vector<at::Tensor> of_pictures = cross_heads(weights, image_embeds_INW);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        cache.cross_keys_IhNd.push_back(of_pictures[2 * i]);
        cache.cross_values_IhNd.push_back(of_pictures[2 * i + 1]);
    }
    return cache;
}

at::Tensor TextDecoder::advance(const Weights& weights, const at::Tensor& tokens_RT, Cache& cache) const {
    const std::int64_t rows = tokens_RT.size(0), length = tokens_RT.size(1);
    const std::int64_t images = cache.cross_keys_IhNd.front().size(0), beams = rows / images, d = hidden_ / heads_;
    if (cache.length > 0 && length != 1)
        throw Error(ExitCode::internal, "the decoder cache takes one token at a time after the prompt");
    DropoutMasks no_dropout = DropoutMasks::none();
    at::Tensor x = embed(weights, tokens_RT, cache.length, no_dropout);
    if (!cache.self_TPRH.defined()) {
        if (cache.room == 0) cache.room = weights[static_cast<std::size_t>(position_embeddings_)].size(0);
        const auto places = static_cast<std::int64_t>(2 * layers_.size());
        cache.self_TPRH = at::empty({cache.room, places, rows, hidden_}, x.options());
    }
    const std::int64_t seen = cache.length + length;
    if (seen > cache.self_TPRH.size(0)) throw Error(ExitCode::internal, "the decoder cache is full");
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const auto append = [&](const Linear& projection, std::size_t place) {
            const at::Tensor held_TRH = cache.self_TPRH.select(1, static_cast<std::int64_t>(place)).narrow(0, 0, seen);
            held_TRH.narrow(0, cache.length, length).copy_(projection(weights, x).transpose(0, 1));
            return held_TRH.view({seen, rows, heads_, d}).permute({1, 2, 0, 3});
        };
        const at::Tensor keys_RhTd = append(layer.self.key, 2 * i), values_RhTd = append(layer.self.value, 2 * i + 1);
        // A single new token sees everything before it, so only the prompt needs the causal mask.
        at::Tensor context =
            attend(split_heads(layer.self.query(weights, x), heads_), keys_RhTd, values_RhTd, length > 1, no_dropout);
        x = attention_output(weights, layer.self, merge_heads(context), x, no_dropout);
        // The beams of an image become further query positions over the image's one set of keys.
        const at::Tensor query =
            layer.cross.query(weights, x).view({images, beams * length, heads_, d}).transpose(1, 2);
        context = attend(query, cache.cross_keys_IhNd[i], cache.cross_values_IhNd[i], false, no_dropout, 1,
                         cache.image_tokens);
        x = attention_output(weights, layer.cross, merge_heads(context).view({rows, length, hidden_}), x, no_dropout);
        x = feed_forward(weights, layer, x, no_dropout);
    }
    cache.length = seen;
    return head(weights, x.select(1, length - 1));
}

void TextDecoder::reorder(Cache& cache, const at::Tensor& parents_R) {
    const at::Tensor& held = cache.self_TPRH;
    if (!cache.spare_TPRH.defined() || cache.spare_TPRH.size(2) != parents_R.size(0)) {
        cache.spare_TPRH.reset();    // the prompts', of fewer rows
        cache.spare_TPRH = at::empty({held.size(0), held.size(1), parents_R.size(0), held.size(3)}, held.options());
    }
    at::Tensor filled = cache.spare_TPRH.narrow(0, 0, cache.length);
    at::index_select_out(filled, held.narrow(0, 0, cache.length), 2, parents_R);
    std::swap(cache.self_TPRH, cache.spare_TPRH);
}

}    // namespace blip
