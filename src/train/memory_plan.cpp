// See memory_plan.h. A term for each tensor that is alive at the same time, named as in the code that makes it; what
// autograd keeps was read off the operators' saved tensors. Checked against measured peaks by
// tests/end_to_end/train_memory.sh and tests/bench/memory.sh.
// Legend: I pictures and C captions of a micro-batch (I = C in training), N image tokens, W vision width, T longest
// caption, H hidden, F intermediate, L layers, h heads, R trained tokens, V vocabulary, P parameters; a = bytes of a
// value in the precision of the computation.
#include "blip/train/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blip/report/progress.h"
#include "blip/text/wordpiece.h"

namespace blip {
namespace {

constexpr double fp32 = 4;
constexpr double mib = 1024.0 * 1024.0;

// LibTorch's and the mathematics library's own: code and tables that the first products touch, packed factors.
constexpr double working_libraries = 48 * mib;
constexpr double of_each_thread = 12 * mib;
// What the allocator cannot use again, as a share of what a step makes and drops: holes between tensors of other sizes.
constexpr double holes = 0.04;
// Estimates, not measured: a CUDA context and NCCL's buffers, where the device does not tell; what cuBLAS and cuDNN
// take for workspaces and kernels once they are used; what of these libraries comes to the host after the start.
constexpr double cuda_context = 600 * mib, cuda_workspaces = 150 * mib, cuda_libraries_on_host = 1500 * mib;

struct Shape {
    const ModelOptions& model;
    double I, T, R, a;
    bool dropout, on_gpu;

