// See model.h.
#include "src/clip/model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>
#include <fmt/format.h>

namespace blip {
namespace {

// [R, W] projected, then divided by its length
at::Tensor unit_vectors(const at::Tensor& x_RW, const at::Tensor& projection_DW) {
    const at::Tensor vectors_RD = at::linear(x_RW, projection_DW);
    return vectors_RD / at::linalg_vector_norm(vectors_RD, 2, {-1}, true);
}

Linear declare_linear(Layout& layout, const std::string& name, std::int64_t in, std::int64_t out) {
    return {layout, name, in, out, Init::zeros()};
}

}    // namespace

ClipBlocks::ClipBlocks(Layout& layout, const std::string& name, const ClipTransformer& shape) : shape_(shape) {
    const std::int64_t width = shape.width;
    for (int i = 0; i < shape.depth; ++i) {
        const std::string block = fmt::format("{}.{}", name, i), attention = block + ".self_attn";
        const auto square = [&](const char* part) { return declare_linear(layout, attention + part, width, width); };
        blocks_.push_back(Block{LayerNorm(layout, block + ".layer_norm1", width, shape.norm_eps), square(".q_proj"),
                                square(".k_proj"), square(".v_proj"), square(".out_proj"),
                                LayerNorm(layout, block + ".layer_norm2", width, shape.norm_eps),
                                declare_linear(layout, block + ".mlp.fc1", width, shape.inner_width),
                                declare_linear(layout, block + ".mlp.fc2", shape.inner_width, width)});
    }
}

void ClipBlocks::join(Layout& layout) {
    for (const Block& block : blocks_) joined_.push_back(Linear::join(layout, {block.query, block.key, block.value}));
}

at::Tensor ClipBlocks::operator()(const Weights& weights, at::Tensor x_BTW, bool causal) const {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const Block& block = blocks_[i];
        const std::vector<at::Tensor> heads =
            joined_[i].by_head(weights, block.norm1(weights, x_BTW), 3, shape_.heads, HeadMemory::of_product);
        const at::Tensor context =
            at::scaled_dot_product_attention(heads[0], heads[1], heads[2], {}, /*dropout_p=*/0.0, causal);
        x_BTW = x_BTW + block.out(weights, merge_heads(context));
        at::Tensor inner = block.fc1(weights, block.norm2(weights, x_BTW));
        inner = shape_.quick_gelu ? inner * at::sigmoid(inner * 1.702) : at::gelu(inner);
        x_BTW = x_BTW + block.fc2(weights, inner);
    }
    return x_BTW;
}

ClipModel::ClipModel(const ClipConfig& config)
    : config_(config),
      class_(layout_.declare("vision_model.embeddings.class_embedding", {config.vision.width}, Init::zeros())),
      patches_(layout_.declare("vision_model.embeddings.patch_embedding.weight",
                               {config.vision.width, 3, config.patch_size, config.patch_size}, Init::zeros())),
      places_([&] {
          const std::int64_t side = config.image_size / config.patch_size;
          return layout_.declare("vision_model.embeddings.position_embedding.weight",
                                 {1 + side * side, config.vision.width}, Init::zeros());
      }()),
      // spelt so in the published weights
      before_(layout_, "vision_model.pre_layrnorm", config.vision.width, config.vision.norm_eps),
      vision_(layout_, "vision_model.encoder.layers", config.vision),
      after_(layout_, "vision_model.post_layernorm", config.vision.width, config.vision.norm_eps),
      picture_projection_(
          layout_.declare("visual_projection.weight", {config.vector_size, config.vision.width}, Init::zeros())),
      words_(layout_.declare("text_model.embeddings.token_embedding.weight", {config.words, config.text.width},
                             Init::zeros())),
      positions_(layout_.declare("text_model.embeddings.position_embedding.weight",
                                 {config.positions, config.text.width}, Init::zeros())),
      text_(layout_, "text_model.encoder.layers", config.text),
      final_(layout_, "text_model.final_layer_norm", config.text.width, config.text.norm_eps),
      text_projection_(
          layout_.declare("text_projection.weight", {config.vector_size, config.text.width}, Init::zeros())) {
    vision_.join(layout_);
    text_.join(layout_);
}

at::Tensor ClipModel::of_pictures(const Weights& weights, const at::Tensor& pixels_I3SS) const {
    const std::int64_t images = pixels_I3SS.size(0), patch = config_.patch_size, side = config_.image_size / patch;
    // A convolution whose stride is its kernel is a matrix product over patches.
    const at::Tensor patches = pixels_I3SS.view({images, 3, side, patch, side, patch})
                                   .permute({0, 2, 4, 1, 3, 5})
                                   .reshape({images, side * side, 3 * patch * patch});
    const at::Tensor embedded = at::linear(patches, view(weights, patches_).flatten(1));
    const at::Tensor first = view(weights, class_).expand({images, 1, config_.vision.width});
    const at::Tensor x_ITW = at::cat({first, embedded}, 1) + view(weights, places_);
    const at::Tensor last = vision_(weights, before_(weights, x_ITW), /*causal=*/false);
    return unit_vectors(after_(weights, last.select(1, 0)), view(weights, picture_projection_));
}

// [B]: the place of the token whose vector is the text's.
at::Tensor ClipModel::ends_of(const at::Tensor& ids_BT) const {
    if (config_.end_token == ClipConfig::by_largest_id) return ids_BT.argmax(-1);
    return (ids_BT == config_.end_token).to(at::kInt).argmax(-1);    // the first one
}

at::Tensor ClipModel::of_texts(const Weights& weights, const at::Tensor& ids_BT) const {
    const std::int64_t texts = ids_BT.size(0), tokens = ids_BT.size(1), width = config_.text.width;
    const at::Tensor x_BTW = view(weights, words_).index_select(0, ids_BT.flatten()).view({texts, tokens, width}) +
                             view(weights, positions_).narrow(0, 0, tokens);
    const at::Tensor last = text_(weights, x_BTW, /*causal=*/true);
    const at::Tensor ends = ends_of(ids_BT).view({texts, 1, 1}).expand({texts, 1, width});
    return unit_vectors(final_(weights, last.gather(1, ends).squeeze(1)), view(weights, text_projection_));
}

}    // namespace blip
