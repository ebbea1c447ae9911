// The rules that tie options together; used by parse.cpp, and by the app once weights gave the shape.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>

#include "blip/base/error.h"
#include "blip/options/parse.h"
#include "src/options/declared.h"

namespace blip {
namespace {

using Found = std::optional<Inconsistency>;

Found check_divides(const char* part_name, int part, const char* whole_name, int whole) {
    if (whole % part == 0) return std::nullopt;
    int fitting = std::min(part, whole);
    while (whole % fitting != 0) --fitting;
    return Inconsistency{
        fmt::format("--{} {} does not divide --{} {}; {} would", part_name, part, whole_name, whole, fitting),
        {part_name, whole_name}};
}

Found check_lengths(const GenerateOptions& generate) {
    if (generate.min_length > generate.max_length)
        return Inconsistency{
            fmt::format("--min-length {} is more than --max-length {}", generate.min_length, generate.max_length),
            {"min-length", "max-length"}};
    // each word of the prompt is one token or more, [DEC] comes before it, and a word must fit behind it
    std::istringstream words(generate.prompt);
    int fewest_tokens = 1;
    for (std::string word; words >> word;) ++fewest_tokens;
    if (generate.max_length <= fewest_tokens)
        return Inconsistency{
            fmt::format("--max-length {} leaves no room behind the --prompt '{}', which takes {} tokens "
                        "or more",
                        generate.max_length, generate.prompt, fewest_tokens),
            {"max-length", "prompt"}};
    return std::nullopt;
}

// vision_depth: 0 while it is not known
Found check_recomputation(const TrainOptions& train, int vision_depth) {
    if (!train.vit_grad_ckpt) return std::nullopt;
    if (train.vit_ckpt_layer == 0)
        return Inconsistency{
            fmt::format("--vit-grad-ckpt recomputes nothing with --vit-ckpt-layer 0; give it the number "
                        "of vision blocks to recompute, counted from the last{}",
                        vision_depth > 0 ? fmt::format(": {} are all", vision_depth) : ""),
            {"vit-grad-ckpt", "vit-ckpt-layer"}};
    if (vision_depth > 0 && train.vit_ckpt_layer > vision_depth)
        return Inconsistency{fmt::format("--vit-ckpt-layer {} is more than the {} blocks of the vision encoder",
                                         train.vit_ckpt_layer, vision_depth),
                             {"vit-ckpt-layer", "model", "vision-depth"}};
    return std::nullopt;
}

Found check_sampling(const GenerateOptions& generate, const std::set<std::string>& flags) {
    if (!generate.sample && generate.num_captions > generate.num_beams)
        return Inconsistency{
            fmt::format("--num-captions {} is more than --num-beams {}: a search finds as many captions "
                        "as it has beams; give more beams, or --sample to draw them",
                        generate.num_captions, generate.num_beams),
            {"num-captions", "num-beams"}};
    const std::vector<std::string> without_effect =
        generate.sample ? std::vector<std::string>{"num-beams", "search", "length-penalty"}
                        : std::vector<std::string>{"top-k", "top-p"};
    for (const std::string& name : without_effect) {
        if (!flags.contains(name)) continue;
        return Inconsistency{generate.sample ? fmt::format("--{} has no effect with --sample: drawing does not search; "
                                                           "leave out one of them",
                                                           name)
                                             : fmt::format("--{} has no effect without --sample", name),
                             {name, "sample"}};
    }
    return std::nullopt;
}

Found check_caption_files(const Options& options, const std::set<std::string>& flags) {
    const CaptionFileOptions& write = options.write;
    if (write.form.empty())
        for (const char* name : {"output", "prefix", "suffix", "skip-existing", "overwrite"})
            if (flags.contains(name))
                return Inconsistency{fmt::format("--{} goes with --write txt, csv or jsonl", name), {name, "write"}};
    if (!write.form.empty() && options.json)
        return Inconsistency{"--json prints, --write writes files: --write jsonl has the same lines",
                             {"json", "write"}};
    if ((write.form == "csv" || write.form == "jsonl") && write.output.empty())
        return Inconsistency{fmt::format("--write {0} needs --output FILE.{0}", write.form), {"write", "output"}};
    if (write.skip_existing && (write.overwrite || write.form != "txt"))
        return Inconsistency{write.overwrite ? "--skip-existing and --overwrite contradict each other"
                                             : "--skip-existing is for --write txt: a table is completed anyway",
                             {"skip-existing", "overwrite"}};
    return std::nullopt;
}

Found check_score(const ScoreOptions& score, bool json, const std::set<std::string>& flags) {
    if (json && (score.percent || score.table != "text"))
        return Inconsistency{fmt::format("--json has the plain numbers: leave out it or --{}",
                                         score.percent ? "percent" : "table " + score.table),
                             {"json", score.percent ? "percent" : "table"}};
    if (!score.spice.empty() && !score.compare.empty())
        return Inconsistency{"--spice is of one system: leave out it or --compare", {"spice", "compare"}};
    if (score.clip.empty() != score.pictures.empty())
        return Inconsistency{score.pictures.empty() ? "--clip looks at the pictures: give their folder, --images DIR"
                                                    : "--images has no effect without --clip DIR",
                             {"clip", "images"}};
    if (!score.clip.empty() && score.results.empty())
        return Inconsistency{"--clip scores captions: it needs --results", {"clip", "results"}};
    if (score.end_token && score.write_cider_df.empty())
        return Inconsistency{"--end-token has no effect without --write-cider-df FILE",
                             {"end-token", "write-cider-df"}};
    if (flags.contains("seed") && !score.intervals && score.compare.empty())
        return Inconsistency{"--seed draws resamples: it goes with --intervals or --compare", {"seed", "intervals"}};
    return std::nullopt;
}

Found check_report(const ShowOptions& show, const std::set<std::string>& flags) {
    if (show.trace.empty()) return std::nullopt;
    if (show.runs.size() > 1)
        return Inconsistency{fmt::format("--trace is of one run; {} were given", show.runs.size()), {"trace"}};
    for (const char* name : {"out", "pictures", "data"})
        if (flags.contains(name))
            return Inconsistency{fmt::format("--trace writes no page: leave out it or --{}", name), {"trace", name}};
    return std::nullopt;
}

// Both batches count captions, and hold whole pictures.
Found check_captions_per_picture(const char* name, int each, const TrainOptions& train) {
    if (train.micro_batch % each == 0 && train.global_batch % each == 0) return std::nullopt;
    const int micro = std::max(train.micro_batch / each, 1) * each;
    const int global = std::max(train.global_batch / micro, 1) * micro;
    return Inconsistency{fmt::format("--{} {} needs batches of whole pictures: --global-batch {} and "
                                     "--micro-batch {} count captions; --global-batch {} --micro-batch {} would do",
                                     name, each, train.global_batch, train.micro_batch, global, micro),
                         {name, "micro-batch", "global-batch"}};
}

Found check_objective(const Options& options, const std::set<std::string>& flags) {
    const SelfCriticalOptions& own = options.self_critical;
    const bool self_critical = options.is_self_critical();
    const std::vector<std::string> without_effect =
        self_critical ? std::vector<std::string>{"label-smoothing", "loss-average"}
                      : std::vector<std::string>{"samples-per-picture", "baseline", "reward", "kl", "cider-df"};
    for (const std::string& name : without_effect)
        if (flags.contains(name))
            return Inconsistency{fmt::format("--{} has no effect with --objective {}", name, options.loss.objective),
                                 {name, "objective"}};
    if (!self_critical) return std::nullopt;
    if (own.kl > 0 && options.init.empty())
        return Inconsistency{"--kl keeps near the weights of --init, and there are none: name them", {"kl", "init"}};
    if (own.samples_per_picture == 1 && own.baseline == "others")
        return Inconsistency{
            "--samples-per-picture 1 leaves --baseline others nothing to compare a sample with; take "
            "two samples or more, or --baseline greedy",
            {"samples-per-picture", "baseline"}};
    if (options.train.captions_per_picture > 1)
        return Inconsistency{fmt::format("--captions-per-picture {} is of --objective cross-entropy: self-critical "
                                         "training draws its captions, --samples-per-picture of each picture",
                                         options.train.captions_per_picture),
                             {"captions-per-picture", "objective", "samples-per-picture"}};
    return std::nullopt;
}

Found check_training(const Options& options, const std::set<std::string>& flags, bool depth_known) {
    if (const Found found = check_recomputation(options.train, depth_known ? options.model.vision_depth : 0))
        return found;
    const OptimOptions& optim = options.optim;
    if (optim.min_lr > optim.init_lr)
        return Inconsistency{fmt::format("--min-lr {} is more than --init-lr {}", optim.min_lr, optim.init_lr),
                             {"min-lr", "init-lr"}};
    if (options.train.patience > 0 && !options.train.evaluate)
        return Inconsistency{"--patience counts evaluations, which --no-evaluate leaves out",
                             {"patience", "no-evaluate"}};
    if (options.measure && !options.dry_run)
        return Inconsistency{"--measure goes with --dry-run: a run measures itself", {"measure", "dry-run"}};
    if (options.ranks > 0 && !options.dry_run)
        return Inconsistency{"--ranks goes with --dry-run: a run has the ranks that mpirun -np gives it",
                             {"ranks", "dry-run"}};
    if (const Found found = check_objective(options, flags)) return found;
    const char* each = options.is_self_critical() ? "samples-per-picture" : "captions-per-picture";
    if (const Found found = check_captions_per_picture(each, options.captions_per_unit(), options.train)) return found;
    return check_divides("micro-batch", options.train.micro_batch, "global-batch", options.train.global_batch);
}

}    // namespace

std::optional<std::string> prompt_problem(std::string_view prompt) {
    if (std::any_of(prompt.begin(), prompt.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }))
        return "must be one line of text";
    return std::nullopt;
}

