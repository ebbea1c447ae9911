// Every numerical tolerance of the tests, each with its reason. A number that misses one is a fault to find, never a
// tolerance to widen.
#pragma once

namespace blip::test::tolerance {

// Against the reference implementation (fp32, CPU), relative to the tensor's largest magnitude. They separate right
// from wrong: a vision eps of 1e-5 moves the embeddings by 8e-6, a decoder eps of 1e-5 the loss by 1e-4, tanh GELU the
// logits by 2e-4.
inline constexpr double image_embeds = 5e-6;
inline constexpr double logits = 1e-5;
inline constexpr double loss = 1e-5;
inline constexpr double gradients = 1e-5;
// How far the rounding of the loss's backward pass, seen as 2.9e-5 and 5.8e-5, may be from what is predicted of it.
inline constexpr double loss_backward_sum = 1e-6;
// Attention key biases have a true gradient of zero: what is left is rounding, measured against the largest gradient.
inline constexpr double zero_gradient = 1e-6;
// 20 AdamW steps at lr 1e-3 amplify rounding: losses relative to the recorded ones, norms of the final parameters.
inline constexpr double adamw_loss = 2e-5;
inline constexpr double final_norm = 5e-5;

// Resized positions, values up to 1.2: 16 products of fp32 weights that are themselves off by a few 6e-8, where the
// position between two patches loses digits to the whole patches before it. Antialiasing or a = -0.5 moves them by
// 1e-2.
inline constexpr double resized_positions = 5e-6;

// Full-size models against Hugging Face's in fp32 on the CPU (make parity; read by tests/parity/parity.py), absolute:
// random weights give logits below 3 and a loss of 10.4, of which these are a few hundred roundings. Seen: 3e-6 and 0;
// image_embeds, gradients and zero_gradient above hold there too, each side being as far from double precision as from
// the other (2.6e-6 for the worst gradient).
inline constexpr double parity_logits = 1e-4;
inline constexpr double parity_loss = 1e-5;

// fp32 products against double precision, relative to the largest: 30,524 partial sums as large as the result, each
// rounded to 6e-8 of it, wander off by 175 of these, 1e-5 (MKL's do). One term left out moves them by 1e-2.
inline constexpr double matrix_product = 2e-5;

// The same network computed in another order (cached keys, shared images): rounding of a few fp32 sums.
inline constexpr double cached_decoder = 1e-5;
// A caption's log-probability, absolute: logits below 20 that are exact to a few 1e-6 of that, over up to 20 tokens;
// they depend in that much on the batch and on the cache. Also read by tests/end_to_end/evaluate_results.sh and
// caption_batches.sh.
inline constexpr double log_probability = 1e-4;
// Probabilities after sampling's filters, absolute: the reference's are fp32 softmaxes.
inline constexpr double sampling_filters = 1e-6;

// 25 fp32 AdamW updates of weights below 1 against the same in double: one rounding (6e-8) of the weight a step, and as
// much again from the moments' rounding through the bias correction.
inline constexpr double adamw_against_double = 4e-6;

// BLEU, ROUGE-L and CIDEr from the same tokens: sums in double, in another order.
inline constexpr double scores = 1e-11;
// Percentiles 2.5 and 97.5 of 20,000 resamples, in standard errors: each is drawn with an error of 0.02 of them. An
// interval of 90 % would be off by 0.3.
inline constexpr double resampled_quantile = 0.08;
// Shares of 20,000 draws on both sides, four errors of 0.0035 and of 0.0035.
inline constexpr double resampled_p = 0.02;
// The same of 2,000 resamples against 4,000 of another generator, in standard errors: the ends are drawn with errors of
// 0.06 and 0.04. Read by tests/end_to_end/score_intervals.sh.
inline constexpr double resampled_ends = 0.27;
// Shares of 2,000 draws against 4,000: an error of 0.014, three times that.
inline constexpr double resampled_p_values = 0.042;
// CLIPScore and RefCLIPScore of a picture, at most 2.5: fp32 through all layers of both networks, against double
// precision in Python (tests/end_to_end/score_clip.sh) and against Hugging Face's fp32 (tests/parity).
inline constexpr double clip_scores = 1e-4;
// CIDEr-D of one caption, at most 10, against Python's sums in another order.
inline constexpr double rewards = 1e-9;
// Gradients of a toy policy in fp32 against their closed form, of order 1.
inline constexpr double policy_gradient = 1e-6;
// Self-critical loss and gradients of micro-batches of other sizes, or of a plain pass: fp32 sums in another order, of
// the largest. The draws are the same unless a number falls within rounding of a token's share.
inline constexpr double self_critical_parts = 1e-4;
// What the log tells of self-critical steps on other numbers of ranks: sums in another order, and weights that differ
// in their last bits after the first step.
inline constexpr double self_critical_over_ranks = 1e-4;
// The same from raw captions that were not seen before: room for two in 12,305 whose tokens differ.
inline constexpr double scores_of_raw_captions = 1e-4;
// Shares of lines whose PTB tokens are the oracle's, where lines were not seen before. Seen: 12,305 of 12,305 captions
// (which has to stay so), 5,000 of 5,000 lines made to be hard, 39,998 of 40,000 others of that make.
inline constexpr double equal_caption_tokens = 0.999;
inline constexpr double equal_hard_tokens = 0.995;
// The same scores of freshly drawn hard lines, five to an image, of which up to one in 200 may have other tokens: then
// an image in 40 differs, and CIDEr's document frequencies carry it to others. Read by tests/oracle.
inline constexpr double scores_of_hard_lines = 5e-3;
inline constexpr double equal_hard_scores = 0.9;
// METEOR: of a corpus, of an image, and the least share of images within that. Alignments that score the same may be
// chosen differently. Read by tests/oracle.
inline constexpr double meteor_corpus = 1e-4;
inline constexpr double meteor_of_image = 1e-3;
inline constexpr double meteor_equal_images = 0.99;

// Losses of 20 steps at other numbers of ranks: the same products, summed in another order. Read by
// tests/end_to_end/train_ranks.sh and train_elastic.sh.
inline constexpr double loss_over_ranks = 1e-5;
// Losses of 20 steps with bf16 weights and activations (8 bits of mantissa: each product is off by up to 0.4 %) against
// fp32, and the norm of the difference of all gradients over their norm. Read by tests/end_to_end/train_precision.sh.
inline constexpr double bf16_loss = 1e-2;
inline constexpr double bf16_gradients = 5e-2;

// Least share of captions that are the same, word for word, with weights and activations in bf16: a word changes where
// two were about equally likely. Seen: 52 of 60.
inline constexpr double bf16_equal_captions = 0.75;
// The vision encoder's gradients by the fused attention kernel against those by the one written out: the softmax is
// summed by blocks. Seen: 3e-6.
inline constexpr double attention_kernel_gradients = 1e-5;

// The program's fused kernels against LibTorch's operators in double, relative to the tensor's largest: sums of up to
// 768 floats in fp32; in bf16 one rounding of the result, of half a unit in 8 bits, and of sums of such.
inline constexpr double fused_kernels = 2e-6;
inline constexpr double fused_kernels_bf16 = 4e-3;

// Gradients that pass through such kernels against autograd's of the operators, in fp32: each side rounds some ten
// times.
inline constexpr double fused_gradients = 2e-5;
// A step over pictures with several captions against the same captions with a picture each: one sum of fp32 products
// instead of several. The loss relative to itself, gradients to each one's largest.
inline constexpr double grouped_loss = 1e-6;
inline constexpr double grouped_gradients = 1e-5;
// Sums of some ten products of fp32 in another order, relative to the tensor's largest.
inline constexpr double reordered_sums = 1e-5;
// Sizes of tensors of a micro-batch of 120 worked out from those of 40 and 80: sums over rows are made in chunks, whose
// number is not proportional to the rows.
inline constexpr double roofline_sizes = 0.06;

// Losses of 20 fp32 steps at lr 1e-3 on a GPU against those on the CPU: sums in another order and exp, erf that differ
// in their last bits, amplified by AdamW. bf16 products are off by 1e-3, TF32 ones by 3e-4. Read by
// env/run_gpu_tests.sh.
inline constexpr double loss_on_gpu = 1e-4;
// Losses of 10 steps on the pretended GPU against those on the CPU: mostly the CPU's own kernels, and the program's,
// whose sums have another order. In bf16 attention rounds elsewhere, too. Read by tests/end_to_end/fake_cuda.sh.
inline constexpr double loss_on_pretended_gpu = 1e-6;
inline constexpr double bf16_loss_on_pretended_gpu = 1e-3;
// Least Bleu_4 of the demo's test pictures: 0.68 was reached on the CPU, the best constant caption has 0.22. Another
// device or precision takes another path to about the same place. Read by env/run_gpu_tests.sh.
inline constexpr double demo_bleu_4 = 0.5;

// Memory that --dry-run --measure tells against a run's peak, relative: the run copies a checkpoint beside its steps,
// and the allocator's holes differ. Read by tests/end_to_end/train_memory.sh.
inline constexpr double measured_memory = 0.15;
// Operations of the base model's forward pass by formula against those of its recorded products, relative: keys of
// pictures are padded from 577 to 584 there, and published figures have three digits.
inline constexpr double counted_operations = 0.005;

// A GPU against its CPU twin in fp32, relative to the tensor's largest magnitude: the same operations, in another order
// where they are sums, and another rounding of powers, roots and exponentials.
inline constexpr double gpu_fp32 = 1e-5;
// The same in bf16, where that last bit decides now and then which neighbour is nearest: one step in 8 bits.
inline constexpr double gpu_bf16_rounding = 8e-3;
// The same sum of squares in double, in another order.
inline constexpr double double_sums = 1e-12;

}    // namespace blip::test::tolerance
