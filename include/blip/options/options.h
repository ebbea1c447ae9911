// Every knob of blip_mpi as plain structs: meaning, unit, default, cost. options/parse fills them from flags and a
// config file; a component receives only its own sub-struct. The defaults reproduce the reference job.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace blip {

// Where samples come from and how they are read.
struct DataOptions {
    std::filesystem::path file;    // packed HDF5 file made by coco_pack (--data)
    // threads that read and transform, per rank; 0 = half of the rank's cores, or all for a GPU or a file of JPEGs
    int loader_threads = 0;
    int prefetch_batches = 3;    // micro-batches kept ready; each costs micro_batch * 3 * image_size^2 bytes

    bool operator==(const DataOptions&) const = default;
};

// The training transform. Values of the paper.
struct AugmentOptions {
    bool enabled = true;           // off: training sees the evaluation transform (--augment off)
    double min_scale = 0.5;        // smallest share of the picture's area that a crop covers
    double max_scale = 1.0;        // largest share
    double min_ratio = 0.75;       // smallest width : height of a crop
    double max_ratio = 4.0 / 3;    // largest
    double flip = 0.5;             // probability of a horizontal flip
    int operators = 2;             // RandomAugment's N: operators drawn per picture, each applied with p = .5; 0 = none

    bool operator==(const AugmentOptions&) const = default;
};

// Shape of the network. preset fills the rest; each dimension can be set on its own. What knows them all is the table
// in model_shape.h.
struct ModelOptions {
    std::string preset = "base";    // base (ViT-B/16 + BERT-base), large (ViT-L/16 + BERT-base) or tiny
    int text_hidden = 768;
    int text_heads = 12;
    int text_intermediate = 3072;
    int text_layers = 12;
    int text_positions = 512;    // learned positions (longest text)
    int vision_width = 768;
    int vision_depth = 12;
    int vision_heads = 12;
    int image_size = 384;    // pixels; a multiple of patch_size
    int patch_size = 16;

    bool operator==(const ModelOptions&) const = default;
};

struct LossOptions {
    std::string objective = "cross-entropy";    // or self-critical: captions learn from the score of samples
    double label_smoothing = 0.1;
    double dropout = 0.1;    // everywhere in the decoder
    double drop_path = 0;    // stochastic depth: the last vision block's probability, rising from 0 at the first
    std::string average =
        "tokens";    // tokens: one mean over the global batch; micro-batch: mean of per-micro-batch means

    bool operator==(const LossOptions&) const = default;
};

// Training on the score that captions are judged by (--objective self-critical).
struct SelfCriticalOptions {
    int samples_per_picture = 5;    // drawn captions of each picture; batches count them
    std::string baseline =
        "others";        // what a sample must beat: others (the mean of the picture's other ones) or greedy
    double cider = 1;    // weights of the scores that make the reward (--reward)
    double bleu4 = 0;
    double kl = 0;                     // weight of the divergence from the start's model in the loss
    std::string kl_start_digest;       // of that model's weights, once they were read
    std::filesystem::path cider_df;    // the reward's document frequencies; empty: those of the training split
    std::string cider_df_digest;       // of that file, once it was looked at

    bool operator==(const SelfCriticalOptions&) const = default;
};

struct OptimOptions {
    double init_lr = 1e-5;    // learning rate of the first epoch
    double min_lr = 0;        // what the cosine would reach at the end
    double weight_decay = 0.05;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
    double clip_norm = 0;    // the gradient's global L2 norm is scaled down to this; 0 = as it is (--clip-norm)
    int warmup_steps = 0;    // steps over which the learning rate rises linearly to the schedule's; 0 = none

    bool operator==(const OptimOptions&) const = default;
};

struct CommOptions {
    double timeout_s = 600;    // a collective in which nothing arrives for so long ends the job (--comm-timeout)
    double bucket_mb = 0;      // gradients are reduced in pieces of about this size (MiB); 0 = see bucket_mib()

    // Every collective costs NCCL a thread and the device a kernel; on CPUs small pieces hide behind the computation.
    double bucket_mib(bool on_gpu) const { return bucket_mb > 0 ? bucket_mb : on_gpu ? 128 : 32; }

    bool operator==(const CommOptions&) const = default;
};

struct CheckpointOptions {
    std::filesystem::path output = "output";    // checkpoints, best weights, logs, evaluations
    int every_steps = 0;                        // also at every N-th step; 0 = off
    double every_minutes = 30;                  // also when so many minutes passed since the last one; 0 = off
    int keep = 2;                               // newest checkpoints kept
    bool fresh = false;                         // start over; refuses an output folder that is not empty

    bool operator==(const CheckpointOptions&) const = default;
};

