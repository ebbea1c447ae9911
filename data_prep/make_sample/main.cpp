// make_sample: draws a small captioned data set in the COCO 2014 layout, so that everything can be tried and tested
// without a download. The same options give the same bytes. Called by `make demo` and the tests.
//   make_sample --out DIR [--train 2000] [--val 100] [--test 100] [--seed 1] [--size 160x120,128x128]
#include <fmt/format.h>

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/base/standard_output.h"
#include "blip/base/version.h"
#include "blip/image/jpeg.h"
#include "blip/options/table.h"
#include "data_prep/make_sample/files.h"
#include "data_prep/make_sample/scene.h"

namespace blip {

namespace {

namespace fs = std::filesystem;

constexpr int jpeg_quality = 90;

struct SampleOptions {
    fs::path out;
    std::int64_t train = 2000, val = 100, test = 100, seed = 1;
    int threads = 0;
    std::string sizes = "160x120,120x160,128x128,176x144,144x192";
};

// "160x120" -> width, height
ImageSize parse_size(const std::string& word) {
    static const std::regex form("([0-9]{1,4})x([0-9]{1,4})");
    std::smatch sides;
    ImageSize size;
    if (std::regex_match(word, sides, form)) size = {std::stoi(sides[2]), std::stoi(sides[1])};
    if (size.width < 32 || size.height < 32 || size.width > 4096 || size.height > 4096)
        throw Error(ExitCode::usage, "--size: '{}' is not WIDTHxHEIGHT with 32 to 4096 pixels each", word);
    return size;
}

// "160x120,128x128"
std::vector<ImageSize> parse_sizes(const std::string& text) {
    std::vector<std::string> words;
    boost::split(words, text, boost::is_any_of(","));
    std::vector<ImageSize> sizes;
    for (const std::string& word : words) sizes.push_back(parse_size(word));
    return sizes;
}

// Train first, then val, then test; as in COCO's Karpathy split, one training picture in eight comes from val2014.
std::vector<SampleImage> plan_images(const SampleOptions& options) {
    std::vector<SampleImage> images(static_cast<std::size_t>(options.train + options.val + options.test));
    std::int64_t caption_id = 1;
    for (std::size_t n = 0; n < images.size(); ++n) {
        const auto number = static_cast<std::int64_t>(n);
        images[n].id = 42 + 7 * number;    // numbers with gaps, as COCO's
        images[n].split = number < options.train                 ? (n % 8 == 7 ? "restval" : "train")
                          : number < options.train + options.val ? "val"
                                                                 : "test";
        images[n].folder = images[n].split == "train" ? "train2014" : "val2014";
        for (auto& id : images[n].caption_ids) id = caption_id++;
    }
    return images;
}

void write_bytes(const fs::path& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) throw Error(ExitCode::io, "{}: writing failed; is the disk full?", path.string());
}

void make_folders(const fs::path& out) {
    std::error_code error;
    if (fs::exists(out) && (!fs::is_directory(out) || !fs::is_empty(out)))
        throw Error(ExitCode::usage, "--out {} is not an empty folder; give another, or remove it", out.string());
    for (const char* name : {"annotations", "karpathy/coco_gt", "train2014", "val2014"}) {
        fs::create_directories(out / name, error);
        if (error) throw Error(ExitCode::io, "{}: cannot be made: {}", (out / name).string(), error.message());
    }
}

void make_sample(const SampleOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<ImageSize> sizes = parse_sizes(options.sizes);
    std::vector<SampleImage> images = plan_images(options);
    make_folders(options.out);
    const auto seed = static_cast<std::uint64_t>(options.seed);
    parallel_for(static_cast<std::int64_t>(images.size()), thread_count(options.threads), [&](std::int64_t n) {
        SampleImage& image = images[static_cast<std::size_t>(n)];
        const auto number = static_cast<std::uint64_t>(n);
        const Scene scene = make_scene(seed, number, sizes);
        image.height = scene.height;
        image.width = scene.width;
        image.captions = scene_captions(scene, seed, number);
        write_bytes(options.out / image.folder / image.file_name(),
                    encode_jpeg(draw_scene(scene, seed, number), jpeg_quality));
    });
    // last, so that a folder with annotations is a whole data set
    write_annotations(options.out, images);
    write_standard_output(
        fmt::format("{}: {} training, {} validation and {} test pictures with 5 captions each, in {:.1f} s\n",
                    options.out.string(), options.train, options.val, options.test,
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()),
        "what was drawn");
}

int run(const std::vector<std::string>& arguments) {
    if (print_version("make_sample", arguments)) return 0;
    SampleOptions options;
    OptionTable table;
    const Bounds count = between(1, 1e6);
    table.path("out", "DIR", "folder to fill; new or empty", options.out);
    table.number("train", "N", "training pictures", count, options.train);
    table.number("val", "N", "validation pictures", count, options.val);
    table.number("test", "N", "test pictures", count, options.test);
    table.number("seed", "S", "another seed draws other pictures", between(0, 0x1p53), options.seed);
    table.number("threads", "N", "drawing threads; 0 = one for each core", between(0, 1024), options.threads);
    table.text("size", "WxH,...", "sizes that pictures may have", options.sizes);
    if (!table.read_words(arguments)) {
        const std::string intro =
            "Draws a small captioned data set in the COCO 2014 layout.\n"
            "  make_sample --out DIR\n"
            "Exit codes: 0 done, 64 wrong options or --out not empty, 74 I/O.";
        write_standard_output(table.help(intro), "help");
        return 0;
    }
    if (options.out.empty()) throw Error(ExitCode::usage, "--out DIR is needed; see make_sample --help");
    make_sample(options);
    return 0;
}

}    // namespace

}    // namespace blip

int main(int argc, char** argv) {
    try {
        return blip::run({argv + 1, argv + argc});
    } catch (const blip::Error& error) {
        fmt::print(stderr, "make_sample: {}\n", error.what());
        return static_cast<int>(error.code());
    } catch (const std::exception& error) {
        fmt::print(stderr, "make_sample: {}\n", error.what());
        return static_cast<int>(blip::ExitCode::internal);
    }
}
