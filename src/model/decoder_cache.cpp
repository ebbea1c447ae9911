// Decoding token by token with cached keys and values: the generation half of text_decoder.h.
#include <ATen/ops/cat.h>

#include "blip/base/error.h"
#include "blip/model/text_decoder.h"

namespace blip {

TextDecoder::Cache TextDecoder::start_cache(const Weights& weights, const at::Tensor& image_embeds_INW) const {
    Cache cache;
    cache.self_keys_RhTd.resize(layers_.size());
    cache.self_values_RhTd.resize(layers_.size());
    for (const Layer& layer : layers_) {
        cache.cross_keys_IhNd.push_back(split_heads(layer.cross.key(weights, image_embeds_INW), heads_).contiguous());
        cache.cross_values_IhNd.push_back(
            split_heads(layer.cross.value(weights, image_embeds_INW), heads_).contiguous());
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
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const auto heads = [&](const Linear& projection) { return split_heads(projection(weights, x), heads_); };
        at::Tensor& keys = cache.self_keys_RhTd[i];
        at::Tensor& values = cache.self_values_RhTd[i];
        keys = keys.defined() ? at::cat({keys, heads(layer.self.key)}, 2) : heads(layer.self.key).contiguous();
        values =
            values.defined() ? at::cat({values, heads(layer.self.value)}, 2) : heads(layer.self.value).contiguous();
        // A single new token sees everything before it, so only the prompt needs the causal mask.
        at::Tensor context = attend(heads(layer.self.query), keys, values, length > 1, no_dropout);
        x = attention_output(weights, layer.self, context, x, no_dropout);
        // The beams of an image become further query positions over the image's one set of keys.
        const at::Tensor query =
            layer.cross.query(weights, x).view({images, beams * length, heads_, d}).transpose(1, 2);
        context = attend(query, cache.cross_keys_IhNd[i], cache.cross_values_IhNd[i], false, no_dropout);
        context = context.transpose(1, 2).reshape({rows, length, heads_, d}).transpose(1, 2);
        x = attention_output(weights, layer.cross, context, x, no_dropout);
        x = feed_forward(weights, layer, x, no_dropout);
    }
    cache.length += length;
    return head(weights, x.select(1, length - 1));
}

void TextDecoder::reorder(Cache& cache, const at::Tensor& parents_R) {
    for (at::Tensor& keys : cache.self_keys_RhTd) keys = keys.index_select(0, parents_R);
    for (at::Tensor& values : cache.self_values_RhTd) values = values.index_select(0, parents_R);
}

}    // namespace blip