struct GenerateOptions {
    int num_beams = 3;              // 1 = greedy
    std::string search = "blip";    // whose rules the beam search has: blip or transformers
    int max_length = 20;            // tokens, prompt included
    int min_length = 5;             // tokens, prompt included
    double length_penalty = 1.0;
    double repetition_penalty = 0;    // 0 = the reference's: 1 (none), 1.1 when sampling or for NoCaps
    bool sample = false;              // draw each token (nucleus sampling) instead of searching
    int top_k = 50;                   // sampling: only the k likeliest tokens; 0 = all
    double top_p = 0.9;               // sampling: only the likeliest tokens that together have this probability
    int num_captions = 1;             // of each picture; searching, at most num_beams (caption verb)
    std::string prompt =
        "a picture of ";              // what each caption starts with; evaluation while training: the packed file's
    std::filesystem::path prompts;    // JSON object: picture -> its own prompt; the others have `prompt`

    bool as_transformers() const { return search == "transformers"; }
    double penalty() const { return repetition_penalty > 0 ? repetition_penalty : sample ? 1.1 : 1.0; }

    bool operator==(const GenerateOptions&) const = default;
};

struct TrainOptions {
    int epochs = 5;
    std::int64_t max_steps = 0;    // stop after so many optimizer steps in all; 0 = no limit
    std::uint64_t seed = 42;
    int global_batch = 256;    // samples of one optimizer step over all ranks
    int micro_batch = 32;      // samples computed at once; must divide global_batch
    // 1: an epoch has every caption with its picture; K: every picture once, with K of its captions
    int captions_per_picture = 1;
    std::string freeze = "none";    // what stays as it started: none, or vision = the picture encoder (--freeze)
    int patience = 0;    // epochs without a better score after which the run ends; 0 = all epochs (--patience)
    // recompute the activations of the last vit_ckpt_layer vision blocks in backward: less memory, same bits
    bool vit_grad_ckpt = false;
    int vit_ckpt_layer = 0;
    // vision blocks, counted from the last, that are computed again
    int recomputed_blocks() const { return vit_grad_ckpt ? vit_ckpt_layer : 0; }
    bool evaluate = true;                  // after each epoch, on val and test (--no-evaluate)
    bool report = true;                    // report.html after each evaluation (--no-report)
    bool tensorboard = true;               // event files in OUTPUT/tensorboard (--no-tensorboard)
    std::filesystem::path metrics_file;    // Prometheus' text format, rewritten as the run goes; empty: none
    int log_samples = 3;                   // captions printed after each evaluation
    // log.jsonl gets the caption rows that each step trained on (--log-sample-ids); one more message a step
    bool log_sample_ids = false;
    int profile_steps = 0;    // a Chrome trace of so many steps (--profile-steps); 0 = none
    bool trace = false;       // what each rank does when, in OUTPUT/trace (--trace)

    bool operator==(const TrainOptions&) const = default;
};

struct EvaluateOptions {
    std::vector<std::string> splits = {"val", "test"};    // the first one decides which weights are best
    int batch = 0;                                        // images captioned at once, per rank; 0 = by the device
    int limit = 0;                                        // only the first N images of a split; 0 = all
    std::filesystem::path cider_df;                       // CIDEr's document frequencies; empty: the references' own
    std::filesystem::path nocaps;                         // NoCaps' annotation file, for its images' domains
    std::filesystem::path meteor_data;                    // METEOR's tables; empty: where env/setup.sh puts them

    bool operator==(const EvaluateOptions&) const = default;
};

struct RuntimeOptions {
    int threads = 0;                   // compute threads per rank; 0 = cores / ranks on this host
    std::string device = "auto";       // auto, cpu or cuda; auto = cuda where the driver shows a GPU
    std::string precision = "auto";    // auto, fp32 or bf16; auto = bf16 with fp32 masters on cuda, fp32 on cpu
    bool allow_tf32 = false;           // cuda: fp32 matrix products may round their factors to 10 bits
    bool deterministic = false;        // cuda: only algorithms that repeat bit for bit (slower)
    bool progress = true;              // progress line on a terminal
    bool peak = true;                  // measure how fast the machine multiplies matrices, and tell the share reached

    bool operator==(const RuntimeOptions&) const = default;
};

// Weights in another form (the verb export).
struct ExportOptions {
    std::filesystem::path from;         // as init; the word "random": new weights from seed, model and dimensions
    std::filesystem::path to;           // NAME.pth or NAME.safetensors: one file; else a folder
    std::string names = "reference";    // reference or huggingface
    std::string dtype = "fp32";         // fp32, bf16 or fp16
    bool overwrite = false;             // replace what is at `to`

