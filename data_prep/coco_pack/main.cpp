// coco_pack: pictures and captions of any form become one HDF5 file that training reads (format: FORMAT.md). Run by
// hand once per data set; `blip_mpi pack` is it, too.
//   coco_pack PATH --out my.h5      coco_pack --info FILE [--rows]      coco_pack --check FILE
#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/base/version.h"
#include "blip/data/packed/format.h"
#include "blip/data/packed/writer.h"
#include "blip/options/describe.h"
#include "blip/options/parse.h"
#include "blip/options/table.h"
#include "blip/text/caption_text.h"
#include "data_prep/coco_pack/images.h"
#include "data_prep/coco_pack/progress.h"
#include "data_prep/coco_pack/readers/tars.h"
#include "data_prep/coco_pack/report.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

namespace {

constexpr const char* printed = "what was done";

namespace fs = std::filesystem;

struct PackOptions {
    SourceOptions source;
    fs::path vocabulary, out = "coco.h5", info, sheet, check;
    std::string prompt{default_prompt}, encoding{encoding_name(PackedEncoding::raw)};
    int threads = 0;
    bool overwrite = false, skip_bad = false, rows = false;
};

// As it was called: as itself, or by the verb of blip_mpi, which becomes it under its own name.
const char* program_name() {
    return std::string_view(program_invocation_short_name) == "blip_mpi" ? "blip_mpi pack" : "coco_pack";
}

// The vocabulary that came with the program: installed in share/blip_mpi, or in the source tree that holds the build.
fs::path find_vocabulary() {
    constexpr const char* name = "bert-base-uncased-vocab.txt";
    std::error_code ignored;
    const fs::path bin = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    for (const fs::path& folder : {bin / "../share/blip_mpi", bin / "../../data_prep", fs::path("data_prep")})
        if (fs::exists(folder / name, ignored)) return (folder / name).lexically_normal();
    throw Error(ExitCode::missing_input, "{} was not found beside the program; give it with --vocab", name);
}

void check_out(const PackOptions& options) {
    const fs::path folder = options.out.has_parent_path() ? options.out.parent_path() : fs::path(".");
    if (!fs::is_directory(folder))
        throw Error(ExitCode::missing_input, "{}: no such folder for --out; make it first", folder.string());
    if (fs::is_directory(options.out))
        throw Error(ExitCode::usage, "--out {} is a folder; give a file name in it", options.out.string());
    if (fs::exists(options.out) && !options.overwrite)
        throw Error(ExitCode::usage, "--out {} exists; --overwrite replaces it", options.out.string());
    if (fs::exists(options.out) && !fs::is_regular_file(options.out))
        throw Error(ExitCode::usage, "--out {} is a device or a pipe; name a file", options.out.string());
    std::vector<fs::path> read = options.source.more;
    read.insert(read.end(), {options.source.from, options.source.karpathy, options.source.nocaps});
    check_not_read(options.out, read);
    // what a killed run left: it may belong to one that is still busy on another host, so it is only named
    const std::string temporary = options.out.filename().string() + ".tmp.";
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().filename().string().starts_with(temporary))
            fmt::print(stderr, "{}: {} is what a killed run left; remove it if none is running\n", program_name(),
                       printable_line(entry.path().string()));
}

// Says what the file will take, and ends here if there is no room for it.
void check_space(const PackOptions& options, PackedEncoding encoding, std::uint64_t need, std::uint64_t jpeg_bytes) {
    const std::uint64_t free = free_bytes(options.out);
    const std::string other = encoding == PackedEncoding::raw
                                  ? fmt::format("; --encoding file would take about {}", human_bytes(jpeg_bytes))
                                  : "";
    fmt::print("{} will take {}{}; {} are free there\n", options.out.string(), human_bytes(need), other,
               human_bytes(free));
    flush_standard_output(printed);    // a reader that cannot be reached is told of before the work
    if (need > free)
        throw Error(ExitCode::io,
                    "{} does not fit: {} are needed, {} are free; free some space or take another --out{}",
                    options.out.string(), human_bytes(need), human_bytes(free), other);
}

