// The rules that tie options together; used by parse.cpp, and by the app once
// weights gave the shape.
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

// Rules in the order in which they are looked at: what counts is the first that
// is broken.
struct Rules {
    const Options& options;
    const std::set<std::string>& flags;
    std::optional<Inconsistency> broken{};

    // names: of the options at odds
    template <class... Values>
    void refuse(bool wrong, const std::vector<std::string>& names, fmt::format_string<Values...> message,
                Values&&... values) {
        if (wrong && !broken) broken = {fmt::format(message, std::forward<Values>(values)...), names};
    }
    // The first of these that is a flag.
    std::string flag_among(const std::vector<std::string>& names) const {
        const auto found = std::ranges::find_if(names, [&](const auto& name) { return flags.contains(name); });
        return found == names.end() ? "" : *found;
    }
    void divides(const char* part_name, int part, const char* whole_name, int whole) {
        if (whole % part == 0) return;
        int fitting = std::min(part, whole);
        while (whole % fitting != 0) --fitting;
        refuse(true, {part_name, whole_name}, "--{} {} does not divide --{} {}; {} would", part_name, part, whole_name,
               whole, fitting);
    }
};

void check_lengths(Rules& rules, const GenerateOptions& generate) {
    rules.refuse(generate.min_length > generate.max_length, {"min-length", "max-length"},
                 "--min-length {} is more than --max-length {}", generate.min_length, generate.max_length);
    // each word of the prompt is one token or more, [DEC] comes before it, and a
    // word must fit behind it
    std::istringstream words(generate.prompt);
    int fewest_tokens = 1;
    for (std::string word; words >> word;) ++fewest_tokens;
    rules.refuse(generate.max_length <= fewest_tokens, {"max-length", "prompt"},
                 "--max-length {} leaves no room behind the --prompt '{}', which "
                 "takes {} tokens or more",
                 generate.max_length, generate.prompt, fewest_tokens);
}

// vision_depth: 0 while it is not known
void check_recomputation(Rules& rules, const TrainOptions& train, int vision_depth) {
    if (!train.vit_grad_ckpt) return;
    rules.refuse(train.vit_ckpt_layer == 0, {"vit-grad-ckpt", "vit-ckpt-layer"},
                 "--vit-grad-ckpt recomputes nothing with --vit-ckpt-layer 0; "
                 "give it the number of vision blocks to "
                 "recompute, counted from the last{}",
                 vision_depth > 0 ? fmt::format(": {} are all", vision_depth) : "");
    rules.refuse(vision_depth > 0 && train.vit_ckpt_layer > vision_depth, {"vit-ckpt-layer", "model", "vision-depth"},
                 "--vit-ckpt-layer {} is more than the {} blocks of the vision encoder", train.vit_ckpt_layer,
                 vision_depth);
}

void check_sampling(Rules& rules, const GenerateOptions& generate) {
    rules.refuse(!generate.sample && generate.num_captions > generate.num_beams, {"num-captions", "num-beams"},
                 "--num-captions {} is more than --num-beams {}: a search finds "
                 "as many captions as it has beams; give "
                 "more beams, or --sample to draw them",
                 generate.num_captions, generate.num_beams);
    const std::string of_search = rules.flag_among({"num-beams", "search", "length-penalty"});
    rules.refuse(generate.sample && !of_search.empty(), {of_search, "sample"},
                 "--{} has no effect with --sample: drawing does not search; "
                 "leave out one of them",
                 of_search);
    const std::string of_drawing = rules.flag_among({"top-k", "top-p"});
    rules.refuse(!generate.sample && !of_drawing.empty(), {of_drawing, "sample"}, "--{} has no effect without --sample",
                 of_drawing);
}

void check_caption_files(Rules& rules, const CaptionFileOptions& write) {
    const bool table = write.form == "csv" || write.form == "jsonl";
    const std::string of_files = rules.flag_among({"output", "prefix", "suffix", "skip-existing", "overwrite"});
    rules.refuse(write.form.empty() && !of_files.empty(), {of_files, "write"},
                 "--{} goes with --write txt, csv or jsonl", of_files);
    rules.refuse(!write.form.empty() && rules.options.json, {"json", "write"},
                 "--json prints, --write writes files: --write jsonl has the same lines");
    rules.refuse(table && write.output.empty(), {"write", "output"}, "--write {0} needs --output FILE.{0}", write.form);
    rules.refuse(write.skip_existing && write.overwrite, {"skip-existing", "overwrite"},
                 "--skip-existing and --overwrite contradict each other");
    rules.refuse(write.skip_existing && write.form != "txt", {"skip-existing", "overwrite"},
                 "--skip-existing is for --write txt: a table is completed anyway");
}

