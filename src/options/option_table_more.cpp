// Declares the options of the model, captions, export and the machine; the others are in option_table.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "blip/options/parse.h"
#include "src/options/table_builder.h"

namespace blip {

void add_model(TableBuilder& table) {
    table.group("Model", for_all);
    table
        .choice("model", {"base", "large", "tiny"},
                "preset of all dimensions: base = ViT-B/16 and BERT-base, large = ViT-L/16 and BERT-base, tiny = for "
                "demos and tests",
                FIELD(options.model.preset))
        .set = [](ParsedCommandLine& given, std::string_view text) {
        const std::string preset = read_choice(text, {"base", "large", "tiny"});
        given.options.model = model_preset(preset);
        given.options.loss.drop_path = preset_drop_path(preset);
    };
    const Range size = between(1, 65536), count = between(1, 1024);
    table.number("text-hidden", "N", "width of the decoder", size, FIELD(options.model.text_hidden));
    table.number("text-heads", "N", "attention heads of the decoder; must divide text-hidden", count,
                 FIELD(options.model.text_heads));
    table.number("text-intermediate", "N", "width of the decoder's feed-forward part", size,
                 FIELD(options.model.text_intermediate));
    table.number("text-layers", "N", "layers of the decoder", count, FIELD(options.model.text_layers));
    table.number("vision-width", "N", "width of the vision encoder", size, FIELD(options.model.vision_width));
    table.number("vision-depth", "N", "layers of the vision encoder", count, FIELD(options.model.vision_depth));
    table.number("vision-heads", "N", "attention heads of the vision encoder; must divide vision-width", count,
                 FIELD(options.model.vision_heads));
    table.number("image-size", "PIXELS", "side of the square that pictures are resized to", between(1, 8192),
                 FIELD(options.model.image_size));
    table.number("patch-size", "PIXELS", "side of a patch; must divide image-size", between(1, 8192),
                 FIELD(options.model.patch_size));
}

void add_captions(TableBuilder& table) {
    table.group("Captions and evaluation", for_computing);
    table.number("num-beams", "N", "beams of the search; 1 = greedy", between(1, 256),
                 FIELD(options.generate.num_beams));
    table.number("max-length", "TOKENS", "longest caption, prompt included", at_least(1),
                 FIELD(options.generate.max_length));
    table.number("min-length", "TOKENS", "shortest caption, prompt included", at_least(0),
                 FIELD(options.generate.min_length));
    table.number("length-penalty", "X", "hypotheses are ranked by log-probability / length^X", any_number(),
                 FIELD(options.generate.length_penalty));
    table.number("repetition-penalty", "X",
                 "factor on the log-probability of tokens that were used; 1 = none, more = fewer "
                 "repetitions; 0 = the reference's: 1, or 1.1 with --sample",
                 at_least(0), FIELD(options.generate.repetition_penalty));
    table
        .flag("sample",
              "draw each token at random (nucleus sampling) instead of searching; hangs on --seed and the image id "
              "(caption: the picture's pixels) alone",
              true, FIELD(options.generate.sample))
        .verbs = for_generating;
    table
        .number("top-k", "N", "sampling draws from the N likeliest tokens; 0 = from all", at_least(0),
                FIELD(options.generate.top_k))
        .verbs = for_generating;
    table
        .number("top-p", "P", "sampling draws from the likeliest tokens that together have this probability",
                between(0, 1), FIELD(options.generate.top_p))
        .verbs = for_generating;
    table
        .number("num-captions", "N",
                "captions of each picture: the best of the search, at most num-beams, or draws with --sample",
                between(1, 256), FIELD(options.generate.num_captions))
        .verbs = for_caption;
    table
        .path("prompts", "FILE",
              "JSON object with prompts of their own for pictures, by image id (evaluate), file as given or its base "
              "name "
              "(caption)",
              FIELD(options.generate.prompts))
        .verbs = for_generating;
    OptionSpec& prompt = table.add("prompt", "TEXT",
                                   "how each caption begins; it is cut off again (quote it in a config "
                                   "file: it ends with a space)");
    prompt.verbs = for_generating;
    prompt.set = [](ParsedCommandLine& given, std::string_view text) {
        if (const auto problem = prompt_problem(text)) throw BadValue(*problem);
        given.options.generate.prompt = text;
    };
    prompt.get = [](const ParsedCommandLine& given) { return given.options.generate.prompt; };

    table.group("Captions and evaluation", for_data);
    OptionSpec& split = table.add("split", "val,test",
                                  "splits to caption and score; in training the first one tells which "
                                  "weights are best (any of train, val, test)");
    split.set = [](ParsedCommandLine& given, std::string_view text) {
        given.options.evaluate.splits = read_list(text, {"train", "val", "test"});
    };
    split.get = [](const ParsedCommandLine& given) {
        return fmt::format("{}", fmt::join(given.options.evaluate.splits, ","));
    };
    table.number("limit", "N", "only the first N pictures of each split; 0 = all", at_least(0),
                 FIELD(options.evaluate.limit));
    table.path("meteor-data", "DIR",
               "tables for METEOR, which env/setup.sh --with-meteor fetches to its default, "
               "~/.cache/blip_mpi/meteor-1.5; without them METEOR is not computed",
               FIELD(options.evaluate.meteor_data));
    table
        .number("eval-batch", "N", "pictures a rank captions at once; 0 = 128 on a GPU, 16 on the CPU", at_least(0),
                FIELD(options.evaluate.batch))
        .verbs = for_computing;
    table
        .path("cider-df", "FILE",
              "document frequencies of CIDEr, as score --write-cider-df makes them, instead of the references' own",
              FIELD(options.evaluate.cider_df))
        .verbs = for_evaluate;
    table
        .path("nocaps", "FILE",
              "NoCaps' annotation file, for its pictures: results in the form its server takes, and scores of in-, "
              "near- and out-of-domain pictures",
              FIELD(options.evaluate.nocaps))
        .verbs = for_evaluate;
    table
        .flag(
            "json",
            "one JSON object a line: file, caption and log_probability (natural logarithm), with several captions of a "
            "picture also index, from 0; or file and error",
            true, FIELD(options.json))
        .verbs = for_caption;
    table
        .number("log-samples", "N", "captions shown after each evaluation", at_least(0),
                FIELD(options.train.log_samples))
        .verbs = for_train;
    table
        .flag("log-sample-ids",
              "log.jsonl gets the rows of the captions that each step trained on, as its ranks report them", true,
              FIELD(options.train.log_sample_ids))
        .verbs = for_train;
    table
        .number(
            "profile-steps", "N",
            "a Chrome trace of N steps, CPU and GPU, after two to warm up: each rank's in OUTPUT/profile_rankR.json "
            "(chrome://tracing, ui.perfetto.dev); 0 = none",
            between(0, 100), FIELD(options.train.profile_steps))
        .verbs = for_train;
    table.flag("no-evaluate", "no evaluation after each epoch", false, FIELD(options.train.evaluate)).verbs = for_train;
}

void add_export(TableBuilder& table) {
    table.group("Export", for_export);
    table.path("from", "PATH",
               "weights to write, in any form that --init takes; the word random: new weights from --seed and --model",
               FIELD(options.export_to.from));
    table.path("to", "PATH", "NAME.pth or NAME.safetensors: one file; else a folder that holds all --init needs",
               FIELD(options.export_to.to));
    table.choice("names", {"reference", "huggingface"},
                 "of the parameters; huggingface: a folder that transformers' from_pretrained loads",
                 FIELD(options.export_to.names));
    table.choice("dtype", {"fp32", "bf16", "fp16"}, "of the values written; fp32 keeps every bit",
                 FIELD(options.export_to.dtype));
    table.flag("overwrite", "replace what is at --to", true, FIELD(options.export_to.overwrite)).command_line_only =
        true;
}

void add_machine(TableBuilder& table) {
    table.group("Machine", for_data);
    table
        .number("threads", "N", "compute threads per rank; 0 = cores / ranks on this host", between(0, 4096),
                FIELD(options.runtime.threads))
        .verbs = for_all;
    table
        .choice("device", {"auto", "cpu", "cuda"},
                "what computes: cuda = one GPU per rank; auto = cuda where the driver shows a GPU, else cpu",
                FIELD(options.runtime.device))
        .verbs = for_computing;
    table
        .choice("precision", {"auto", "fp32", "bf16"},
                "of weights and activations; gradients, moments and the masters that are updated are fp32 in any "
                "case; auto = bf16 on cuda, fp32 on cpu",
                FIELD(options.runtime.precision))
        .verbs = for_computing;
    table
        .flag("allow-tf32", "cuda: fp32 matrix products may round their factors to 10 bits (TF32)", true,
              FIELD(options.runtime.allow_tf32))
        .verbs = for_computing;
    table
        .flag("deterministic", "cuda: only algorithms that repeat bit for bit (slower); the CPU's always do", true,
              FIELD(options.runtime.deterministic))
        .verbs = for_computing;
    table.flag("no-progress", "no progress line or lines", false, FIELD(options.runtime.progress)).verbs = for_all;
    table.number("comm-timeout", "SECONDS", "a collective in which nothing arrives for so long ends the job", above(0),
                 FIELD(options.comm.timeout_s));
    table
        .number("bucket-mb", "MiB", "gradients are reduced in pieces of about this size; 0 = 32, for GPUs 128",
                between(0, 65536), FIELD(options.comm.bucket_mb))
        .verbs = for_train;
}

}    // namespace blip
