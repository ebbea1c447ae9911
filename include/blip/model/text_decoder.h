// BERT as a causal decoder with cross-attention to image tokens and a tied vocabulary head (reference BLIP, med.py's
// shape): post-LayerNorm, eps 1e-12, exact GELU. Training runs whole captions; generation runs one token at a time on a
// cache. Legend: C captions, T tokens, I images, N image tokens, W vision width, H hidden, h heads, d = H/h, V
// vocabulary, R rows in generation (I * beams, image-major).
#pragma once

#include <optional>
#include <vector>

#include "blip/kernels/dropout.h"
#include "blip/model/layers.h"
#include "blip/options/options.h"

namespace blip {

class TextDecoder {
  public:
    TextDecoder(Layout& layout, const ModelOptions& options);

    // Hidden states [C, T, H]. tokens: int64 [C, T], right-padded (a causal mask alone is then exact for real tokens).
    // Captions are further queries over the one set of tokens of their image: as many for each image, image by image
    // (caption c belongs to image c * I / C).
    at::Tensor forward(const Weights& weights, const at::Tensor& tokens_CT, const at::Tensor& image_embeds_INW,
                       DropoutMasks& dropout) const;
    // Whether forward makes keys and values of an image of so many tokens for so many captions with so many tokens in
    // all: where there are several, and that is less work than attention without (src/model/picture_attention.h).
    bool makes_keys(std::int64_t captions, std::int64_t queries, std::int64_t image_tokens) const;
    // Vocabulary logits [..., V] of hidden states [..., H].
    at::Tensor head(const Weights& weights, const at::Tensor& hidden) const;
    // The same in fp32: what the loss needs, whatever the network computes in.
    at::Tensor head_in_fp32(const Weights& weights, const at::Tensor& hidden) const;

    // Keys and values of what was decoded so far, and of the images (once per image, shared by its beams).
    struct Cache {
        // Keys and values of every layer, one after the other: P = 2 * layers. The first `length` of all positions are
        // filled; they stand outermost, so that they are one piece of memory, each row's heads too. `spare` is where
        // reorder() writes.
        at::Tensor self_TPRH, spare_TPRH;
        std::vector<at::Tensor> cross_keys_IhNd, cross_values_IhNd;
        std::int64_t image_tokens = 0;    // of a picture; on a GPU N is filled up to a multiple of 8
        std::int64_t length = 0;
        std::int64_t room = 0;    // positions that there will be at most; 0: as many as the decoder has
    };
    Cache start_cache(const Weights& weights, const at::Tensor& image_embeds_INW) const;
    // Appends tokens [R, T] to the cache and returns the logits [R, V] after the last of them. R = I * beams, where
    // beams may grow from 1 after the prompt by reorder().
    at::Tensor advance(const Weights& weights, const at::Tensor& tokens_RT, Cache& cache) const;
    // Row r of the cache becomes what row parents[r] was; changes the number of rows to parents' length.
    static void reorder(Cache& cache, const at::Tensor& parents_R);

  private:
    struct Attention {
        Linear query, key, value, output;
        LayerNorm norm;
    };
    struct Layer {
        Attention self, cross;
        Linear intermediate, output;
        LayerNorm norm;
    };
    // Over the parameters of layers_: what is multiplied with one input is one product.
    struct Joined {
        std::vector<Linear> self;    // query, key and value of each layer
        Linear cross;                // of pictures: key and value of the first layer, of the second, ...
    };
    static Joined join_projections(Layout& layout, const std::vector<Layer>& layers);
    // Keys and values of the pictures: [2 * layers] of [I, h, N, d], the keys of layer i at 2 * i, its
    // values behind. On a GPU tokens fill N up, whose keys are not real.
    std::vector<at::Tensor> cross_heads(const Weights& weights, const at::Tensor& image_embeds_INW) const;
    Attention make_attention(Layout& layout, const std::string& name, std::int64_t key_width) const;
    Layer make_layer(Layout& layout, const std::string& name) const;
    at::Tensor before_head(const Weights& weights, const at::Tensor& hidden) const;
    at::Tensor embed(const Weights& weights, const at::Tensor& tokens_CT, std::int64_t first_position,
                     DropoutMasks& dropout) const;
    // captions: so many side by side in each row of q. real_keys: the first so many are, 0: all; others on a GPU only.
    at::Tensor attend(const at::Tensor& q_BhTd, const at::Tensor& k_BhKd, const at::Tensor& v_BhKd, bool causal,
                      DropoutMasks& dropout, std::int64_t captions = 1, std::int64_t real_keys = 0) const;
    at::Tensor attention_output(const Weights& weights, const Attention& attention, const at::Tensor& context_BTH,
                                const at::Tensor& residual_BTH, DropoutMasks& dropout) const;
    at::Tensor feed_forward(const Weights& weights, const Layer& layer, const at::Tensor& x_BTH,
                            DropoutMasks& dropout) const;

    std::int64_t hidden_, heads_, intermediate_, vision_width_;
    ParamId word_embeddings_, position_embeddings_;
    LayerNorm embedding_norm_;
    std::vector<Layer> layers_;
    Linear head_;    // its weight is the word embeddings'
    Linear head_dense_;
    LayerNorm head_norm_;
    Joined joined_;
};

}    // namespace blip
