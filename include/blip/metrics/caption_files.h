// Files of reference captions and of results, in the forms that people have. Used by the verb score.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "blip/text/image_key.h"

namespace blip {

struct ImageReferences {
    ImageKey id;
    std::vector<std::string> captions;
    std::string domain;    // NoCaps' "in-domain", "near-domain" or "out-domain"; empty for others
};

struct ImageResult {
    std::string id;
    std::string caption;
};

// Recognised by content:
//  - COCO's caption file: {"images": [{"id"}], "annotations": [{"image_id", "caption"}]}; images in the order of
//    "images" (of the annotations, if that list is absent), those without captions left out; NoCaps' file is one, with
//    a "domain" for each image;
//  - Karpathy's dataset file: {"images": [{"cocoid" or "imgid", "split", "sentences": [{"raw"}]}]}, the images of these
//    splits ("train" includes "restval"; none given: the file must hold one split alone);
//  - the reference job's [{"image": ".../COCO_val2014_000000000042.jpg", "caption": [...]}] and its NoCaps file's, with
//    "img_id" and "domain"; the id is the key that coco_pack gives such a row (key_of_row in text/image_key.h);
//  - {"ID": ["caption", ...], ...} in the file's order.
// Throws missing_input, io; usage for splits that are needed, unknown or not told apart in this form; bad_data naming
// file and place: malformed JSON, none of these forms, an image twice, invalid UTF-8.
// Each file is read once, from its start to its end: it may be a pipe.
std::vector<ImageReferences> read_references(const std::filesystem::path& file, const std::vector<std::string>& splits);

// COCO's result form: [{"image_id": ID, "caption": TEXT, ...}, ...]. Errors as above; ids may repeat.
std::vector<ImageResult> read_results(const std::filesystem::path& file);

// Whether it is "in-domain", "near-domain" or "out-domain".
bool is_nocaps_domain(std::string_view name);

}    // namespace blip
