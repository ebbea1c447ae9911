// Declares the options of runs: files, training, checkpoints; the others are in option_table_more.cpp. Each is declared
// once. Read by parse.cpp and help.cpp.
#include "src/options/option_table.h"

#include "src/options/table_builder.h"

namespace blip {
namespace {

void add_general(TableBuilder& table) {
    table.group("General", for_all);
    // the file itself is read by parse_command_line
    OptionSpec& config =
        table.add("config", "FILE",
                  "options from a file, one `name = value` a line, or .yaml: the reference's own (caption_coco.yaml); "
                  "flags win over it");
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
        .path(
            "init", "PATH",
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