    double side() const { return static_cast<double>(model.image_size) / model.patch_size; }
    double N() const { return 1 + side() * side(); }
    double V() const { return vocabulary_size; }
    // one tensor [I, N, W]
    double image_tensor() const { return I * N() * model.vision_width * a; }
    // one tensor [C, T, H]
    double text_tensor() const { return I * T * model.text_hidden * a; }
    // Rows up to a multiple of so many numbers, as picture_attention.cpp makes them.
    double row(double numbers) const { return on_gpu ? 8 * std::ceil(numbers / 8) : numbers; }
    // Cross-attention's queries T h of a part: what is beside a picture's tokens, and beside its width.
    double query_rows(double numbers) const { return I * T * model.text_heads * row(numbers) * a; }
    double by_tokens() const { return query_rows(N()); }
    double by_width() const { return query_rows(model.vision_width + 1); }
    // The pictures, and the weights that they are multiplied with, with what is added to rows.
    double wider_pictures() const { return I * row(N()) * row(model.vision_width + 1) * a; }
    double wider_weights(double of_each) const {
        return 2 * model.text_layers * model.text_hidden * row(model.vision_width + 1) * of_each;
    }
    // For generation, keys and values of the pictures in all layers: 2 L tensors [I, N, H].
    double picture_keys() const { return 2 * model.text_layers * I * N() * model.text_hidden * a; }
    double head_weight() const { return V() * model.text_hidden * a; }
    double pixels() const { return I * 3 * model.image_size * model.image_size; }
};

// What a vision block keeps: input, norm1, q, k and v, attention, sum, norm2 (8 tensors of width W); fc1 and GELU (2 of
// width 4 W); norms' statistics and the softmax's.
constexpr double tensors_of_a_block = 16;
// While a block's backward runs: GELU's two gradients of width 4 W, and those of the block's output and of its branch.
constexpr double tensors_of_a_block_backward = 10;

double vision_block(const Shape& s) {
    return tensors_of_a_block * s.image_tensor() + s.I * s.N() * (4 + s.model.vision_heads) * fp32;
}

// The patches (the first product's input), the plain blocks whole, the recomputed ones' inputs, the last norm.
double vision_kept(const Shape& s, int recomputed) {
    const double patches = s.I * (s.N() - 1) * 3 * s.model.patch_size * s.model.patch_size * s.a;
    const double inputs = recomputed * (s.on_gpu ? 2 : 1);    // on a GPU with its norm, from the same kernel
    return patches + (s.model.vision_depth - recomputed) * vision_block(s) + (inputs + 2) * s.image_tensor();
}

// Each layer: self-attention keeps q, k, v, context, sum and norm, probabilities before dropout and after it;
// cross-attention q, context, sum and norm, probabilities, what they gather, and room for two parts by tokens and by
// width; the feed-forward part sum, norm and twice the width F. The head keeps four tensors [R, H].
double text_kept(const Shape& s) {
    const ModelOptions& m = s.model;
    const double probabilities = (s.dropout ? 2 : 1) * s.I * m.text_heads * s.T * s.T * s.a;
    const double cross = 3 * s.by_tokens() + 3 * s.by_width();
    const double inner = 2 * s.I * s.T * m.text_intermediate * s.a;
    return m.text_layers * (12 * s.text_tensor() + probabilities + cross + inner) + s.wider_pictures() +
           s.wider_weights(s.a) + 2 * s.text_tensor() + 4 * s.R * m.text_hidden * s.a;
}

// A training step: the most of its moments.
double step_bytes(const Shape& s, int recomputed) {
    const double vision = vision_kept(s, recomputed), text = text_kept(s), row = s.R * s.V() * fp32;
    // the loss: log-probabilities, and their two gradients or the sum of these and the logits' gradient; products of
    // bf16 take a row more on some processors and none on others
    const double loss = (s.a < fp32 ? 3.5 : 3) * row;
    // the head's product: the gradient of the logits, and in bf16 that of its weight before it is added
    const double head = s.a < fp32 ? row * 1.5 + s.head_weight() : row;
    // the pictures' gradient with and without what was added, from what the layers left; the rest of the text is gone
    const double pictures = s.model.text_layers * 2 * (s.by_tokens() + s.by_width()) + s.wider_weights(s.a) +
                            s.wider_weights(fp32) + 2 * s.wider_pictures() + s.image_tensor();
    // the embedding's gradient; the text's activations are gone
    const double embedding = s.head_weight();
    // a vision block going backward, with its activations computed again if they were dropped
    const double again = recomputed > 0 ? vision_block(s) : 0;
    const double block = again + tensors_of_a_block_backward * s.image_tensor();
    return (1 + holes) *
           std::max({vision + text + std::max(loss, head), vision + pictures, vision + embedding, vision + block});
}

// Captions of `images` pictures: the encoder without a graph (two sums, norm2, fc1, GELU and fc2 of a block at once),
// then keys and values of all pictures in all layers, by token before they are by head, those of the captions twice
// (the search moves them from one to the other), and the search over the vocabulary.
double evaluation_bytes(const Options& options, double a) {
    const ModelOptions& m = options.model;
    const Shape s{m, static_cast<double>(options.evaluate.batch), 0, 0, a, false, false};
    const double beams = s.I * options.generate.num_beams;
    const double captions = 2 * 2 * m.text_layers * beams * options.generate.max_length * m.text_hidden * a;
    const double search = captions + 4 * beams * s.V() * fp32;
    return (1 + holes) *
           std::max(12 * s.image_tensor(), s.image_tensor() + s.picture_keys() + std::max(s.picture_keys(), search));
}

// A checkpoint may be on its way to the disk while the next steps run, unless it is only written between epochs.
bool saves_beside_steps(const Options& options) {
    return options.checkpoint.every_steps > 0 || options.checkpoint.every_minutes > 0 ||
           (options.train.epochs > 1 && !options.train.evaluate && options.train.max_steps == 0);
}

// What holds a GPU's state on the host while it is written: one piece for each bucket, of a length that LibTorch rounds
// up to a power of two. A bucket is a little longer than asked for.
double staged_bytes(const Options& options, double parameters, int ranks) {
    const double all = fp32 * parameters, bucket = 1.05 * options.comm.bucket_mib(true) * mib;
    const double count = std::max(1.0, std::ceil(all / bucket));
    return count * std::exp2(std::ceil(std::log2(3 * std::min(all, bucket) / ranks)));
}

void add(std::vector<MemoryPart>& parts, const char* what, double bytes) {
    if (bytes > 0) parts.push_back({what, bytes});
}

// The same phases on the device and, what a copy of the state takes, on the host.
void add_phases(MemoryTable& table, const Options& options, double step, double snapshot, double evaluation) {
    const bool beside = saves_beside_steps(options);
    add(table.phases, "a training step", step);
    add(table.phases, beside ? "a step while a checkpoint is written" : "a checkpoint being written",
        snapshot > 0 ? snapshot + (beside ? step : 0) : 0);
    if (options.train.evaluate) add(table.phases, "evaluation after an epoch", evaluation);
}

}    // namespace

CaptionLengths caption_lengths(const SplitTables& split, int prompt_length) {
    CaptionLengths lengths;
    double sum = 0, squares = 0;
    for (const std::int32_t length : split.lengths_C) {
        lengths.longest = std::max(lengths.longest, static_cast<int>(length));
        const double trained = std::max(0, length - prompt_length);
        sum += trained;
        squares += trained * trained;
    }
    const double count = std::max<double>(1, static_cast<double>(split.lengths_C.size()));
    lengths.trained_mean = sum / count;
    lengths.trained_spread = std::sqrt(std::max(0.0, squares / count - lengths.trained_mean * lengths.trained_mean));
    return lengths;
}

double MemoryTable::held_bytes() const {
    double sum = 0;
    for (const MemoryPart& part : held) sum += part.bytes;
    return sum;
}

double MemoryTable::peak_bytes() const {
    double most = 0;
    for (const MemoryPart& phase : phases) most = std::max(most, phase.bytes);
    return held_bytes() + most;
}

MemoryPlan plan_memory(const Options& options, const CaptionLengths& captions, std::int64_t parameters, int ranks,
                       PresentMemory present) {
    const bool on_gpu = options.runtime.device == "cuda", bf16 = options.runtime.precision == "bf16";
    const double a = bf16 ? 2 : fp32, micro = options.train.micro_batch, P = static_cast<double>(parameters);
    const double share = 1.0 / ranks;
    // of all micro-batches of an epoch, about the one with the most trained tokens
    const double longest_rows = micro * captions.longest;
    const double rows =
        std::min(longest_rows, micro * captions.trained_mean + 3 * captions.trained_spread * std::sqrt(micro));
    const Shape shape{options.model, micro, static_cast<double>(captions.longest), rows, a, options.loss.dropout > 0,
                      on_gpu};

    MemoryPlan plan;
    MemoryTable& compute = on_gpu ? plan.device : plan.host;
    add(plan.host.held, "program, libraries and tables of the data", static_cast<double>(present.host_bytes));
    if (on_gpu) {
        add(plan.host.held, "more of CUDA's libraries, an estimate", cuda_libraries_on_host);
        if (present.device_bytes > 0)
            add(plan.device.held, "in use already, CUDA's context and NCCL with it",
                static_cast<double>(present.device_bytes));
        else
            add(plan.device.held, "CUDA's context and NCCL, an estimate", cuda_context);
        add(plan.device.held, "workspaces of CUDA's libraries, an estimate", cuda_workspaces);
        add(plan.host.held, "page-locked copy of the state for checkpoints", staged_bytes(options, P, ranks));
    } else {
        add(plan.host.held, "mathematics", working_libraries + options.runtime.threads * of_each_thread);
    }
    add(compute.held, bf16 ? "weights in bf16" : "weights", a * P);
    add(compute.held, "gradients", fp32 * P);
    add(compute.held, "moments of this rank's part", 2 * fp32 * P * share);
    if (bf16) add(compute.held, "fp32 masters of this rank's part", fp32 * P * share);
    // the other ranks' parts of every bucket, on their way (NCCL reduces without)
    if (!on_gpu) add(plan.host.held, "gradients received from other ranks", fp32 * P * share * (ranks - 1));
    // decoded and transformed on the CPU; for a GPU crops, of a photograph of 640 x 480 at most
    const double picture = on_gpu ? 3.0 * 640 * 480 : 3.0 * options.model.image_size * options.model.image_size;
    add(plan.host.held, "batches read ahead", (options.data.prefetch_batches + 1) * micro * picture);

    const double step = step_bytes(shape, options.train.recomputed_blocks()) + shape.pixels() * (on_gpu ? 2 : 0);
    const double snapshot = 3 * fp32 * P * share, evaluation = evaluation_bytes(options, a);
    if (on_gpu) {
        add_phases(plan.device, options, step, 0, evaluation);
    } else {
        add_phases(plan.host, options, step, snapshot, evaluation);
    }
    // rank 0 gathers the masters for best/ where no arena holds them all
    if (bf16 && options.train.evaluate) add(plan.host.phases, "best weights being written", fp32 * P);
    return plan;
}

std::string gpu_shortage(const MemoryTable& device, std::uint64_t used_bytes, std::uint64_t total_bytes) {
    const auto used = static_cast<double>(used_bytes), total = static_cast<double>(total_bytes);
    if (total_bytes == 0 || device.peak_bytes() <= total) return "";
    return fmt::format(
        "will need {} more memory than now, as predicted, {} of {} are free: use a smaller --micro-batch, "
        "--vit-grad-ckpt, more ranks, or a GPU that nobody else uses (nvidia-smi)",
        format_bytes(device.peak_bytes() - used), format_bytes(total - used), format_bytes(total));
}

std::vector<std::string> describe(const MemoryTable& table) {
    std::vector<std::string> lines;
    const auto line = [&](double bytes, const std::string& what) {
        lines.push_back(fmt::format("  {:>11}  {}", format_bytes(bytes), what));
    };
    for (const MemoryPart& part : table.held) line(part.bytes, part.what);
    for (const MemoryPart& phase : table.phases) line(phase.bytes, "more for " + phase.what);
    line(table.peak_bytes(), "at most at once");
    return lines;
}

}    // namespace blip