void check_score(Rules& rules, const ScoreOptions& score) {
    rules.refuse(rules.options.json && (score.percent || score.table != "text"),
                 {"json", score.percent ? "percent" : "table"}, "--json has the plain numbers: leave out it or --{}",
                 score.percent ? "percent" : "table " + score.table);
    rules.refuse(!score.spice.empty() && !score.compare.empty(), {"spice", "compare"},
                 "--spice is of one system: leave out it or --compare");
    rules.refuse(!score.clip.empty() && score.pictures.empty(), {"clip", "images"},
                 "--clip looks at the pictures: give their folder, --images DIR");
    rules.refuse(score.clip.empty() && !score.pictures.empty(), {"clip", "images"},
                 "--images has no effect without --clip DIR");
    rules.refuse(!score.clip.empty() && score.results.empty(), {"clip", "results"},
                 "--clip scores captions: it needs --results");
    rules.refuse(score.end_token && score.write_cider_df.empty(), {"end-token", "write-cider-df"},
                 "--end-token has no effect without --write-cider-df FILE");
    rules.refuse(rules.flags.contains("seed") && !score.intervals && score.compare.empty(), {"seed", "intervals"},
                 "--seed draws resamples: it goes with --intervals or --compare");
}

void check_report(Rules& rules, const ShowOptions& show) {
    if (show.trace.empty()) return;
    rules.refuse(show.runs.size() > 1, {"trace"}, "--trace is of one run; {} were given", show.runs.size());
    const std::string of_page = rules.flag_among({"out", "pictures", "data"});
    rules.refuse(!of_page.empty(), {"trace", of_page}, "--trace writes no page: leave out it or --{}", of_page);
}

void check_objective(Rules& rules, const Options& options) {
    const SelfCriticalOptions& own = options.self_critical;
    const bool self_critical = options.is_self_critical();
    const std::string of_other =
        self_critical ? rules.flag_among({"label-smoothing", "loss-average"})
                      : rules.flag_among({"samples-per-picture", "baseline", "reward", "kl", "cider-df"});
    rules.refuse(!of_other.empty(), {of_other, "objective"}, "--{} has no effect with --objective {}", of_other,
                 options.loss.objective);
    if (!self_critical) return;
    rules.refuse(own.kl > 0 && options.init.empty(), {"kl", "init"},
                 "--kl keeps near the weights of --init, and there are none: name them");
    rules.refuse(own.samples_per_picture == 1 && own.baseline == "others", {"samples-per-picture", "baseline"},
                 "--samples-per-picture 1 leaves --baseline others nothing to "
                 "compare a sample with; take two samples "
                 "or more, or --baseline greedy");
    rules.refuse(options.train.captions_per_picture > 1, {"captions-per-picture", "objective", "samples-per-picture"},
                 "--captions-per-picture {} is of --objective cross-entropy: "
                 "self-critical training draws its "
                 "captions, --samples-per-picture of each picture",
                 options.train.captions_per_picture);
}

void check_training(Rules& rules, bool depth_known) {
    const Options& options = rules.options;
    const TrainOptions& train = options.train;
    check_recomputation(rules, train, depth_known ? options.model.vision_depth : 0);
    rules.refuse(options.optim.min_lr > options.optim.init_lr, {"min-lr", "init-lr"},
                 "--min-lr {} is more than --init-lr {}", options.optim.min_lr, options.optim.init_lr);
    rules.refuse(train.patience > 0 && !train.evaluate, {"patience", "no-evaluate"},
                 "--patience counts evaluations, which --no-evaluate leaves out");
    rules.refuse(options.measure && !options.dry_run, {"measure", "dry-run"},
                 "--measure goes with --dry-run: a run measures itself");
    rules.refuse(options.ranks > 0 && !options.dry_run, {"ranks", "dry-run"},
                 "--ranks goes with --dry-run: a run has the ranks that mpirun "
                 "-np gives it");
    check_objective(rules, options);
    // both batches count captions, and hold whole pictures
    const char* name = options.is_self_critical() ? "samples-per-picture" : "captions-per-picture";
    const int each = options.captions_per_unit();
    const int micro = std::max(train.micro_batch / each, 1) * each;
    const int global = std::max(train.global_batch / micro, 1) * micro;
    rules.refuse(train.micro_batch % each != 0 || train.global_batch % each != 0, {name, "micro-batch", "global-batch"},
                 "--{} {} needs batches of whole pictures: --global-batch {} and "
                 "--micro-batch {} count captions; "
                 "--global-batch {} --micro-batch {} would do",
                 name, each, train.global_batch, train.micro_batch, global, micro);
    rules.divides("micro-batch", train.micro_batch, "global-batch", train.global_batch);
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
    Rules rules{options, flags};
    const auto check_dimensions = [&](const char* part_name, int part, const char* whole_name, int whole) {
        if (known(part_name) && known(whole_name)) rules.divides(part_name, part, whole_name, whole);
    };
    check_dimensions("text-heads", model.text_heads, "text-hidden", model.text_hidden);
    check_dimensions("vision-heads", model.vision_heads, "vision-width", model.vision_width);
    check_dimensions("patch-size", model.patch_size, "image-size", model.image_size);
    check_lengths(rules, options.generate);
    rules.refuse(known("text-positions") && options.generate.max_length > model.text_positions,
                 {"max-length", "model", "text-positions"},
                 "--max-length {} is more than the {} positions of the model", options.generate.max_length,
                 model.text_positions);
    check_sampling(rules, options.generate);
    if (options.verb == Verb::caption) check_caption_files(rules, options.write);
    if (options.verb == Verb::score) check_score(rules, options.score);
    if (options.verb == Verb::report) check_report(rules, options.show);
    if (options.verb == Verb::train) check_training(rules, known("vision-depth"));
    return rules.broken;
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
