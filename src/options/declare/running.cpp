// Declares what runs have in common: what is asked of the program, files, the machine.
#include "src/options/declared.h"
#include "src/options/value.h"

namespace blip {
namespace {

void declare_files(OptionTable& table, Options& options) {
    table.group("Files", for_data);
    // what is in it is compared by its digest
    table
        .path("data", "FILE",
              "packed data set made by coco_pack; report: of its pictures, instead of what the run names",
              options.data.file, same_run | own_of_rank | often)
        .only_for(for_data | for_report);
    // read by a run that begins
    table
        .path("init", "PATH",
              "weights to start from, recognised by what they hold: a run's folder, its best/, a checkpoint, a .pth of "
              "the reference, a .safetensors file or its index, a Hugging Face folder",
              options.init, same_run | often)
        .only_for(for_computing);
    table
        .path("output", "DIR",
              "where checkpoints, best weights, logs and results go; check: what it tries, and removes",
              options.checkpoint.output, same_run | often)
        .only_for(for_data | for_check);
    table
        .number("loader-threads", "N",
                "threads per rank that read and transform pictures; 0 = half of the rank's cores, or all of them "
                "for a GPU or where pictures are stored as JPEGs",
                between(0, 1024), options.data.loader_threads, same_run | own_of_rank)
        .only_for(for_computing);
    table
        .number("prefetch", "N",
                "batches kept ready; each takes images x 3 x image-size^2 bytes per rank, for a GPU the pictures' "
                "crops",
                between(1, 1024), options.data.prefetch_batches, same_run | own_of_rank)
        .only_for(for_computing);
}

}    // namespace

void declare_running(OptionTable& table, ParsedCommandLine& run) {
    Options& options = run.options;
    table.group("General", for_model);
    // the file itself is read by parse_command_line
    table
        .own(
            "config", "FILE",
            "options from a file, one `name = value` a line, or .yaml: the reference's own (caption_coco.yaml); "
            "flags win over it",
            [](std::string_view text) {
                if (text.empty()) throw BadValue("needs a value");
            },
            [] { return std::string(); }, same_run | command_line_only)
        .often_for(for_data);
    table
        .own(
            "evaluate", "", "the same as the verb evaluate in front",
            [&options](std::string_view) { options.verb = Verb::evaluate; },
            [&options] { return show_on_off(options.verb == Verb::evaluate); }, same_run | command_line_only)
        .only_for(for_data);
    table
        .flag("dry-run", "check files, shapes and divisibility, then end", options.dry_run,
              same_run | command_line_only | often)
        .only_for(for_data);
    table
        .flag("measure",
              "with dry-run: run the longest micro-batch of the first epoch, and tell memory, seconds a step and how "
              "long the run will take",
              options.measure, same_run | command_line_only)
        .only_for(for_train);
    table
        .number("ranks", "N", "with dry-run: plan for so many ranks; 0 = those that are there", between(0, 1 << 20),
                options.ranks, same_run | command_line_only)
        .only_for(for_train);
    table.flag("print-config", "print the options a run would use as a config file, then end", options.print_config,
               same_run | command_line_only);
    table.flag("help", "usage, examples and the options that people set most", run.help, same_run | command_line_only)
        .only_for(for_all);
    table.flag("help-all", "the same with all options", run.help_all, same_run | command_line_only).only_for(for_all);
    // answered before anything is parsed (base/version.h)
    table.own(
        "version", "", "print the versions of program and libraries, then end", [](std::string_view) {},
        [] { return show_on_off(false); }, same_run | command_line_only);
    declare_files(table, options);
}

void declare_machine(OptionTable& table, Options& options) {
    RuntimeOptions& runtime = options.runtime;
    table.group("Machine", for_computing);
    // a checkpoint notes them beside the number of ranks
    table
        .number("threads", "N", "compute threads per rank; 0 = cores / ranks on this host", between(0, 4096),
                runtime.threads, same_run | own_of_rank)
        .only_for(for_model | for_score | for_check)
        .often_for(for_caption | for_check);
    table
        .choice("device", {"auto", "cpu", "cuda"},
                "what computes: cuda = one GPU per rank; auto = cuda where the driver shows a GPU, else cpu",
                runtime.device, other_bits | often)
        .only_for(for_computing | for_check);
    table
        .choice("precision", {"auto", "fp32", "bf16"},
                "of weights and activations; gradients, moments and the masters that are updated are fp32 in any "
                "case; auto = bf16 on cuda, fp32 on cpu",
                runtime.precision, another_run | often)
        .only_for(for_computing | for_check);
    table.flag("allow-tf32", "cuda: fp32 matrix products may round their factors to 10 bits (TF32)", runtime.allow_tf32,
               other_bits);
    table.flag("deterministic", "cuda: only algorithms that repeat bit for bit (slower); the CPU's always do",
               runtime.deterministic, other_bits);
    table.flag("no-progress", "no progress line or lines", runtime.progress, same_run | own_of_rank, false)
        .only_for(for_model);
    table
        .flag("no-peak",
              "do not measure for a second at start how fast matrices are multiplied, to tell which share of that the "
              "run reaches",
              runtime.peak, same_run, false)
        .only_for(for_train);
    table
        .number("comm-timeout", "SECONDS", "a collective in which nothing arrives for so long ends the job",
                at_least(0.1), options.comm.timeout_s, same_run)
        .only_for(for_data | for_check);
    // pieces of another size are summed over the ranks in another order
    table
        .number("bucket-mb", "MiB", "gradients are reduced in pieces of about this size; 0 = 32, for GPUs 128",
                between(0, 65536), options.comm.bucket_mb, other_bits)
        .only_for(for_train);
}

}    // namespace blip
