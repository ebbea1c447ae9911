// Declares the options of training, checkpoints and the model.
#include <fmt/format.h>

#include <algorithm>

#include "src/options/declared.h"
#include "src/options/value.h"

namespace blip {
namespace {

void declare_schedule(OptionTable& table, Options& options) {
    TrainOptions& train = options.train;
    OptimOptions& optim = options.optim;
    table.group("Training", for_train);
    table.number("epochs", "N", "passes over the training captions; also the length of the learning rate's cosine",
                 at_least(1), train.epochs, another_run | often);
    table.number("max-steps", "N", "end after so many optimizer steps in all; 0 = no limit", at_least(0),
                 train.max_steps, same_run);
    table
        .number("seed", "N", "of order, augmentation, dropout, new weights and drawn captions", at_least(0), train.seed,
                another_run)
        .only_for(for_model)
        .often_for(for_train);
    table.number("global-batch", "N", "captions of one optimizer step, over all ranks", at_least(1), train.global_batch,
                 another_run | often);
    table.number("micro-batch", "N",
                 "captions a rank computes at once; must divide global-batch; sets the memory needed", at_least(1),
                 train.micro_batch, other_bits | often);
    table.number(
        "captions-per-picture", "K",
        "an epoch has every picture once, with K of its captions (all, if it has fewer): the encoder runs once "
        "for them; must divide micro-batch, which counts captions. 1: every caption with its picture",
        between(1, 64), train.captions_per_picture, another_run | often);
    table.flag("vit-grad-ckpt",
               "recompute activations of the last vit-ckpt-layer vision blocks in backward: less memory, a third more "
               "work there, the same bits",
               train.vit_grad_ckpt, same_run);
    table.number("vit-ckpt-layer", "N", "how many vision blocks, counted from the last, vit-grad-ckpt recomputes",
                 between(0, 1024), train.vit_ckpt_layer, same_run);
    table.number("init-lr", "X", "learning rate of the first epoch", above(0), optim.init_lr, another_run | often);
    table.number("min-lr", "X", "what the cosine over the epochs ends at", at_least(0), optim.min_lr, another_run);
    table.number("warmup-steps", "N",
                 "steps over which the learning rate rises linearly to the cosine's: (step + 1) / N of it; 0 = none",
                 at_least(0), optim.warmup_steps, another_run);
    table.number("clip-norm", "X",
                 "scale the gradient down to this L2 norm over all parameters where it is longer; 0 = never",
                 at_least(0), optim.clip_norm, another_run);
    table.number(
        "patience", "N",
        "end the run after so many epochs without a better score of its evaluation; 0 = all epochs. The cosine "
        "goes on to --epochs whatever this is",
        at_least(0), train.patience, same_run);
    table.choice("freeze", {"none", "vision"},
                 "vision: the picture encoder keeps the weights it starts with, which saves their gradients, moments "
                 "and backward pass",
                 train.freeze, another_run | often);
    table.number("weight-decay", "X", "AdamW's, on all parameters", at_least(0), optim.weight_decay, another_run);
    table.number("beta1", "X", "AdamW's decay of the mean gradient", share(), optim.beta1, another_run);
    table.number("beta2", "X", "AdamW's decay of the mean squared gradient", share(), optim.beta2, another_run);
    table.number("adam-eps", "X", "AdamW's epsilon", above(0), optim.eps, another_run);
}

void declare_objective(OptionTable& table, Options& options) {
    AugmentOptions& augment = options.augment;
    LossOptions& loss = options.loss;
    table.on_off("augment", "random crop, flip and operators of training pictures", augment.enabled, another_run);
    table
        .number("augment-operators", "N",
                "RandomAugment's operators drawn per training picture, each applied with p = .5; 0 = crop and flip "
                "only",
                between(0, 100), augment.operators, another_run)
        .comes_to([&augment] { return std::to_string(augment.enabled ? augment.operators : 0); });
    table.number("dropout", "P", "probability, everywhere in the decoder", share(), loss.dropout, another_run);
    table.number("drop-path", "P",
                 "stochastic depth: probability of leaving out a branch of the last vision block, rising from 0 at the "
                 "first; the preset large sets 0.1",
                 share(), loss.drop_path, another_run);
    table.number("label-smoothing", "P", "share of the target spread over the vocabulary", share(),
                 loss.label_smoothing, another_run);
    // the mean of micro-batches' means is another objective with micro-batches of another size
    table
        .choice("loss-average", {"tokens", "micro-batch"},
                "tokens: one mean over the tokens of the global batch, the same for any number of ranks; micro-batch: "
                "the mean of the micro-batches' means, as the reference job averages its ranks",
                loss.average, another_run)
        .comes_to([&loss, &train = options.train] {
            return loss.average == "tokens" ? loss.average : fmt::format("{} of {}", loss.average, train.micro_batch);
        });
}

// "cider=1,bleu4=0.5": names that are not there weigh nothing.
void set_reward(std::string_view text, SelfCriticalOptions& options) {
    SelfCriticalOptions read;
    read.cider = read.bleu4 = 0;
    std::vector<std::string> seen;
    while (true) {
        const std::string_view item = text.substr(0, text.find(','));
        const std::size_t equals = item.find('=');
        const std::string name = read_choice(item.substr(0, equals), {"cider", "bleu4"});
        if (equals == std::string_view::npos)
            throw BadValue(fmt::format("'{}' has no weight; '{}=1' would do", name, name));
        if (std::find(seen.begin(), seen.end(), name) != seen.end())
            throw BadValue(fmt::format("'{}' is listed twice", name));
        seen.push_back(name);
        read_number(item.substr(equals + 1), at_least(0), name == "cider" ? read.cider : read.bleu4);
        if (item.size() == text.size()) break;
        text.remove_prefix(item.size() + 1);
    }
    if (read.cider == 0 && read.bleu4 == 0) throw BadValue("all weights are 0: nothing is rewarded");
    options.cider = read.cider;
    options.bleu4 = read.bleu4;
}

void declare_self_critical(OptionTable& table, Options& options) {
    SelfCriticalOptions& own = options.self_critical;
    table
        .choice("objective", {"cross-entropy", "self-critical"},
                "cross-entropy: of the captions people wrote; self-critical: captions that the model draws learn from "
                "their own score, from --init of a trained run (jobs/self_critical.cfg has rate, epochs and dropout "
                "for it)",
                options.loss.objective, another_run)
        .comes_to([&options] {
            return options.is_self_critical()
                       ? fmt::format("self-critical with at most {} tokens", options.generate.max_length)
                       : options.loss.objective;
        });
    table.number("samples-per-picture", "N",
                 "self-critical: captions drawn of each picture; must divide micro-batch, which then counts them",
                 between(1, 64), own.samples_per_picture, another_run);
    table.choice("baseline", {"others", "greedy"},
                 "self-critical: what a sample's reward is compared with: the mean of the picture's other samples, or "
                 "the reward of its greedy caption",
                 own.baseline, another_run);
    table.own(
        "reward", "NAME=X,...",
        "self-critical: what a sample is rewarded for, with weights: cider (CIDEr-D with the end token as a word) and "
        "bleu4",
        [&own](std::string_view text) { set_reward(text, own); },
        [&own] { return fmt::format("cider={},bleu4={}", own.cider, own.bleu4); }, another_run);
    table
        .path("cider-df", "FILE",
              "self-critical: document frequencies of the reward's CIDEr, as score --write-cider-df FILE --end-token "
              "makes them, instead of those of the training split",
              own.cider_df, another_run)
        .comes_to([&own] { return own.cider_df.empty() ? "" : "of digest " + own.cider_df_digest; });
    table
        .number("kl", "X",
                "self-critical: keeps near the weights of --init: X times the divergence (KL) from their model's "
                "distribution of each drawn token is added to the loss; takes a copy of the weights and a pass of "
                "theirs; 0 = off",
                at_least(0), own.kl, another_run)
        .comes_to([&own] {
            return own.kl == 0 ? "0" : fmt::format("{} from weights of digest {}", own.kl, own.kl_start_digest);
        });
}

void declare_checkpoints(OptionTable& table, CheckpointOptions& checkpoint) {
    table.group("Checkpoints", for_train);
    table.number("checkpoint-every", "N", "steps between checkpoints, besides one at each epoch's end; 0 = off",
                 at_least(0), checkpoint.every_steps, same_run);
    table.number("checkpoint-minutes", "X", "minutes between checkpoints; 0 = off", at_least(0),
                 checkpoint.every_minutes, same_run);
    table.number("keep", "N", "newest checkpoints kept, besides the best weights", at_least(1), checkpoint.keep,
                 same_run);
    table.flag("fresh", "start over instead of resuming; the output folder must be empty", checkpoint.fresh,
               same_run | often);
}

}    // namespace

void declare_training(OptionTable& table, Options& options) {
    declare_schedule(table, options);
    declare_objective(table, options);
    declare_self_critical(table, options);
    declare_checkpoints(table, options.checkpoint);
}

void declare_model(OptionTable& table, Options& options) {
    table.group("Model", for_model);
    const std::vector<std::string> presets = {"base", "large", "tiny"};
    OptionSpec& preset = table.choice("model", presets,
                                      "preset of all dimensions: base = ViT-B/16 and BERT-base, large = ViT-L/16 and "
                                      "BERT-base, tiny = for demos and tests",
                                      options.model.preset, same_run);
    preset.set = [&options, presets](std::string_view text) {
        const std::string name = read_choice(text, presets);
        options.model = model_preset(name);
        options.loss.drop_path = preset_drop_path(name);
    };
    // a name; the dimensions and drop-path tell
    preset.often_for(for_train | for_export);
    for (const Dimension& dimension : model_dimensions())
        table.number(dimension.option, dimension.unit, dimension.meaning, between(1, dimension.most),
                     options.model.*dimension.member, another_run);
}

}    // namespace blip
