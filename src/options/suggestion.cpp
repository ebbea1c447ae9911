// See the header.
#include "src/options/suggestion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <numeric>

#include "src/options/declared.h"

namespace blip {
namespace {

struct ForeignName {
    std::initializer_list<std::string_view> names;
    std::initializer_list<std::string_view> ours;    // the first that the verb has
    const char* instead;                             // what to do; before it, where there is one, our option
};

constexpr const char* by_launcher = "the launcher says how many ranks run: mpirun -np N blip_mpi ...";
constexpr const char* resumes =
    "the same command goes on from the newest checkpoint in --output; --init PATH starts from weights";
constexpr const char* batches = "; --micro-batch is what a rank computes at once";

// Those of Hugging Face's and LAVIS' trainers, torchrun, and the metrics' usual scripts.
const ForeignName foreign_names[] = {
    {{"batch-size", "bs", "train-batch-size", "batch", "total-batch-size"}, {"global-batch", "eval-batch"}, batches},
    {{"per-device-train-batch-size", "batch-size-train", "micro-batch-size", "gradient-accumulation-steps",
      "accumulate-grad-batches"},
     {"micro-batch"},
     "; --global-batch is that of all ranks together"},
    {{"per-device-eval-batch-size", "eval-batch-size", "batch-size-eval"}, {"eval-batch"}, ""},
    {{"lr", "learning-rate", "base-lr", "max-lr"}, {"init-lr"}, ""},
    {{"lr-min", "eta-min"}, {"min-lr"}, ""},
    {{"num-epochs", "num-train-epochs", "max-epoch", "max-epochs", "n-epochs"}, {"epochs"}, ""},
    {{"max-train-steps", "num-train-steps", "num-steps", "max-iter", "iterations"}, {"max-steps"}, ""},
    {{"warmup", "num-warmup-steps", "warmup-ratio", "warmup-lr", "warmup-iters"}, {"warmup-steps"}, ""},
    {{"grad-clip", "clip-grad", "clip-grad-norm", "max-grad-norm", "gradient-clip-val", "max-norm"}, {"clip-norm"}, ""},
    {{"early-stopping", "early-stopping-patience", "early-stop"}, {"patience"}, ""},
    {{"freeze-vit", "freeze-vision", "freeze-encoder", "freeze-image-encoder"}, {"freeze"}, ""},
    {{"resume", "resume-from", "resume-from-checkpoint", "resume-ckpt-path", "load-checkpoint"}, {}, resumes},
    {{"checkpoint", "ckpt", "pretrained", "model-name", "model-name-or-path", "model-path", "weights", "load"},
     {"init", "from"},
     ""},
    {{"output-dir", "out-dir", "out", "save-dir", "result-dir", "checkpoint-dir", "logdir", "log-dir"},
     {"output", "out", "to"},
     ""},
    {{"output"}, {"out", "to"}, ""},
    {{"num-workers", "workers", "dataloader-num-workers", "num-threads", "jobs"}, {"loader-threads", "threads"}, ""},
    {{"gpus", "num-gpus", "n-gpus", "devices", "nproc", "nproc-per-node", "nnodes", "world-size", "num-processes",
      "local-rank", "rank", "distributed", "dist-url"},
     {},
     by_launcher},
    {{"fp16", "bf16", "amp", "mixed-precision", "half"}, {"precision"}, ""},
    {{"tf32"}, {"allow-tf32"}, ""},
    {{"gradient-checkpointing", "use-checkpoint", "use-grad-checkpoint"}, {"vit-grad-ckpt"}, ""},
    {{"save-steps", "save-every", "save-freq"}, {"checkpoint-every"}, ""},
    {{"save-total-limit"}, {"keep"}, ""},
    {{"overwrite-output-dir", "restart"}, {"fresh", "overwrite"}, ""},
    {{"random-seed"}, {"seed"}, ""},
    {{"dataset", "data-dir", "data-path", "train-data", "train-file", "dataset-name"}, {"data", "coco"}, ""},
    {{"image-dir", "image-root", "images", "coco-root"}, {"coco"}, ""},
    {{"wd"}, {"weight-decay"}, ""},
    {{"adam-beta1"}, {"beta1"}, ""},
    {{"adam-beta2"}, {"beta2"}, ""},
    {{"adam-epsilon", "epsilon"}, {"adam-eps"}, ""},
    {{"smoothing", "label-smoothing-factor"}, {"label-smoothing"}, ""},
    {{"eval-only", "eval", "test", "do-eval"}, {"evaluate"}, ""},
    {{"vit", "arch", "model-type", "model-size"}, {"model"}, ""},
    {{"resolution", "img-size", "input-size"}, {"image-size"}, ""},
    {{"beam", "beams", "beam-size", "num-beam", "beam-width"}, {"num-beams"}, ""},
    {{"max-new-tokens", "max-len", "max-tokens"}, {"max-length"}, "; the prompt counts"},
    {{"num-return-sequences", "num-samples", "n"}, {"num-captions"}, ""},
    {{"do-sample", "nucleus", "use-nucleus-sampling"}, {"sample"}, ""},
    {{"refs", "ref", "reference", "gt", "gts", "ground-truth", "annotations"}, {"references", "coco"}, ""},
    {{"hyps", "hyp", "hypotheses", "res", "predictions", "preds", "candidates"}, {"results"}, ""},
};

// In small letters, with hyphens.
std::string as_written_here(std::string_view name) {
    std::string ours(name);
    for (char& c : ours) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return ours;
}

// Levenshtein distance of two short words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substitute = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
        }
    }
    return row.back();
}