std::string complete_prompt(std::string_view prompt) {
    return std::string(prompt) + (prompt.empty() || prompt.back() == ' ' ? "" : " ");
}

std::optional<Inconsistency> find_inconsistency(const Options& options, const std::set<std::string>& flags,
                                                bool shape_known) {
    const ModelOptions& model = options.model;
    const auto known = [&](const char* name) { return shape_known || asks_for_dimension(options, name); };
    Found found;
    const auto check_dimensions = [&](const char* part_name, int part, const char* whole_name, int whole) {
        if (!found && known(part_name) && known(whole_name)) found = check_divides(part_name, part, whole_name, whole);
    };
    check_dimensions("text-heads", model.text_heads, "text-hidden", model.text_hidden);
    check_dimensions("vision-heads", model.vision_heads, "vision-width", model.vision_width);
    check_dimensions("patch-size", model.patch_size, "image-size", model.image_size);
    if (!found) found = check_lengths(options.generate);
    if (!found && known("text-positions") && options.generate.max_length > model.text_positions)
        found = Inconsistency{fmt::format("--max-length {} is more than the {} positions of the model",
                                          options.generate.max_length, model.text_positions),
                              {"max-length", "model", "text-positions"}};
    if (!found) found = check_sampling(options.generate, flags);
    if (!found && options.verb == Verb::caption) found = check_caption_files(options, flags);
    if (!found && options.verb == Verb::score) found = check_score(options.score, options.json, flags);
    if (!found && options.verb == Verb::report) found = check_report(options.show, flags);
    if (!found && options.verb == Verb::train) found = check_training(options, flags, known("vision-depth"));
    return found;
}

void check_consistency(const Options& options) {
    if (const auto found = find_inconsistency(options, {}, true)) throw Error(ExitCode::usage, found->message);
}

bool asks_for_dimension(const Options& options, const std::string& name) {
    const auto& names = options.explicit_model_options;
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& given) { return given == name || given == "model"; });
}

}    // namespace blip
