// Declares every option of blip_mpi, once. Read by parse.cpp and help.cpp.
#include "option_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "option_value.h"

namespace blip {
namespace {

// Access to a field of ParsedCommandLine, const or not.
#define FIELD(path) \
    [](auto& given) -> auto& { return given.path; }

class TableBuilder {
  public:
    void group(std::string title, unsigned verbs) {
        group_ = std::move(title);
        verbs_ = verbs;
    }

    // at: FIELD of a number
    template <class Access>
    OptionSpec& number(std::string name, std::string value_name, std::string meaning, Range range, Access at) {
        OptionSpec& spec = add(std::move(name), std::move(value_name), std::move(meaning));
        spec.range = range.notation();
        spec.set = [range, at](ParsedCommandLine& given, std::string_view text) {
            read_number(text, range, at(given));
        };
        spec.get = [at](const ParsedCommandLine& given) { return fmt::format("{}", at(given)); };
        return spec;
    }
    // at: FIELD of a path
    template <class Access>
    OptionSpec& path(std::string name, std::string value_name, std::string meaning, Access at) {
        OptionSpec& spec = add(std::move(name), std::move(value_name), std::move(meaning));
        spec.set = [at](ParsedCommandLine& given, std::string_view text) {
            if (text.empty()) throw BadValue("needs a value");
            at(given) = text;
        };
        spec.get = [at](const ParsedCommandLine& given) { return at(given).string(); };
        return spec;
    }
    // at: FIELD of a string
    template <class Access>
    OptionSpec& choice(std::string name, std::vector<std::string> choices, std::string meaning, Access at) {
        OptionSpec& spec = add(std::move(name), fmt::format("{}", fmt::join(choices, "|")), std::move(meaning));
        spec.set = [choices, at](ParsedCommandLine& given, std::string_view text) {
            at(given) = read_choice(text, choices);
        };
        spec.get = [at](const ParsedCommandLine& given) { return at(given); };
        return spec;
    }
    // A switch; at: FIELD of a bool that becomes `when_given`.
    template <class Access>
    OptionSpec& flag(std::string name, std::string meaning, bool when_given, Access at) {
        OptionSpec& spec = add(std::move(name), "", std::move(meaning));
        spec.set = [=](ParsedCommandLine& given, std::string_view text) {
            at(given) = read_on_off(text) == when_given;
        };
        spec.get = [=](const ParsedCommandLine& given) { return show_on_off(at(given) == when_given); };
        return spec;
    }
    OptionSpec& add(std::string name, std::string value_name, std::string meaning) {
        OptionSpec& spec = table_.emplace_back();
        spec.name = std::move(name);
        spec.group = group_;
        spec.value_name = std::move(value_name);
        spec.meaning = std::move(meaning);
        spec.verbs = verbs_;
        return spec;
    }
    std::vector<OptionSpec> take() { return std::move(table_); }

