// Where HDF5 keeps the members and attributes of a group that has more than a few: records in a B-tree lead to messages
// in a fractal heap. Used by hdf5_structure.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "src/data/structure_bytes.h"

namespace blip {

// The messages that a tree of one leaf leads to, in the tree's order; none if heap_place is no_address. Throws
// BadStructure for deeper trees and for kinds of heap blocks that coco_pack does not write.
std::vector<std::vector<std::byte>> read_heap_messages(StructureFile& file, std::uint64_t heap_place,
                                                       std::uint64_t tree_place);

}    // namespace blip
