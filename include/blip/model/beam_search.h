// Beam search and greedy search over any next-token model, step for step as the reference's generation code behaves.
// Used by the evaluator and the caption verb; tests run it over table language models.
// Legend: B images, R rows (B * beams, image-major), V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "blip/model/captioner.h"
#include "blip/options/options.h"

namespace blip {

// Gives next-token logits for growing sequences. Tokens and parents are int64 on the CPU, where the search decides;
// logits are fp32 and may be on another device, which then does all that concerns the whole vocabulary.
class NextTokenModel {
  public:
    virtual ~NextTokenModel() = default;
    // Logits [B, V] after the prompts [B, P].
    virtual at::Tensor start(const at::Tensor& prompts_BP) = 0;
    // Row r now continues what row parents[r] was, by one token. Logits [R, V]. The first call may widen B rows to R.
    virtual at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) = 0;
};

struct Generated {
    // Prompt and generated tokens, with the end token if the sequence is shorter than max_length.
    std::vector<std::int64_t> tokens;
    // Sum of the log-probabilities of the tokens after the prompt (after penalties), end token included if it was
    // chosen.
    double log_probability = 0;
};

struct SearchTokens {
    std::int64_t end = 102;    // [SEP]
    std::int64_t pad = 0;
};

// One best sequence for each prompt. Uses num_beams, max_length, min_length, length_penalty, repetition_penalty.
std::vector<Generated> generate(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                const SearchTokens& tokens = {});

// The caption decoder behind that interface; images: uint8 [I, 3, S, S] on the weights' device. Weights and captioner
// must outlive it.
class CaptionModel : public NextTokenModel {
  public:
    CaptionModel(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS);
    at::Tensor start(const at::Tensor& prompts_BP) override;
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override;

  private:
    at::Tensor logits_after(const at::Tensor& tokens_RT);

    const TextDecoder& text_;
    const Weights& weights_;
    TextDecoder::Cache cache_;
};

}    // namespace blip
