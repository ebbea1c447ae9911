// Beam search, greedy search and sampling over any next-token model, step for step as the reference's generation code
// behaves.
// Used by the evaluator and the caption verb; tests run it over table language models.
// Legend: B images, R rows (B * beams, image-major), V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "blip/generate/sampling.h"
#include "blip/model/captioner.h"
#include "blip/options/options.h"

namespace blip {

// Gives next-token logits for growing sequences. Logits are fp32; where they are, a beam search is done, which then
// gives tokens and parents (int64) there. Greedy search and sampling decide on the CPU and give them there.
class NextTokenModel {
  public:
    virtual ~NextTokenModel() = default;
    // Told before start(): no sequence becomes longer, prompt included.
    virtual void expect_length(std::int64_t) {}
    // Logits [B, V] after the prompts [B, P].
    virtual at::Tensor start(const at::Tensor& prompts_BP) = 0;
    // Row r now continues what row parents[r] was, by one token. Logits [R, V]. The first call may widen B rows to R.
    // The search writes the next tokens and parents into the same tensors.
    virtual at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) = 0;
    // How far off, as a share of the largest, logits may be because other rows were computed with them; 0 if not at
    // all, or if alone() cannot help.
    virtual double rounding() const { return 0; }
    // Logits [1, V] after the tokens of one prompt's sequence, computed by themselves: the same bits in any batch. Only
    // asked for if rounding() is not 0.
    virtual at::Tensor alone(std::int64_t prompt, const std::vector<std::int64_t>& tokens);
};

struct Generated {
    // Prompt and generated tokens, with the end token if the sequence is shorter than max_length.
    std::vector<std::int64_t> tokens;
    // Sum of the model's own log-probabilities of the tokens after the prompt, whatever penalties and filters chose
    // them; the end token's included if it was chosen.
    double log_probability = 0;
};

struct SearchTokens {
    std::int64_t end = 102;    // [SEP]
    std::int64_t pad = 0;
};

// num_captions sequences for each prompt, prompt after prompt: with `sample` independent draws, else the best finished
// ones of the beam search, best first; at most num_beams, so a greedy search (num_beams 1) has one. Uses of the options
// all but the prompts. keys: for sampling, one picture a prompt.
std::vector<Generated> generate(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                const SearchTokens& tokens = {}, const DrawKeys& keys = {});

// The caption decoder behind that interface. Weights and decoder must outlive it.
class CaptionModel : public NextTokenModel {
  public:
    // Image embeddings as the vision encoder gives them: one run of it can serve several passes. embeds_alone: those of
    // one image [1, N, W], by its place, computed by themselves; for alone().
    using EmbedsAlone = std::function<at::Tensor(std::int64_t image)>;
    CaptionModel(const TextDecoder& text, const Weights& weights, const at::Tensor& image_embeds_INW,
                 EmbedsAlone embeds_alone);
    // Of images, uint8 [I, 3, S, S] on the weights' device.
    CaptionModel(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS);
    void expect_length(std::int64_t longest) override;
    at::Tensor start(const at::Tensor& prompts_BP) override;
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override;
    double rounding() const override;
    at::Tensor alone(std::int64_t prompt, const std::vector<std::int64_t>& tokens) override;

  private:
    at::Tensor logits_after(const at::Tensor& tokens_RT);

    const TextDecoder& text_;
    const Weights& weights_;
    EmbedsAlone embeds_alone_;
    TextDecoder::Cache cache_;
};

}    // namespace blip
