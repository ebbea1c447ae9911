// What coco_pack prints about a file: --info, --check and the summary of decisions and captions.
#pragma once

#include <filesystem>
#include <string>

#include "blip/data/packed/dataset.h"
#include "blip/text/wordpiece.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

// Contents of a packed file. Reads the tables only.
void print_info(const std::filesystem::path& path);
// A line of JSON for each picture: {"split", "image_id", "file_name", "captions"}.
void print_rows(const std::filesystem::path& path);
// Every digest. Throws bad_data listing the first 20 damaged elements, and how many there are.
void run_check(const std::filesystem::path& path, int threads);
// "val: 12 images, 60 captions", then each decision that was taken.
void print_split(const SplitTables& split);
// Counts in its notes the captions that are longer than what is trained.
void count_cut_captions(SplitTables& split, const WordPieceTokenizer& tokenizer, const std::string& prompt);
// The share of [UNK] among the captions' tokens, with a warning where it says that the words fit badly.
void print_unknown_words(const std::vector<SplitTables>& splits, int prompt_length);

}    // namespace blip
