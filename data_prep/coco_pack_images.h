// The two passes over the pictures: headers first (sizes, and whether all are there), then decoding into the packed
// file. Called by coco_pack.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "blip/data/packed_writer.h"
#include "blip/text/wordpiece.h"
#include "coco_pack_source.h"

namespace blip {

// Tables of all splits: sizes from the JPEG headers, captions as tokens. Every picture that is missing or unreadable is
// collected and listed (the first 20, and the count): missing_input if any is missing, else bad_data.
std::vector<SplitTables> make_tables(const Source& source, const std::filesystem::path& coco,
                                     const WordPieceTokenizer& tokenizer, const std::string& prompt, int threads);

// Decodes every picture on all cores, each thread holding one at a time. Pictures that do not decode are collected and
// listed in the same way (bad_data); commit() must not be called then.
void write_images(PackedWriter& writer, const Source& source, const std::filesystem::path& coco, int threads);

}    // namespace blip