    bool operator==(const ExportOptions&) const = default;
};

// Where the verb caption puts its captions.
struct CaptionFileOptions {
    std::string form;                // txt: a file for each picture; csv or jsonl: one file; empty: standard output
    std::filesystem::path output;    // txt: the folder, empty: beside the pictures; else the file
    std::string prefix, suffix;      // before and behind each caption
    bool skip_existing = false;      // txt: pictures that have a file are not captioned again
    bool overwrite = false;          // replace what is there

    bool operator==(const CaptionFileOptions&) const = default;
};

// Captions of any origin against references (the verb score, which also takes some of EvaluateOptions).
struct ScoreOptions {
    std::filesystem::path references;
    std::filesystem::path results;                 // of a system; several files, its seeds, with commas between them
    std::vector<std::filesystem::path> compare;    // likewise of further systems
    bool intervals = false;                        // tell how far each score is known
    std::uint64_t seed = 1;                        // of the resamples of intervals and comparisons
    std::filesystem::path per_image;               // write each image's scores there
    std::filesystem::path output;                  // write each caption's scores there, as capevalkit does
    std::filesystem::path write_cider_df;          // write the references' document frequencies there
    bool end_token = false;                        // as the reward of self-critical training counts them
    std::filesystem::path compile_meteor;          // write the index of METEOR's tables beside them, there
    std::filesystem::path spice;                   // SPICE scores that another program computed
    std::filesystem::path clip;                    // folder of a CLIP model: CLIPScore is computed with it
    std::filesystem::path pictures;                // folder of the pictures that --clip looks at
    std::vector<std::string> splits;               // of data that tell splits apart; empty: all
    std::vector<std::string> metrics;              // bleu, meteor, rouge_l, cider; empty: all
    std::string id_column, caption_column;         // of tables; empty: by the names that people use
    std::string table = "text";                    // how scores are printed: text, markdown or latex
    int worst = 0;                                 // images with the lowest scores that are shown
    bool percent = false;                          // print scores times 100
    bool allow_missing = false;                    // score the images there are results for

    bool operator==(const ScoreOptions&) const = default;
};

// Which checkpoints, weights or packed files are whole (the verb verify).
struct VerifyOptions {
    std::filesystem::path path;
    bool deep = false;    // read every byte and compare digests

    bool operator==(const VerifyOptions&) const = default;
};

// What is shown of runs (the verbs report and status).
struct ShowOptions {
    std::vector<std::filesystem::path> runs;       // folders that were --output
    std::filesystem::path page = "report.html";    // report: what is written
    std::filesystem::path trace;                   // report: a run's trace, written there instead of a page
    int pictures = 4;                              // report: of each kind
    bool watch = false;                            // status: again and again

    bool operator==(const ShowOptions&) const = default;
};

enum class Verb { train, evaluate, caption, export_weights, score, verify, report, status, check };

// One run of the program.
struct Options {
    Verb verb = Verb::train;
    DataOptions data;
    AugmentOptions augment;
    ModelOptions model;
    LossOptions loss;
    SelfCriticalOptions self_critical;
    OptimOptions optim;
    CommOptions comm;
    CheckpointOptions checkpoint;
    GenerateOptions generate;
    TrainOptions train;
    EvaluateOptions evaluate;
    RuntimeOptions runtime;
    ExportOptions export_to;
    CaptionFileOptions write;
    ScoreOptions score;
    VerifyOptions verify;
    ShowOptions show;
    // weights to start from: a run's folder or checkpoint, a .pth, .safetensors or Hugging Face folder
    std::filesystem::path init;
    std::vector<std::filesystem::path> images;    // caption: pictures, folders, "-" = a list on standard input
    bool exif_orientation = true;                 // caption: whether pictures are turned as their EXIF data say
    bool json = false;                            // caption: one JSON object a line; score, verify: one in all
    bool dry_run = false;                         // check everything, train nothing
    bool measure = false;                         // with dry_run: time and memory of the longest micro-batch
    int ranks = 0;                                // with dry_run: plan for so many; 0 = those that there are
    bool print_config = false;                    // print what the run would use, and end
    // names of model options the user set, "model" among them (the others come from the preset or from the weights
    // read); a checkpoint's shape must agree with these: model_conflicts in options/parse.h tells
    std::vector<std::string> explicit_model_options;

    bool is_self_critical() const { return loss.objective == "self-critical"; }
    // places for captions that a picture of a training batch has
    int captions_per_unit() const {
        return is_self_critical() ? self_critical.samples_per_picture : train.captions_per_picture;
    }

    bool operator==(const Options&) const = default;
};

}    // namespace blip
