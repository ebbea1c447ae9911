// What coco_pack tells about a file: --info, --check, --sheet and the summary of decisions and captions.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/text/wordpiece.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

// Contents of a packed file, with three samples of each split. Reads the tables only.
void print_info(const std::filesystem::path& path);
// A line of JSON for each picture: {"split", "image_id", "file_name", "captions"}.
void print_rows(const std::filesystem::path& path);
// One HTML page of 50 pictures with their captions, evenly from all splits, that needs no other file. Replaces an older
// one. Errors: as PackedDataset; io.
void write_sheet(const std::filesystem::path& packed, const std::filesystem::path& page);
// Every digest. Throws bad_data listing the first 20 damaged elements, and how many there are.
void run_check(const std::filesystem::path& path, int threads);
// "val: 12 images, 60 captions", then each decision that was taken.
void print_split(const SplitTables& split);
struct LongCaptions {
    std::int64_t cut = 0;                                // have more tokens than are trained
    std::vector<std::pair<int, std::string>> longest;    // ten: tokens with [DEC], prompt and [SEP]; what it is
};
// Counts in its notes the captions that are longer than what is trained, and adds to the list.
void count_cut_captions(SplitTables& split, const WordPieceTokenizer& tokenizer, const std::string& prompt,
                        LongCaptions& captions);
void print_long_captions(const LongCaptions& captions);
// The shares of [UNK] and of letters that stand alone among the captions' tokens, with a warning where they say that
// the words fit badly.
void print_unknown_words(const std::vector<SplitTables>& splits, int prompt_length, const Vocabulary& vocabulary);

}    // namespace blip
