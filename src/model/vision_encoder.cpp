// ViT forward pass: see vision_encoder.h.
#include "blip/model/vision_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "blip/kernels/patches.h"

namespace blip {

namespace {

constexpr double vision_norm_eps = 1e-6;
constexpr double weight_std = 0.02;
// CLIP's pixel statistics, which the reference normalises with
constexpr std::array<float, 3> pixel_mean = {0.48145466F, 0.4578275F, 0.40821073F};
constexpr std::array<float, 3> pixel_std = {0.26862954F, 0.26130258F, 0.27577711F};

// [3, 1, 1]
at::Tensor per_channel(const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values)).view({3, 1, 1});
}

}    // namespace

VisionEncoder::Block VisionEncoder::make_block(Layout& layout, const std::string& name, std::int64_t width) {
    const Init init = Init::truncated_normal(weight_std);
    // Braced initialisation evaluates in order, so parameters are declared in order of use.
    return Block{LayerNorm(layout, name + ".norm1", width, vision_norm_eps),
                 Linear(layout, name + ".attn.qkv", width, 3 * width, init),
                 Linear(layout, name + ".attn.proj", width, width, init),
                 LayerNorm(layout, name + ".norm2", width, vision_norm_eps),
                 Linear(layout, name + ".mlp.fc1", width, 4 * width, init),
                 Linear(layout, name + ".mlp.fc2", 4 * width, width, init)};
}

VisionEncoder::VisionEncoder(Layout& layout, const ModelOptions& options)
    : width_(options.vision_width),
      heads_(options.vision_heads),
      image_size_(options.image_size),
      patch_size_(options.patch_size),
      cls_token_(layout.declare("visual_encoder.cls_token", {1, 1, width_}, Init::truncated_normal(weight_std))),
      pos_embed_(layout.declare("visual_encoder.pos_embed",
                                {1, 1 + (image_size_ / patch_size_) * (image_size_ / patch_size_), width_},
                                Init::truncated_normal(weight_std))),
      // The default start of a convolution in PyTorch: uniform within 1 / sqrt(fan-in), bias too.
      patch_embed_([&] {
          const Init init = Init::uniform(1 / std::sqrt(3.0 * options.patch_size * options.patch_size));
          const ParamId weight =
              layout.declare("visual_encoder.patch_embed.proj.weight",
                             {options.vision_width, 3, options.patch_size, options.patch_size}, init);
          return Linear(weight, layout.declare("visual_encoder.patch_embed.proj.bias", {options.vision_width}, init));
      }()),
      blocks_([&] {
          std::vector<Block> blocks;
          for (int i = 0; i < options.vision_depth; ++i)
              blocks.push_back(make_block(layout, fmt::format("visual_encoder.blocks.{}", i), options.vision_width));
          return blocks;
      }()),
      norm_(layout, "visual_encoder.norm", width_, vision_norm_eps) {}

// [I, P*P, 3*p*p], channel-major inside a patch like the convolution's weight; normalised pixels.
at::Tensor VisionEncoder::patches(const at::Tensor& images_I3SS, at::ScalarType type) const {
    if (images_I3SS.is_cuda())
        return normalised_patches(images_I3SS, static_cast<int>(patch_size_), pixel_mean, pixel_std, type);
    const std::int64_t images = images_I3SS.size(0), side = image_size_ / patch_size_;
    const at::Tensor pixels =
        images_I3SS.to(at::kFloat).div_(255).sub_(per_channel(pixel_mean)).div_(per_channel(pixel_std));
    return pixels.view({images, 3, side, patch_size_, side, patch_size_})
        .permute({0, 2, 4, 1, 3, 5})
        .reshape({images, side * side, 3 * patch_size_ * patch_size_})
        .to(type);
}

at::Tensor VisionEncoder::attention(const Weights& weights, const Block& block, const at::Tensor& x_INW) const {
    const std::vector<at::Tensor> qkv = block.qkv.by_head(weights, x_INW, 3, heads_, HeadMemory::of_product);
    const at::Tensor context = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
    return merge_heads(context);
}

TensorPair VisionEncoder::run_block(const Weights& weights, std::size_t index, const TensorPair& x_and_norm_INW,
                                    const at::Tensor& branch_scales) const {
    const Block& block = blocks_[index];
    const auto& [x_INW, normed_INW] = x_and_norm_INW;
    const auto scales_I = [&](std::size_t branch) {
        return branch_scales.defined() ? branch_scales[static_cast<std::int64_t>(2 * index + branch)] : at::Tensor();
    };
    const bool fused = normed_INW.defined();
    const at::Tensor attended = attention(weights, block, fused ? normed_INW : block.norm1(weights, x_INW));
    const BranchEnd middle = BranchEnd::scaled(weights, block.proj, attended, x_INW, &block.norm2, scales_I(0));
    const at::Tensor inner = gelu_of(weights, block.fc1, middle.normed);
    const LayerNorm& next = index + 1 < blocks_.size() ? blocks_[index + 1].norm1 : norm_;
    const BranchEnd end =
        BranchEnd::scaled(weights, block.fc2, inner, middle.sum, fused ? &next : nullptr, scales_I(1));
    return {end.sum, end.normed};
}

at::Tensor VisionEncoder::forward(const Weights& weights, const at::Tensor& images_I3SS,
                                  const at::Tensor& branch_scales, int recomputed_blocks) const {
    const auto weight = [&](ParamId id) { return weights[static_cast<std::size_t>(id)]; };
    // A convolution whose stride is its kernel is a matrix product over patches.
    at::Tensor x = patch_embed_(weights, patches(images_I3SS, weight(cls_token_).scalar_type()));
    x = at::cat({weight(cls_token_).expand({x.size(0), 1, width_}), x}, 1) + weight(pos_embed_);
    // On a GPU a block also makes the next one's first norm, in the kernel that makes the sum. On the CPU it has its
    // input alone, and so has less to keep where it is recomputed.
    TensorPair state = {x, x.is_cuda() ? blocks_.front().norm1(weights, x) : at::Tensor()};
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const auto block = [this, &weights, i, branch_scales](const TensorPair& x_and_norm_INW) {
            return run_block(weights, i, x_and_norm_INW, branch_scales);
        };
        const bool again = i + static_cast<std::size_t>(recomputed_blocks) >= blocks_.size();
        state = again ? recomputed(block, state) : block(state);
    }
    return state[1].defined() ? state[1] : norm_(weights, state[0]);
}

}    // namespace blip
