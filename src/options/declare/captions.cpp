// Declares the options of captions and evaluation, export, score, verify, report and status.
#include "src/options/declared.h"
#include "src/options/value.h"

namespace blip {
namespace {

void declare_search(OptionTable& table, GenerateOptions& generate) {
    table.group("Captions and evaluation", for_computing);
    table.number("num-beams", "N", "beams of the search; 1 = greedy", between(1, 256), generate.num_beams, other_scores)
        .often_for(for_generating);
    table.choice("search", {"blip", "transformers"},
                 "whose rules the beam search has: the reference's, or those of Hugging Face transformers' generate(), "
                 "which ranks captions by log-probability / generated tokens^X",
                 generate.search, other_scores);
    table
        .number("max-length", "TOKENS", "longest caption, prompt included", at_least(1), generate.max_length,
                other_scores)
        .often_for(for_generating);
    table
        .number("min-length", "TOKENS", "shortest caption, prompt included", at_least(0), generate.min_length,
                other_scores)
        .often_for(for_generating);
    table.number("length-penalty", "X",
                 "captions of the search are ranked by log-probability / length^X; more = longer captions",
                 any_number(), generate.length_penalty, other_scores);
    table.number("repetition-penalty", "X",
                 "factor on the log-probability of tokens that were used; 1 = none, more = fewer "
                 "repetitions; 0 = the reference's: 1, or 1.1 with --sample or --nocaps",
                 at_least(0), generate.repetition_penalty, other_scores);
    table
        .flag("sample",
              "draw each token at random (nucleus sampling) instead of searching; depends on --seed and the image id "
              "(caption: the picture's pixels) alone",
              generate.sample, often)
        .only_for(for_generating);
    table.number("top-k", "N", "sampling draws from the N likeliest tokens; 0 = from all", at_least(0), generate.top_k)
        .only_for(for_generating);
    table
        .number("top-p", "P", "sampling draws from the likeliest tokens that together have this probability",
                between(0, 1), generate.top_p)
        .only_for(for_generating);
    table
        .number("num-captions", "N",
                "captions of each picture: the best of the search, at most num-beams, or draws with --sample",
                between(1, 256), generate.num_captions, often)
        .only_for(for_caption);
}

void declare_prompts(OptionTable& table, GenerateOptions& generate) {
    table
        .path("prompts", "FILE",
              "JSON object with prompts of their own for pictures, by image id (evaluate), file as given or its base "
              "name (caption)",
              generate.prompts)
        .only_for(for_generating);
    OptionSpec& prompt =
        table.text("prompt", "TEXT", "how each caption begins; it is cut off again (a space at its end is added)",
                   generate.prompt, often);
    prompt.only_for(for_generating);
    prompt.set = [&generate](std::string_view text) {
        if (const auto problem = prompt_problem(text)) throw BadValue(*problem);
        generate.prompt = complete_prompt(text);
    };
}

void declare_evaluation(OptionTable& table, EvaluateOptions& evaluate) {
    table.group("Captions and evaluation", for_data);
    table
        .list("split", "val,test", {"train", "val", "test"},
              "splits to caption and score; in training the first one decides which weights are best (any of train, "
              "val, test)",
              evaluate.splits, other_scores)
        .often_for(for_evaluate);
    table
        .number("limit", "N", "only the first N pictures of each split; 0 = all", at_least(0), evaluate.limit,
                other_scores)
        .often_for(for_evaluate);
    table
        .path("meteor-data", "DIR",
              "tables for METEOR, which env/setup.sh --with-meteor fetches to its default, "
              "~/.cache/blip_mpi/meteor-1.5; an error (66) where DIR lacks them. Without them METEOR is not computed",
              evaluate.meteor_data, same_run)
        .only_for(for_data | for_score)
        .often_for(for_score);
    table
        .number("eval-batch", "N", "pictures a rank captions at once; 0 = 128 on a GPU, 16 on the CPU", at_least(0),
                evaluate.batch, other_scores)
        .only_for(for_computing);
    table
        .path("cider-df", "FILE",
              "document frequencies of CIDEr, as score --write-cider-df makes them ({\"documents\": N, \"df\": {\"a "
              "dog\": IMAGES, ...}}), instead of those of the references that are scored; coco-val2014: COCO's, which "
              "are "
              "kept once they are made",
              evaluate.cider_df, often)
        .only_for(for_evaluate | for_score);
    table
        .path("nocaps", "FILE",
              "NoCaps' annotation file, for its pictures: results in the form its server takes, and scores of in-, "
              "near- and out-of-domain pictures",
              evaluate.nocaps)
        .only_for(for_evaluate);
}

void declare_caption_files(OptionTable& table, CaptionFileOptions& write) {
    table.group("Captions into files", for_caption);
    table.choice("write", {"txt", "csv", "jsonl"},
                 "txt: a file of that name beside each picture, a caption a line; csv, jsonl: one file, which a second "
                 "run completes; nothing is printed then",
                 write.form, often | command_line_only);
    table.path("output", "PATH", "with --write: the file; with --write txt: a folder for the files", write.output,
               often | command_line_only);
    table.text("prefix", "TEXT", "written before each caption", write.prefix, command_line_only);
    table.text("suffix", "TEXT", "written behind each caption", write.suffix, command_line_only);
    table.flag("skip-existing", "leave out pictures that have a .txt already", write.skip_existing,
               often | command_line_only);
    table.flag("overwrite", "replace what is there", write.overwrite, often | command_line_only);
}

void declare_logging(OptionTable& table, Options& options) {
    TrainOptions& train = options.train;
    table
        .on_off("exif-orientation",
                "turn photos as their EXIF data say the camera was held, as viewers do; training and evaluation take "
                "pictures as they are stored, as the reference does",
                options.exif_orientation)
        .only_for(for_caption);
    table
        .flag("json",
              "one JSON object a line: file, caption and log_probability (natural logarithm), with several captions of "
              "a picture also index, from 0; or file and error",
              options.json, often)
        .only_for(for_caption);
    table.group("Captions and evaluation", for_train);
    table.number("log-samples", "N", "captions shown after each evaluation", at_least(0), train.log_samples, same_run);
    table.flag("log-sample-ids",
               "log.jsonl gets the rows of the captions that each step trained on, as its ranks report them",
               train.log_sample_ids, same_run);
    table.number("profile-steps", "N",
                 "a Chrome trace of N steps, CPU and GPU, after two to warm up: each rank's in "
                 "OUTPUT/profile_rankR.json (chrome://tracing, ui.perfetto.dev); 0 = none",
                 between(0, 100), train.profile_steps, same_run);
    table.flag(
        "trace",
        "each rank writes when it reads, computes, waits, saves and evaluates to OUTPUT/trace/rank_R.jsonl, some "
        "kilobytes a step; report --trace makes one timeline of them",
        train.trace, same_run);
    table.flag("no-evaluate", "no evaluation after each epoch", train.evaluate, same_run, false);
    table.flag("no-report", "no OUTPUT/report.html, which is made in the background after each evaluation",
               train.report, same_run, false);
    table.flag("no-tensorboard", "no event files in OUTPUT/tensorboard, which are written in the background",
               train.tensorboard, same_run, false);
    table.path("metrics-file", "FILE",
               "Prometheus' text format for a collector of such files (FILE.prom): step, loss, pairs/s, ETA, scores, "
               "time of the last checkpoint; replaced every ten seconds",
               train.metrics_file, same_run);
}

// A file more each time that it is given.
void declare_compared(OptionTable& table, ScoreOptions& score) {
    table.own(
        "compare", "FILE",
        "captions of another system, scored beside --results: intervals, and for every pair of systems the difference "
        "with p-values of a paired bootstrap and a paired randomisation; may be given several times",
        [&score](std::string_view text) {
            if (text.empty()) throw BadValue("needs a value");
            score.compare.emplace_back(text);
        },
        [&score] {
            std::string all;
            for (const auto& file : score.compare) all += (all.empty() ? "" : " ") + file.string();
            return all;
        },
        command_line_only | often | repeatable);
}

void declare_score_output(OptionTable& table, Options& options) {
    ScoreOptions& score = options.score;
    table
        .path("per-image", "FILE",
              "write each image's file, caption, references, lengths and scores, in the form that the name's ending "
              "says: .json, .jsonl, .csv or .tsv; evaluate writes one for each split, with its name before the ending",
              score.per_image, command_line_only)
        .only_for(for_score | for_evaluate)
        .often_for(for_score);
    table.path("output", "FILE",
               "write {\"CIDEr\": {\"score\": X, \"per_item\": {\"ID\": X}}, ...}, as capevalkit's metrics do, and the "
               "folders of FILE that are missing",
               score.output, command_line_only);
    table.path(
        "write-cider-df", "FILE",
        "write document frequencies of all images of --references, for --cider-df; --results may be left out then. "
        "coco-val2014 as FILE: kept for --cider-df coco-val2014",
        score.write_cider_df, command_line_only | often);
    table.flag("end-token",
               "count for --write-cider-df as the reward of self-critical training does, for train's --cider-df: the "
               "end token as a word, no final full stop",
               score.end_token, command_line_only);
    table.path(
        "spice", "FILE",
        "SPICE that another program computed, to be told beside the scores: {\"ID\": score, ...}, or rows with an "
        "id and a score",
        score.spice, command_line_only);
    table.path("clip", "DIR",
               "compute CLIPScore and RefCLIPScore, too, with the CLIP model in DIR (Hugging Face's form: config.json, "
               "weights, vocab.json, merges.txt), on the CPU; it needs --images",
               score.clip, command_line_only);
    table.path("images", "DIR",
               "with --clip: the folder of the pictures, found by the file names that references or results have, or "
               "by ids, in folders below it, too; --image-dir is the same",
               score.pictures, command_line_only);
    table.path("compile-meteor", "DIR",
               "write the index of METEOR's tables in DIR beside them, and end: without it each start compiles them",
               score.compile_meteor, command_line_only);
    table.choice("table", {"text", "markdown", "latex"}, "how the scores are printed", score.table,
                 command_line_only | often);
    table.flag("percent", "print scores times 100, as papers do; not with --json", score.percent, command_line_only);
    table.number("worst", "N", "show the N images with the lowest CIDEr (or the first of --metrics)", at_least(0),
                 score.worst, command_line_only);
    table.flag("json",
               "print one JSON object with the keys of pycocoevalcap and a \"signature\"; of a part (--allow-missing) "
               "also \"images\", the number scored, and \"images_missing\"",
               options.json, command_line_only | often);
}

}    // namespace

void declare_captions(OptionTable& table, Options& options) {
    declare_search(table, options.generate);
    declare_prompts(table, options.generate);
    declare_evaluation(table, options.evaluate);
    declare_logging(table, options);
    declare_caption_files(table, options.write);
}

void declare_export(OptionTable& table, Options& options) {
    ExportOptions& target = options.export_to;
    table.group("Export", for_export);
    table.path("from", "PATH",
               "weights to write, in any form that --init takes; the word random: new weights from --seed and --model",
               target.from, often);
    table.path("to", "PATH", "NAME.pth or NAME.safetensors: one file; else a folder that holds all --init needs",
               target.to, often);
    table.choice("names", {"reference", "huggingface"},
                 "of the parameters; huggingface: a folder that transformers' from_pretrained loads", target.names,
                 often);
    table.choice("dtype", {"fp32", "bf16", "fp16"}, "of the values written; fp32 keeps every bit", target.dtype, often);
    table.flag("overwrite", "replace what is at --to", target.overwrite, command_line_only | often);
}

void declare_score(OptionTable& table, Options& options) {
    ScoreOptions& score = options.score;
    table.group("Scores", for_score);
    table.path(
        "references", "FILE",
        "captions that people wrote: COCO's or NoCaps' caption file, Karpathy's dataset_coco.json, the reference "
        "job's coco_karpathy_{val,test}.json, a packed data set, {\"ID\": [\"caption\", ...]}, JSON lines, CSV or "
        "TSV with a heading, a folder of ID.txt; - is standard input",
        score.references, command_line_only | often);
    table.path(
        "results", "FILE",
        "captions to score: [{\"image_id\": ID, \"caption\": TEXT}, ...], what caption --json or --write wrote, JSON "
        "lines, CSV or TSV with a heading, a folder of ID.txt; several files with commas between them are runs of "
        "one system, whose mean is compared; --predictions is the same",
        score.results, command_line_only | often);
    declare_compared(table, score);
    table.flag("intervals", "tell 95 % intervals of the scores: percentiles of 2,000 bootstrap resamples of the images",
               score.intervals, command_line_only | often);
    table.number("seed", "N", "of the resamples", at_least(0), score.seed, command_line_only);
    table.list("split", "A,B", {"train", "val", "test"},
               "of dataset_coco.json or a packed data set, one or several; all if left out", score.splits,
               command_line_only | often);
    table.text("id-column", "NAME",
               "column that has the id, in tables and JSON lines; looked for before the usual names", score.id_column,
               command_line_only);
    table.text("caption-column", "NAME", "likewise the caption", score.caption_column, command_line_only);
    table.list("metrics", "A,B", {"bleu", "meteor", "rouge_l", "cider"},
               "which of bleu,meteor,rouge_l,cider; all if left out, but METEOR where its tables are not installed",
               score.metrics, command_line_only | often);
    table.flag("allow-missing",
               "score the images there are results for; without it a missing one is an error, as scores of a part are "
               "other numbers",
               score.allow_missing, command_line_only | often);
    declare_score_output(table, options);

    table.group("Verification", for_verify);
    table.flag("deep", "read every byte and compare digests", options.verify.deep, command_line_only | often);
    table.flag("json", "print one JSON object", options.json, command_line_only | often);

    ShowOptions& show = options.show;
    table.group("Report", for_report);
    table.path("out", "FILE", "the page to write; one that is there is replaced", show.page, command_line_only | often);
    table.path("trace", "FILE",
               "write the timeline of a run that was trained with --trace there, for ui.perfetto.dev, and no page",
               show.trace, command_line_only | often);
    table.number("pictures", "N", "how many are shown of each kind: best, median, worst, changed most; 0 = none",
                 between(0, 1000), show.pictures, command_line_only | often);
    table.group("Status", for_status);
    table.flag("watch", "again every two seconds, until Ctrl-C", show.watch, command_line_only | often);
}

}    // namespace blip
