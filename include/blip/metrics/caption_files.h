// Files of reference captions and of results, in the forms that people have. Used by the verb score.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "blip/text/image_key.h"

namespace blip {

struct ImageReferences {
    ImageKey id;    // where the data have none: the picture's file
    std::vector<std::string> captions;
    std::string domain{};    // NoCaps' "in-domain", "near-domain" or "out-domain"; empty for others
    std::string file{};      // of the picture, as the data name it; empty where they do not
};

struct ImageResult {
    std::string id;    // empty where there is a file alone
    std::string caption;
    std::string file{};
    bool further = false;    // behind the picture's first
};

// What is asked of files.
struct CaptionColumns {
    std::string id, caption;    // columns that are looked for before those that people use (text/caption_rows.h)
    std::set<std::string>* found = nullptr;    // where given, those of the two that a row has are added
};

// References, recognised by content:
//  - COCO's caption file: {"images": [{"id"}], "annotations": [{"image_id", "caption"}]}; images in the order of
//    "images" (of the annotations, if that list is absent), those without captions left out; NoCaps' file is one, with
//    a "domain" for each image;
//  - Karpathy's dataset file: {"images": [{"cocoid" or "imgid", "split", "sentences": [{"raw"}]}]}, the images of these
//    splits ("train" includes "restval"; none given: the file must hold one split alone);
//  - the reference job's [{"image": ".../COCO_val2014_000000000042.jpg", "caption": [...]}] and its NoCaps file's, with
//    "img_id" and "domain"; the id is the key that coco_pack gives such a row (key_of_row in text/image_key.h);
//  - {"ID": ["caption", ...], ...} in the file's order;
//  - rows with an id or the picture's file and one caption or a list ("references", "captions", "caption", ...): a JSON
//    list, JSON lines, CSV or TSV with a heading; rows of one image belong together;
//  - a folder of texts ID.txt, a caption a line, in the order of the names.
// Throws missing_input, io; usage for splits that are needed, unknown or not told apart in this form; bad_data naming
// file and place: malformed JSON, none of these forms, an image twice, invalid UTF-8. What is no text at all is seen in
// the first bytes, before the rest is read. Each file is read once, from its start to its end: it may be a pipe; - is
// standard input.
std::vector<ImageReferences> read_references(const std::filesystem::path& file, const std::vector<std::string>& splits,
                                             const CaptionColumns& columns = {});

// COCO's result form, [{"image_id": ID, "caption": TEXT, ...}, ...]; {"ID": "caption"} and {"ID": ["caption"]}; rows
// in the forms of references with one caption each, those of `caption --json` and `--write` among them, of which rows
// with an "error" are left out, and those with an "index" above 0 are further captions of a picture; a folder of texts
// ID.txt.
// Errors as above; ids may repeat.
std::vector<ImageResult> read_results(const std::filesystem::path& file, const CaptionColumns& columns = {});

// SPICE by image as other programs tell it: {"ID": score}, or rows with an id and a "SPICE" or "scores", which is a
// number or the SPICE program's {"All": {"f": score}}. Errors as above; bad_data for a score that is none.
std::vector<std::pair<std::string, double>> read_spice(const std::filesystem::path& file,
                                                       const CaptionColumns& columns = {});

// An image's id as it is compared: "42.0" is "42".
std::string plain_id(const std::string& id);

// Whether it is "in-domain", "near-domain" or "out-domain".
bool is_nocaps_domain(std::string_view name);

}    // namespace blip