void pack(const PackOptions& options) {
    check_out(options);
    const int threads = thread_count(options.threads);
    const Vocabulary vocabulary =
        Vocabulary::from_file(options.vocabulary.empty() ? find_vocabulary() : options.vocabulary);
    const WordPieceTokenizer tokenizer(vocabulary);
    const auto prompt_length = static_cast<int>(prompt_tokens(tokenizer, options.prompt).size());
    if (prompt_length > max_caption_tokens / 2)
        throw Error(ExitCode::usage, "--prompt has {} tokens and leaves too little room for captions of at most {}",
                    prompt_length, max_caption_tokens);

    PictureOptions pictures{PackedEncoding::raw, options.skip_bad, threads};
    encoding_from_name(options.encoding == "file" ? "jpeg" : options.encoding, pictures.encoding);
    Source source = read_source(options.source);
    fmt::print("{}\n", printable_line(source.description));
    for (const std::string& note : source.notes) fmt::print("{}\n", printable_line(note));
    check_signal();
    Tables tables = make_tables(source, pictures, tokenizer, options.prompt);
    LongCaptions captions;
    for (auto& split : tables.splits) {
        count_cut_captions(split, tokenizer, options.prompt, captions);
        print_split(split);
    }
    print_long_captions(captions);
    print_unknown_words(tables.splits, prompt_length, vocabulary);

    PackedDescription description{options.prompt, prompt_length, vocabulary.text(), source.description,
                                  pictures.encoding};
    check_space(options, pictures.encoding, packed_file_bytes(tables.splits, description), tables.jpeg_bytes);
    PackedWriter writer(options.out, std::move(description), std::move(tables.splits));
    write_images(writer, source, pictures);
    check_signal();
    const std::string digest = writer.commit();
    fmt::print("{}: data digest {}\n", options.out.string(), digest);
}

OptionTable declare_options(PackOptions& options) {
    OptionTable table;
    SourceOptions& source = options.source;
    table.path(
        "from", "PATH",
        "what to pack: a file or folder of any form, or several tars ('x-{0000..0009}.tar'); the word --from may be "
        "left out",
        source.from);
    table.choice("form", source_forms, "the form of it; auto tells it by what is there", source.form);
    table.path("images", "DIR", "the folder of the pictures; that of the file of captions if left out", source.images);
    table.text("image-column", "NAME",
               "column or member with the picture's path; file_name, image and the like if left out",
               source.image_column);
    table.text("caption-column", "NAME", "column or member with the caption; caption, text and the like if left out",
               source.caption_column);
    table.text("split-by-hash", "SHARES",
               "for data without a split, per cents of the pictures by their keys, which stay where they are when "
               "pictures are added; val=5,test=5 if left out",
               source.split_by_hash);
    table.path("coco", "DIR", "the same for a COCO tree: annotations, train2014 and val2014, or 2017", source.coco);
    table.path("karpathy", "FILE|DIR",
               "Karpathy's dataset_coco.json, or a folder with it or with coco_karpathy_{train,val,test}.json; else "
               "looked for in annotations and karpathy below --coco and in it; without any, train2014 is used for "
               "training and val2014 for validation",
               source.karpathy);
    table.path("nocaps", "FILE",
               "NoCaps' annotation file, captions in it: its pictures, which are in --coco DIR, become the split val; "
               "evaluate --nocaps takes the same file",
               source.nocaps);
    table.path("vocab", "FILE", "BERT word list; the one that came with the program if left out", options.vocabulary);
    table.path("out", "FILE", "the packed file", options.out);
    table.choice(
        "encoding", {"raw", "file", "jpeg"},
        "how pictures are stored: as pixels, or as their files' bytes, which take a fifth of the space if they "
        "are JPEGs and are decoded when they are read (jpeg is the old word for file); training is the same, and "
        "may change between them",
        options.encoding);
    table.list("splits", "A,B", {"train", "val", "test"}, "only these of train,val,test; all there are if left out",
               source.splits);
    table.flag("skip-bad",
               "leave out pictures that are missing, unreadable or damaged, with their captions; they are listed here "
               "and in the file. Without it they end the run",
               options.skip_bad);
    table.text("prompt", "TEXT", "what every caption starts with (a space at its end is added)", options.prompt);
    table.number("limit", "N", "only the first N images of each split; 0 = all", between(0, 1e9), source.limit);
    table.number("threads", "N", "decoding threads; 0 = one for each core", between(0, 1024), options.threads);
    table.flag("overwrite", "replace an existing --out", options.overwrite);
    table.path("info", "FILE", "print what a packed file holds, and what was left out", options.info);
    table.flag("rows", "with --info: a line of JSON for each picture: split, key, file and captions", options.rows);
    table.path("sheet", "PAGE", "with --info: an HTML page of 50 pictures with their captions", options.sheet);
    table.path("check", "FILE", "verify every image (decoding it) and caption of a packed file", options.check);
    return table;
}