// The closest of known, empty if none is close: they begin with the same letter and at most two letters differ, or one
// of the words begins with the other ("train2014"). --batch-size is not --patch-size, gpu not cpu.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    std::size_t smallest = 3;
    for (const auto& candidate : known) {
        if (candidate.substr(0, 1) != word.substr(0, 1)) continue;
        std::size_t distance = edit_distance(word, candidate);
        // three letters in common by chance are no resemblance
        if (distance >= std::max(word.size(), candidate.size())) continue;
        const bool one_starts_with_other =
            word.size() > 2 && (word.starts_with(candidate) || candidate.starts_with(word));
        if (one_starts_with_other) distance = std::min<std::size_t>(distance, 1);
        if (distance < smallest) {
            smallest = distance;
            best = candidate;
        }
    }
    return best;
}

}    // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known, const char* prefix) {
    const std::string nearest = nearest_word(word, known);
    return nearest.empty() ? "" : fmt::format("; did you mean {}{}?", prefix, nearest);
}

std::string foreign_name(const OptionTable& table, std::string_view name, const char* dashes, unsigned verb) {
    const std::string ours = as_written_here(name);
    for (const ForeignName& foreign : foreign_names) {
        if (std::ranges::find(foreign.names, ours) == foreign.names.end()) continue;
        if (foreign.ours.size() == 0 && table.find("init-lr") != nullptr) return foreign.instead;
        for (const std::string_view option : foreign.ours) {
            const OptionSpec* spec = table.find(option, verb);
            if (spec == nullptr || !spec->used_by(verb)) continue;
            return fmt::format("here it is {}{}: {}{}", dashes, option, spec->meaning, foreign.instead);
        }
    }
    return "";
}

std::string suggestion(const OptionTable& table, std::string_view name, const char* dashes, unsigned verb) {
    if (const std::string known = foreign_name(table, name, dashes, verb); !known.empty()) return "; " + known;
    std::vector<std::string> names, of_verb;
    for (const OptionSpec& spec : table.specs()) (spec.used_by(verb) ? of_verb : names).push_back(spec.name);
    const std::string ours = as_written_here(name);    // Python's own programs have init_lr
    std::string similar = nearest_word(ours, of_verb);
    if (similar.empty()) similar = nearest_word(ours, names);
    if (similar.empty()) return "";
    unsigned users = 0;    // of all options of that name
    for (const OptionSpec& spec : table.specs())
        if (spec.name == similar) users |= spec.verbs;
    return fmt::format("; did you mean {}{}?{}", dashes, similar,
                       (users & verb) != 0 ? "" : fmt::format(" It is only for {}", verb_names(users)));
}

}    // namespace blip
