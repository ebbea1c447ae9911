// Tells forms of data apart by what is in a file or folder. Used by source.cpp.
#pragma once

#include "data_prep/coco_pack/source.h"

namespace blip {

// options.from in its form: recognised, or the one that options.form names. The description says what was taken for
// what; splits may be one of no name. Throws usage, missing_input; bad_data, which says what is there and which form
// comes nearest, and as the readers.
Source read_form(const SourceOptions& options);

}    // namespace blip
