// Splits for data that have none. Used by source.cpp.
#pragma once

#include <string>

#include "data_prep/coco_pack/source.h"

namespace blip {

struct HashShares {
    double val = 5, test = 5;    // per cent
};
// "val=5,test=5". Throws usage.
HashShares parse_shares(const std::string& text);

// Deals the pictures of one split to train, val and test by the digests of their keys, so that each stays where it is
// when pictures are added. Each split that is to have a share gets a picture at least, as far as there are some; train
// first.
std::vector<SourceSplit> split_by_hash(SourceSplit all, const HashShares& shares);

}    // namespace blip
