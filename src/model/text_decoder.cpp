// Decoder: parameters, the training pass and the vocabulary head. See text_decoder.h; generation is in
// decoder_cache.cpp.
#include "blip/model/text_decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "blip/text/wordpiece.h"
#include "src/model/fused.h"
#include "src/model/picture_attention.h"

namespace blip {

namespace {
constexpr double text_norm_eps = 1e-12;
const Init weight_init = Init::normal(0.02);

// As many tokens as padded() says, those behind of zeros.
at::Tensor with_padding(const at::Tensor& x_INW) {
    const std::int64_t missing = padded(x_INW.size(1), x_INW) - x_INW.size(1);
    return missing == 0 ? x_INW : at::constant_pad_nd(x_INW, {0, 0, 0, missing});
}
}    // namespace

TextDecoder::Attention TextDecoder::make_attention(Layout& layout, const std::string& name,
                                                   std::int64_t key_width) const {
    return Attention{Linear(layout, name + ".self.query", hidden_, hidden_, weight_init),
                     Linear(layout, name + ".self.key", key_width, hidden_, weight_init),
                     Linear(layout, name + ".self.value", key_width, hidden_, weight_init),
                     Linear(layout, name + ".output.dense", hidden_, hidden_, weight_init),
                     LayerNorm(layout, name + ".output.LayerNorm", hidden_, text_norm_eps)};
}

TextDecoder::Layer TextDecoder::make_layer(Layout& layout, const std::string& name) const {
    return Layer{make_attention(layout, name + ".attention", hidden_),
                 make_attention(layout, name + ".crossattention", vision_width_),
                 Linear(layout, name + ".intermediate.dense", hidden_, intermediate_, weight_init),
                 Linear(layout, name + ".output.dense", intermediate_, hidden_, weight_init),
                 LayerNorm(layout, name + ".output.LayerNorm", hidden_, text_norm_eps)};
}

TextDecoder::TextDecoder(Layout& layout, const ModelOptions& options)
    : hidden_(options.text_hidden),
      heads_(options.text_heads),
      intermediate_(options.text_intermediate),
      vision_width_(options.vision_width),
      word_embeddings_(layout.declare("text_decoder.bert.embeddings.word_embeddings.weight", {vocabulary_size, hidden_},
                                      weight_init)),
      position_embeddings_(layout.declare("text_decoder.bert.embeddings.position_embeddings.weight",
                                          {options.text_positions, hidden_}, weight_init)),
      embedding_norm_(layout, "text_decoder.bert.embeddings.LayerNorm", hidden_, text_norm_eps),
      layers_([&] {
          std::vector<Layer> layers;
          for (int i = 0; i < options.text_layers; ++i)
              layers.push_back(make_layer(layout, fmt::format("text_decoder.bert.encoder.layer.{}", i)));
          return layers;
      }()),
      head_(word_embeddings_, layout.declare("text_decoder.cls.predictions.bias", {vocabulary_size}, Init::zeros())),
      head_dense_(layout, "text_decoder.cls.predictions.transform.dense", hidden_, hidden_, weight_init),
      head_norm_(layout, "text_decoder.cls.predictions.transform.LayerNorm", hidden_, text_norm_eps),
      joined_(join_projections(layout, layers_)) {}

TextDecoder::Joined TextDecoder::join_projections(Layout& layout, const std::vector<Layer>& layers) {
    std::vector<Linear> self, cross;
    for (const Layer& layer : layers) {
        self.push_back(Linear::join(layout, {layer.self.query, layer.self.key, layer.self.value}));
        cross.insert(cross.end(), {layer.cross.key, layer.cross.value});
    }
    return {std::move(self), Linear::join(layout, cross)};
}

std::vector<at::Tensor> TextDecoder::cross_heads(const Weights& weights, const at::Tensor& image_embeds_INW) const {
    return parts_by_head(joined_.cross(weights, with_padding(image_embeds_INW)),
                         2 * static_cast<std::int64_t>(layers_.size()), heads_);
}

at::Tensor TextDecoder::embed(const Weights& weights, const at::Tensor& tokens_CT, std::int64_t first_position,
                              DropoutMasks& dropout) const {
    const std::int64_t length = tokens_CT.size(1);
    // padding_idx: the embedding gives row 0 no gradient; the tied head still does
    const at::Tensor words =
        at::embedding(weights[static_cast<std::size_t>(word_embeddings_)], tokens_CT, SpecialTokens::pad);
    const at::Tensor positions =
        weights[static_cast<std::size_t>(position_embeddings_)].narrow(0, first_position, length);
    return dropout.apply(embedding_norm_(weights, words + positions));
}

at::Tensor TextDecoder::attend(const at::Tensor& q_BhTd, const at::Tensor& k_BhKd, const at::Tensor& v_BhKd,
                               bool causal, DropoutMasks& dropout, std::int64_t captions,
                               std::int64_t real_keys) const {
    // Written out, in the reference's order: dropout needs the probabilities, captions are short, and the gradients
    // then differ least from the reference's. (The long sequences, the image's, go through SDPA in the vision encoder.)
    const double scale = 1 / std::sqrt(static_cast<double>(q_BhTd.size(3)));
    at::Tensor scores = at::matmul(q_BhTd, k_BhKd.transpose(2, 3));
    if (scores.is_cuda())
        return at::matmul(fused_probabilities(scores, scale, causal, dropout.next(captions), real_keys), v_BhKd);
    scores = scores * scale;
    if (causal) {
        const std::int64_t length = scores.size(3);
        const at::Tensor later = at::ones({length, length}, scores.options().dtype(at::kBool)).triu(1);
        scores = scores.masked_fill(later, -std::numeric_limits<float>::infinity());
    }
    return at::matmul(dropout.apply(at::softmax(scores, -1), captions), v_BhKd);
}

at::Tensor TextDecoder::attention_output(const Weights& weights, const Attention& attention,
                                         const at::Tensor& context_BTH, const at::Tensor& residual_BTH,
                                         DropoutMasks& dropout) const {
    return BranchEnd::dropped(weights, attention.output, context_BTH, residual_BTH, attention.norm, dropout).normed;
}

at::Tensor TextDecoder::feed_forward(const Weights& weights, const Layer& layer, const at::Tensor& x_BTH,
                                     DropoutMasks& dropout) const {
    const at::Tensor inner = gelu_of(weights, layer.intermediate, x_BTH);
    return BranchEnd::dropped(weights, layer.output, inner, x_BTH, layer.norm, dropout).normed;
}

// Products of two numbers: without keys H * W + h * N * W a query, for scores and for context; with them N * H, and
// N * W * H to make them.
bool TextDecoder::makes_keys(std::int64_t captions, std::int64_t queries, std::int64_t image_tokens) const {
    const std::int64_t of_query = vision_width_ * (hidden_ + heads_ * image_tokens) - image_tokens * hidden_;
    return captions > 1 && queries * of_query > image_tokens * vision_width_ * hidden_;
}

at::Tensor TextDecoder::forward(const Weights& weights, const at::Tensor& tokens_CT, const at::Tensor& image_embeds_INW,
                                DropoutMasks& dropout) const {
    at::Tensor x = embed(weights, tokens_CT, 0, dropout);
    const std::int64_t images = image_embeds_INW.size(0), image_tokens = image_embeds_INW.size(1);
    const std::int64_t captions = tokens_CT.size(0) / images, queries = captions * tokens_CT.size(1);
    std::optional<PictureAttention> without_keys;
    std::vector<at::Tensor> keys_and_values;
    if (makes_keys(captions, queries, image_tokens))
        keys_and_values = cross_heads(weights, image_embeds_INW);
    else
        without_keys.emplace(image_embeds_INW, joined_.cross.weight(weights), joined_.cross.bias(weights),
                             static_cast<std::int64_t>(layers_.size()), heads_);
    const auto attend_image = [&](std::size_t layer, const at::Tensor& query_CTH) {
        if (without_keys) return without_keys->attend(static_cast<std::int64_t>(layer), query_CTH, dropout);
        const at::Tensor query_IhQd = split_heads(query_CTH.view({images, queries, hidden_}), heads_);
        return merge_heads(attend(query_IhQd, keys_and_values[2 * layer], keys_and_values[2 * layer + 1], false,
                                  dropout, captions, image_tokens))
            .view(query_CTH.sizes());
    };
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const std::vector<at::Tensor> own = joined_.self[i].by_head(weights, x, 3, heads_, HeadMemory::own);
        at::Tensor context = merge_heads(attend(own[0], own[1], own[2], true, dropout));
        x = attention_output(weights, layer.self, context, x, dropout);
        context = attend_image(i, layer.cross.query(weights, x));
        x = attention_output(weights, layer.cross, context, x, dropout);
        x = feed_forward(weights, layer, x, dropout);
    }
    return x;
}

at::Tensor TextDecoder::before_head(const Weights& weights, const at::Tensor& hidden) const {
    return head_norm_(weights, gelu_of(weights, head_dense_, hidden));
}

at::Tensor TextDecoder::head(const Weights& weights, const at::Tensor& hidden) const {
    return head_(weights, before_head(weights, hidden));
}

at::Tensor TextDecoder::head_in_fp32(const Weights& weights, const at::Tensor& hidden) const {
    return head_.in_fp32(weights, before_head(weights, hidden));
}

}    // namespace blip