int run(const std::vector<std::string>& arguments) {
    if (print_version("coco_pack", arguments)) return 0;
    PackOptions options;
    OptionTable table = declare_options(options);
    std::vector<std::string> loose;
    const std::string intro = fmt::format(
        "Packs pictures and captions into one HDF5 file for blip_mpi: COCO, Flickr, a CSV, a folder ... "
        "(data_prep/README.md).\n"
        "  {0} PATH --out my.h5\n"
        "  {0} --coco DIR [--karpathy FILE|DIR] --out coco.h5\n"
        "  {0} --info FILE | --check FILE\n"
        "Exit codes: 0 done, 64 wrong options or --out exists, 65 bad data, 66 missing files, 74 I/O or no space, "
        "130 and 143 stopped by SIGINT or SIGTERM (nothing is left behind).",
        program_name());
    if (arguments == std::vector<std::string>{describe_option}) {
        write_standard_output(describe_program("coco_pack", intro, table), "the options");
        return 0;
    }
    if (!table.read_words(arguments, &loose)) {
        write_standard_output(table.help(intro), "help");
        return 0;
    }
    if (!loose.empty() && !table.given("from")) {
        options.source.from = loose[0];
        loose.erase(loose.begin());
    }
    options.source.more.assign(loose.begin(), loose.end());
    for (const std::string& word : loose)
        if (!has_tar_name(word))
            throw Error(ExitCode::usage, "'{}': one file or folder is packed at a time, or tars", word);
    const bool from = !options.source.from.empty(), packs = from || table.given("coco");
    const int actions = from + table.given("coco") + table.given("info") + table.given("check");
    if (actions != 1)
        throw Error(ExitCode::usage,
                    actions == 0 ? "nothing to do: give a file or folder to pack, --info or --check; see --help"
                                 : "a file or folder to pack, --coco, --info and --check exclude each other; see "
                                   "coco_pack --help");
    const auto only_with = [&](bool holds, std::initializer_list<const char*> names, const char* what) {
        for (const char* name : names)
            if (table.given(name) && !holds)
                throw Error(ExitCode::usage, "--{} says how to pack and needs {}; see --help", name, what);
    };
    only_with(packs, {"vocab", "out", "encoding", "splits", "skip-bad", "prompt", "limit", "overwrite"},
              "a file or folder");
    only_with(table.given("coco"), {"karpathy", "nocaps"}, "--coco");
    only_with(from, {"form", "images", "image-column", "caption-column", "split-by-hash"},
              "a file or folder without --coco before it");
    if (const auto problem = prompt_problem(options.prompt)) throw Error(ExitCode::usage, "--prompt {}", *problem);
    options.prompt = complete_prompt(options.prompt);
    if (!options.sheet.empty() && !table.given("info"))
        throw Error(ExitCode::usage, "--sheet needs --info; see --help");
    if (options.rows && !table.given("info")) throw Error(ExitCode::usage, "--rows needs --info; see --help");
    for (const char* name : {"karpathy", "splits"})
        if (table.given("nocaps") && table.given(name))
            throw Error(ExitCode::usage, "--nocaps is all there is to pack, without --{}", name);
    if (table.given("info"))
        options.rows ? print_rows(options.info) : print_info(options.info);
    else if (table.given("check"))
        run_check(options.check, thread_count(options.threads));
    else
        pack(options);
    if (!options.sheet.empty()) write_sheet(options.info, options.sheet);
    flush_standard_output(printed);
    return 0;
}

}    // namespace

}    // namespace blip

int main(int argc, char** argv) {
    blip::catch_signals();
    const auto fails = [](blip::ExitCode code, const char* why) {
        fmt::print(stderr, "{}: {}\n", blip::program_name(), why);
        return static_cast<int>(code);
    };
    try {
        return blip::run({argv + 1, argv + argc});
    } catch (const blip::Interrupted& interrupted) {
        fmt::print(stderr, "{}: stopped by signal {} ({}); nothing was written\n", blip::program_name(),
                   interrupted.signal, strsignal(interrupted.signal));
        return 128 + interrupted.signal;
    } catch (const blip::Error& error) {
        return fails(error.code(), error.what());
    } catch (const std::system_error& error) {    // of files, folders and standard output
        return fails(blip::ExitCode::io, error.what());
    } catch (const std::bad_alloc&) {
        return fails(blip::ExitCode::internal, "out of memory; try fewer --threads");
    } catch (const std::exception& error) {
        return fails(blip::ExitCode::internal, error.what());
    }
}
