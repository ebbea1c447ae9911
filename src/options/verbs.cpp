// What the verbs are called and do; the table of options put together. Used by parse.cpp and help.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "src/options/declared.h"

namespace blip {

const VerbText verb_texts[9] = {
    {Verb::train, "train", "train a captioner on a packed data set",
     "Trains a captioner on a packed data set, one MPI rank per processor or device. Run again, the same command goes "
     "on from the newest checkpoint in --output.",
     "mpirun -np N blip_mpi [train] --data FILE [--init PATH] [--output DIR] [--config FILE] [options]",
     "mpirun -np 8 blip_mpi train --data coco.h5 --init base.pth\n"
     "mpirun -np 8 blip_mpi train --data coco.h5 --epochs 10\n"
     "blip_mpi train --data coco.h5 --init base.pth --dry-run"},
    {Verb::evaluate, "evaluate", "caption and score a data set's pictures",
     "Captions the pictures of a packed data set and scores the captions; writes DIR/result/SPLIT.json and "
     "DIR/evaluate.json.",
     "mpirun -np N blip_mpi evaluate --data FILE --init PATH [--output DIR] [--config FILE] [options]",
     "mpirun -np 8 blip_mpi evaluate --data coco.h5 --init out/best\n"
     "blip_mpi evaluate --data coco.h5 --init base.pth --limit 100\n"
     "blip_mpi evaluate --data nocaps.h5 --init out/best --split val"},
    {Verb::caption, "caption", "write captions of pictures",
     "Writes a caption for each picture (JPEG, PNG, WebP, GIF, BMP or TIFF), as `FILE: CAPTION` in the order given, or "
     "into files (--write). A folder stands for all pictures below it, - for a list on standard input, one name a "
     "line. A picture that cannot be read is reported on stderr and left out; Ctrl-C keeps what is finished and ends "
     "with 85. Under mpirun the pictures are dealt to the ranks.",
     "[mpirun -np N] blip_mpi caption --init PATH [options] photo.jpg|FOLDER|- ...",
     "blip_mpi caption --init out/best photo.jpg\n"
     "blip_mpi caption --init out/best --write txt pictures/\n"
     "blip_mpi caption --init out/best --write csv --output captions.csv pictures/\n"
     "find . -name '*.jpg' | blip_mpi caption --init out/best -"},
    {Verb::export_weights, "export", "write weights in another form",
     "Writes weights in another form: the reference's names or Hugging Face's, safetensors or .pth.",
     "blip_mpi export --from PATH --to FOLDER|FILE.safetensors|FILE.pth [options]",
     "blip_mpi export --from out/best --to blip.safetensors\n"
     "blip_mpi export --from out/best --to blip.pth --dtype bf16\n"
     "blip_mpi export --from out/best --names huggingface --to hf"},
    {Verb::score, "score", "score captions: BLEU, METEOR, ROUGE-L, CIDEr",
     "Scores captions as pycocoevalcap does: Bleu_1..4, METEOR, ROUGE_L and CIDEr, without Java; with --clip and "
     "--images CLIPScore, too. Exit codes: 0 done, 64 wrong options, 65 bad data, 66 missing files, 74 I/O.",
     "blip_mpi score [options] REFERENCES RESULTS [RESULTS ...]\n"
     "blip_mpi score --references FILE --results FILE [options]",
     "blip_mpi score --references refs.json --results results.json\n"
     "blip_mpi score refs.json results.json --intervals --json\n"
     "blip_mpi score refs.json mine.json theirs.json --table latex\n"
     "blip_mpi score --references refs.json --write-cider-df df.json"},
    {Verb::verify, "verify", "tell whether checkpoints and data are whole",
     "Tells of each checkpoint of a run, and of its best weights, whether it is good or bad and why. DIR: --output of "
     "a run, one checkpoint, a best/ folder, a file of weights that blip_mpi wrote, or a packed data set (always read "
     "whole). Without --deep: the manifest's digest, sizes and headers. Exit codes: 0 all good, 65 any bad, 66 none "
     "there, 64 wrong options, 74 I/O.",
     "blip_mpi verify DIR [--deep] [--json]",
     "blip_mpi verify out\n"
     "blip_mpi verify out/best --deep\n"
     "blip_mpi verify coco.h5 --json"},
    {Verb::report, "report", "show runs on a page: curves, scores, pictures",
     "Writes one page of HTML that needs nothing but itself: what a run is, its curves, times and scores, and pictures "
     "with their captions; several runs side by side. It may be called while they go on. RUN: --output of a run.",
     "blip_mpi report RUN [RUN...] [--out FILE] [--data FILE]",
     "blip_mpi report out\n"
     "blip_mpi report out --trace trace.json\n"
     "blip_mpi report out1 out2 --out both.html"},
    {Verb::status, "status", "tell how far a run is",
     "Tells of a run whether it is going on, its epoch, step, loss, speed, end, last checkpoint, scores and warning. "
     "On any host that sees the folder. RUN: --output of a run.",
     "blip_mpi status RUN [--watch]",
     "blip_mpi status out\n"
     "blip_mpi status out --watch"},
    {Verb::check, "check", "try out an installation, in a minute",
     "Tries out an installation with the ranks that it is started with, a line for each part: that ranks reach each "
     "other and add up correctly, that their clocks agree, products of matrices with known results on each device, the "
     "memory of GPUs and how hot they are, how fast --output takes what is written, pictures and packed files, and 20 "
     "steps of training with the losses that they must have. Exit codes: 0 all good, 70 or another when a part fails.",
     "[mpirun -np N] blip_mpi check [--output DIR] [options]",
     "blip_mpi check\n"
     "mpirun -np 8 blip_mpi check --output /scratch/me"},
};

const VerbText& text_of(Verb verb) { return verb_texts[static_cast<std::size_t>(verb)]; }

std::string verb_names(unsigned verbs) {
    std::vector<std::string> names;
    for (const VerbText& text : verb_texts)
        if (verbs & verb_bit(text.verb)) names.emplace_back(text.name);
    return fmt::format("{}", fmt::join(names, " and "));
}

OptionTable declare_options(ParsedCommandLine& run) {
    OptionTable table;
    declare_running(table, run);
    declare_score(table, run.options);
    declare_training(table, run.options);
    declare_model(table, run.options);
    declare_captions(table, run.options);
    declare_export(table, run.options);
    declare_machine(table, run.options);
    return table;
}

ParsedCommandLine default_settings(const std::string& preset) {
    ParsedCommandLine defaults;
    defaults.options.model = model_preset(preset);
    defaults.options.loss.drop_path = preset_drop_path(preset);
    return defaults;
}

}    // namespace blip
