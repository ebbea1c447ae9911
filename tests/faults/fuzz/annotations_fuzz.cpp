// libFuzzer target: every reader of captions, coco_pack's and those of `blip_mpi score`, on arbitrary bytes; the first
// byte chooses the reader. No path that they give leaves its folder. Run by tests/faults/fuzz_readers.sh.
#include "blip/base/printable.h"
#include "blip/metrics/caption_files.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/readers/tables.h"
#include "data_prep/coco_pack/source.h"
#include "tests/faults/fuzz/input_file.h"

namespace {

using namespace blip;

void check(const SourceSplit& split) {
    fuzz::require(!split.images.empty());
    for (const SourceImage& image : split.images) {
        const std::string name = image.file.string();
        fuzz::require(!image.id.text.empty());
        fuzz::require(!image.captions.empty() && image.file.is_relative() && image.file.has_filename());
        fuzz::require(printable_line(name) == name);
        for (const auto& part : image.file) fuzz::require(part != "..");
        image.id.to_json();
    }
}

void check(const std::vector<SourceSplit>& splits) {
    for (const SourceSplit& split : splits) check(split);
}

void read(int reader, const std::string& path) {
    const SourceOptions options;
    std::vector<std::string> notes;
    switch (reader) {
        case 0:
            return check(read_karpathy(path, "train", 0));
        case 1:
            return check(read_karpathy(path, "val", 2));
        case 2:
            return check(read_annotations(path, "train", "train2014", 0));
        case 3:
            return check(read_dataset(path, {"train", "val", "test"}, 0));
        case 4:
            for (const ImageReferences& image : read_references(path, {})) fuzz::require(!image.captions.empty());
            return;
        case 5:
            for (const ImageReferences& image : read_references(path, {"test"})) fuzz::require(!image.captions.empty());
            return;
        case 6:
            return check(read_tables({{path, TableForm::csv, ""}}, "/pictures", options, notes));
        case 7:
            return check(read_tables({{path, TableForm::json_lines, ""}}, "/pictures", options, notes));
        case 8:
            return check(
                read_tables({{path, TableForm::json_list, "val", "below", true}}, "/pictures", options, notes));
        case 9:
            return check(read_tables({{path, TableForm::flickr_tokens, ""}}, "/pictures", options, notes));
        case 10: {
            SourceOptions any;
            any.from = path;
            any.images = "/tmp";
            return check(read_form(any).splits);
        }
        default:
            read_results(path);
    }
}

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::InputFile file;
    if (size == 0) return 0;
    const int reader = data[0] % 12;
    const std::string& path = file.holding(data + 1, size - 1);
    // a split that the file lacks; --images beside a tar
    const bool may_contradict = reader == 4 || reader == 5 || reader == 10;
    fuzz::read_or_refuse([&] { read(reader, path); },
                         {ExitCode::bad_data, may_contradict ? ExitCode::usage : ExitCode::bad_data});
    return 0;
}
