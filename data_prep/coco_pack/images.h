// The two passes over the pictures: a look at each (sizes, and whether it can be used), then into the packed file.
// Called by coco_pack.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip/data/packed/writer.h"
#include "blip/text/wordpiece.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

struct PictureOptions {
    PackedEncoding encoding = PackedEncoding::raw;
    bool skip_bad = false;    // leave out what cannot be used, instead of ending
    int threads = 1;
};

struct Tables {
    std::vector<SplitTables> splits;
    std::uint64_t jpeg_bytes = 0;    // of all picture files, whatever the encoding
};

// Tables of all splits: sizes from the pictures' headers, captions as tokens. Every picture that is missing or
// unreadable is collected and listed (the first 20, and the count): missing_input if any is missing, else bad_data.
// With skip_bad every picture is decoded instead; those that cannot be used are listed on stdout, taken out of source
// with their captions, and recorded in the tables. A split of which nothing is left is an error all the same.
Tables make_tables(Source& source, const PictureOptions& options, const WordPieceTokenizer& tokenizer,
                   const std::string& prompt);

// Decodes every picture on all cores, each thread holding one at a time. Pictures that do not decode are collected and
// listed in the same way (bad_data); commit() must not be called then.
void write_images(PackedWriter& writer, const Source& source, const PictureOptions& options);

}    // namespace blip