  private:
    std::vector<OptionSpec> table_;
    std::string group_;
    unsigned verbs_ = for_all;
};

void add_general(TableBuilder& table) {
    table.group("General", for_all);
    // the file itself is read by parse_command_line
    OptionSpec& config =
        table.add("config", "FILE", "options from a file, one `name = value` a line; flags win over it");
    config.set = [](ParsedCommandLine&, std::string_view text) {
        if (text.empty()) throw BadValue("needs a value");
    };
    config.get = [](const ParsedCommandLine&) { return std::string(); };
    config.command_line_only = true;

    OptionSpec& evaluate = table.add("evaluate", "", "the verb `evaluate`, when none is written");
    evaluate.set = [](ParsedCommandLine& given, std::string_view) { given.options.verb = Verb::evaluate; };
    evaluate.get = [](const ParsedCommandLine& given) { return show_on_off(given.options.verb == Verb::evaluate); };
    evaluate.verbs = for_data;
    evaluate.command_line_only = true;

    OptionSpec& dry_run =
        table.flag("dry-run", "check files, shapes and divisibility, then end", true, FIELD(options.dry_run));
    dry_run.verbs = for_data;
    dry_run.command_line_only = true;
    table
        .flag("print-config", "print the options a run would use as a config file, then end", true,
              FIELD(options.print_config))
        .command_line_only = true;
    table.flag("help", "this text", true, FIELD(help)).command_line_only = true;
    table.flag("version", "print the versions of program and libraries, then end", true, FIELD(version))
        .command_line_only = true;
}

void add_files(TableBuilder& table) {
    table.group("Files", for_data);
    table.path("data", "FILE", "packed data set made by coco_pack", FIELD(options.data.file));
    table
        .path("init", "PATH",
              "weights to start from, told by content: a run's folder, its best/, a checkpoint, a .pth of the reference, "
              "a .safetensors file or its index, a Hugging Face folder",
              FIELD(options.init))
        .verbs = for_computing;
    table.path("output", "DIR", "where checkpoints, best weights, logs and results go",
               FIELD(options.checkpoint.output));
    table
        .number("loader-threads", "N",
                "threads per rank that read and transform pictures; 0 = half of the rank's cores, or all of them "
                "for a GPU or where pictures are stored as JPEGs",
                between(0, 1024), FIELD(options.data.loader_threads))
        .verbs = for_computing;
    table
        .number(
            "prefetch", "N",
            "batches kept ready; each takes images x 3 x image-size^2 bytes per rank, for a GPU the pictures' crops",
            between(1, 1024), FIELD(options.data.prefetch_batches))
        .verbs = for_computing;
}

void add_training(TableBuilder& table) {
    table.group("Training", for_train);
    table.number("epochs", "N", "passes over the training captions; also the length of the learning rate's cosine",
                 at_least(1), FIELD(options.train.epochs));
    table.number("max-steps", "N", "end after so many optimizer steps in all; 0 = no limit", at_least(0),
                 FIELD(options.train.max_steps));
    table
        .number("seed", "N", "of order, augmentation, dropout, new weights and drawn captions", at_least(0),
                FIELD(options.train.seed))
        .verbs = for_all;
    table.number("global-batch", "N", "captions of one optimizer step, over all ranks", at_least(1),
                 FIELD(options.train.global_batch));
    table.number("micro-batch", "N",
                 "captions a rank computes at once; must divide global-batch; sets the memory needed", at_least(1),
                 FIELD(options.train.micro_batch));
    table.flag("vit-grad-ckpt",
               "recompute activations of the last vit-ckpt-layer vision blocks in backward: less memory, a third more "
               "work there, the same bits",
               true, FIELD(options.train.vit_grad_ckpt));
    table.number("vit-ckpt-layer", "N", "how many vision blocks, counted from the last, vit-grad-ckpt recomputes",
                 between(0, 1024), FIELD(options.train.vit_ckpt_layer));
    OptionSpec& augment = table.add("augment", "on|off", "random crop, flip and operators of training pictures");
    augment.set = [](ParsedCommandLine& given, std::string_view text) {
        given.options.augment.enabled = read_on_off(text);
    };
    augment.get = [](const ParsedCommandLine& given) { return show_on_off(given.options.augment.enabled); };
    table.number(
        "augment-operators", "N",
        "RandomAugment's operators drawn per training picture, each applied with p = .5; 0 = crop and flip only",
        between(0, 100), FIELD(options.augment.operators));
    table.number("dropout", "P", "probability, everywhere in the decoder", share(), FIELD(options.loss.dropout));
    table.number("drop-path", "P",
                 "stochastic depth: probability of leaving out a branch of the last vision block, rising from 0 at the "
                 "first; the preset large sets 0.1",
                 share(), FIELD(options.loss.drop_path));
    table.number("label-smoothing", "P", "share of the target spread over the vocabulary", share(),
                 FIELD(options.loss.label_smoothing));
    table.choice(
        "loss-average", {"tokens", "micro-batch"},
        "tokens: one mean over the tokens of the global batch, the same for any number of ranks; micro-batch: the "
        "mean of the micro-batches' means, as the reference job averages its ranks",
        FIELD(options.loss.average));
    table.number("init-lr", "X", "learning rate of the first epoch", above(0), FIELD(options.optim.init_lr));
    table.number("min-lr", "X", "what the cosine over the epochs ends at", at_least(0), FIELD(options.optim.min_lr));
    table.number("weight-decay", "X", "AdamW's, on all parameters", at_least(0), FIELD(options.optim.weight_decay));
    table.number("beta1", "X", "AdamW's decay of the mean gradient", share(), FIELD(options.optim.beta1));
    table.number("beta2", "X", "AdamW's decay of the mean squared gradient", share(), FIELD(options.optim.beta2));
    table.number("adam-eps", "X", "AdamW's epsilon", above(0), FIELD(options.optim.eps));
}

void add_checkpoints(TableBuilder& table) {
    table.group("Checkpoints", for_train);
    table.number("checkpoint-every", "N", "steps between checkpoints, besides one at each epoch's end; 0 = off",
                 at_least(0), FIELD(options.checkpoint.every_steps));
    table.number("checkpoint-minutes", "X", "minutes between checkpoints; 0 = off", at_least(0),
                 FIELD(options.checkpoint.every_minutes));
    table.number("keep", "N", "newest checkpoints kept, besides the best weights", at_least(1),
                 FIELD(options.checkpoint.keep));
    table.flag("fresh", "start over instead of resuming; the output folder must be empty", true,
               FIELD(options.checkpoint.fresh));
}

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
    table.flag("sample", "draw each token at random (nucleus sampling) instead of searching", true,
               FIELD(options.generate.sample))
        .verbs = for_generating;
    table.number("top-k", "N", "sampling draws from the N likeliest tokens; 0 = from all", at_least(0),
                 FIELD(options.generate.top_k))
        .verbs = for_generating;
    table.number("top-p", "P", "sampling draws from the likeliest tokens that together have this probability",
                 between(0, 1), FIELD(options.generate.top_p))
        .verbs = for_generating;
    table.number("num-captions", "N", "captions of each picture; without --sample at most num-beams", between(1, 256),
                 FIELD(options.generate.num_captions))
        .verbs = for_caption;
    table.path("prompts", "FILE",
               "JSON object with prompts of their own for pictures, by image id (evaluate) or file (caption)",
               FIELD(options.generate.prompts))
        .verbs = for_generating;
    OptionSpec& prompt = table.add("prompt", "TEXT",
                                   "how each caption begins; it is cut off again (quote it in a config "
                                   "file: it ends with a space)");
    prompt.verbs = for_generating;
    prompt.set = [](ParsedCommandLine& given, std::string_view text) {
        if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }))
            throw BadValue("must be one line of text");
        if (!text.empty() && text.back() != ' ') throw BadValue(fmt::format("'{}' must end with a space", text));
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
    table.number("eval-batch", "N", "pictures a rank captions at once", at_least(1), FIELD(options.evaluate.batch))
        .verbs = for_computing;
    table
        .flag("json",
              "one JSON object a line: file, caption and log_probability (natural logarithm), or file and error", true,
              FIELD(options.json))
        .verbs = for_caption;
    table
        .number("log-samples", "N", "captions shown after each evaluation", at_least(0),
                FIELD(options.train.log_samples))
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
    table.flag("overwrite", "replace what is at --to", true, FIELD(options.export_to.overwrite)).command_line_only = true;
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
        .number("bucket-mb", "MiB", "gradients are reduced in pieces of about this size", between(0.001, 65536),
                FIELD(options.comm.bucket_mb))
        .verbs = for_train;
}

#undef FIELD

}    // namespace

const std::vector<OptionSpec>& option_table() {
    static const std::vector<OptionSpec> table = [] {
        TableBuilder builder;
        add_general(builder);
        add_files(builder);
        add_training(builder);
        add_checkpoints(builder);
        add_model(builder);
        add_captions(builder);
        add_export(builder);
        add_machine(builder);
        return builder.take();
    }();
    return table;
}

}    // namespace blip
