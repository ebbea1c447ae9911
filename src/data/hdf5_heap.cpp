// See hdf5_heap.h. Names of fields are those of the HDF5 File Format Specification, version 3 (III.A.2 version 2
// B-trees, III.G fractal heap).
#include "src/data/hdf5_heap.h"

#include <bit>

namespace blip {

namespace {

constexpr int link_records = 5, attribute_records = 8;    // kinds of trees: by the hash of the name

struct Heap {
    std::uint64_t place = 0;
    std::uint64_t id_bytes = 0, offset_bytes = 0;
    bool blocks_have_checksums = false;
    std::uint64_t width = 0, first_block_bytes = 0, largest_block_bytes = 0;
    std::uint64_t root_place = 0, root_rows = 0;

    std::uint64_t row_bytes(std::uint64_t row) const { return first_block_bytes << (row < 2 ? 0 : row - 1); }
    // of a direct block, up to its first object: the objects' offsets count it, too
    std::uint64_t block_head_bytes() const { return 4 + 1 + 8 + offset_bytes + (blocks_have_checksums ? 4 : 0); }
};

Heap read_heap(StructureFile& file, std::uint64_t place) {
    const std::vector<std::byte> bytes = file.read_checked(place, 146);
    Fields fields(bytes);
    Heap heap;
    heap.place = place;
    fields.expect("FRHP");
    const std::uint64_t version = fields.number(1);
    heap.id_bytes = fields.number(2);
    const std::uint64_t filter_bytes = fields.number(2), flags = fields.number(1);
    heap.blocks_have_checksums = (flags & 2) != 0;
    fields.skip(4 + 12 * 8);    // sizes and places of what is not needed for reading
    heap.width = fields.number(2);
    heap.first_block_bytes = fields.number(8);
    heap.largest_block_bytes = fields.number(8);
    const std::uint64_t offset_bits = fields.number(2);
    fields.skip(2);
    heap.root_place = fields.address();
    heap.root_rows = fields.number(2);
    heap.offset_bytes = (offset_bits + 7) / 8;
    constexpr std::uint64_t most_block_bytes = 1 << 20;
    const bool known = version == 0 && filter_bytes == 0 && offset_bits >= 8 && offset_bits <= 64 &&
                       heap.id_bytes > 1 + heap.offset_bytes && heap.id_bytes <= 1 + heap.offset_bytes + 4 &&
                       heap.width >= 1 && heap.width <= 1024 && std::has_single_bit(heap.first_block_bytes) &&
                       std::has_single_bit(heap.largest_block_bytes) &&
                       heap.first_block_bytes > heap.block_head_bytes() &&
                       heap.first_block_bytes <= heap.largest_block_bytes &&
                       heap.largest_block_bytes <= most_block_bytes && heap.root_rows <= 64;
    if (!known) throw BadStructure("a heap is of a kind that coco_pack does not write");
    return heap;
}

// A direct block and where its first byte lies among the heap's offsets.
struct Block {
    std::uint64_t begin = 0;
    std::vector<std::byte> bytes;
};

Block read_block(StructureFile& file, const Heap& heap, std::uint64_t place, std::uint64_t size, std::uint64_t begin) {
    Block block{begin, file.read(place, size)};
    Fields fields(block.bytes);
    fields.expect("FHDB");
    if (fields.number(1) != 0 || fields.address() != heap.place ||
        fields.number(static_cast<int>(heap.offset_bytes)) != begin)
        throw BadStructure("a block of a heap belongs elsewhere");
    if (!heap.blocks_have_checksums) return block;
    const std::uint64_t stored = fields.number(4);
    const std::size_t at = static_cast<std::size_t>(heap.block_head_bytes()) - 4;
    std::fill_n(block.bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, std::byte{0});
    if (lookup3(block.bytes) != stored) throw BadStructure("a heap's checksum is wrong");
    return block;
}

// The block that holds an offset: the root itself, or one that the root lists, in rows whose blocks double in size.
Block find_block(StructureFile& file, const Heap& heap, std::uint64_t offset) {
    if (heap.root_place == no_address) throw BadStructure("a heap is empty");
    if (heap.root_rows == 0) return read_block(file, heap, heap.root_place, heap.first_block_bytes, 0);
    const std::uint64_t head_bytes = 4 + 1 + 8 + heap.offset_bytes;
    std::uint64_t begin = 0;
    for (std::uint64_t row = 0; row < heap.root_rows; ++row) {
        const std::uint64_t size = heap.row_bytes(row);
        if (size > heap.largest_block_bytes) break;
        if (offset - begin >= heap.width * size) {
            begin += heap.width * size;
            continue;
        }
        const std::uint64_t column = (offset - begin) / size;
        const std::vector<std::byte> root =
            file.read_checked(heap.root_place, head_bytes + heap.root_rows * heap.width * 8 + 4);
        Fields fields(root);
        fields.expect("FHIB");
        fields.skip(head_bytes - 4 + (row * heap.width + column) * 8);
        return read_block(file, heap, fields.address(), size, begin + column * size);
    }
    throw BadStructure("a heap has blocks of a kind that coco_pack does not write");
}

// Heap ids of the tree's only leaf.
std::vector<std::vector<std::byte>> read_ids(StructureFile& file, std::uint64_t place, std::uint64_t id_bytes) {
    const std::vector<std::byte> head = file.read_checked(place, 38);
    Fields fields(head);
    fields.expect("BTHD");
    const std::uint64_t version = fields.number(1), kind = fields.number(1), node_bytes = fields.number(4),
                        record_bytes = fields.number(2), depth = fields.number(2);
    fields.skip(2);
    const std::uint64_t leaf_place = fields.address(), count = fields.number(2);
    const std::uint64_t before_id = kind == link_records ? 4 : 0;
    const bool known = version == 0 && (kind == link_records || kind == attribute_records) && depth == 0 &&
                       record_bytes >= before_id + id_bytes && node_bytes <= 65536 &&
                       10 + count * record_bytes <= node_bytes;
    if (!known) throw BadStructure("a tree is of a kind that coco_pack does not write");
    std::vector<std::vector<std::byte>> ids;
    if (count == 0) return ids;
    const std::vector<std::byte> leaf = file.read_checked(leaf_place, 6 + count * record_bytes + 4);
    Fields records(leaf);
    records.expect("BTLF");
    records.skip(2);
    for (std::uint64_t i = 0; i < count; ++i) {
        Fields record(records.take(record_bytes));
        record.skip(before_id);
        const auto id = record.take(id_bytes);
        ids.emplace_back(id.begin(), id.end());
    }
    return ids;
}

}    // namespace

std::vector<std::vector<std::byte>> read_heap_messages(StructureFile& file, std::uint64_t heap_place,
                                                       std::uint64_t tree_place) {
    std::vector<std::vector<std::byte>> messages;
    if (heap_place == no_address) return messages;
    const Heap heap = read_heap(file, heap_place);
    for (const std::vector<std::byte>& id : read_ids(file, tree_place, heap.id_bytes)) {
        Fields fields(id);
        if (fields.number(1) != 0) throw BadStructure("a heap holds an object of a kind that coco_pack does not write");
        const std::uint64_t offset = fields.number(static_cast<int>(heap.offset_bytes));
        const std::uint64_t length = fields.number(static_cast<int>(heap.id_bytes - 1 - heap.offset_bytes));
        const Block block = find_block(file, heap, offset);
        if (offset < block.begin + heap.block_head_bytes() || length > block.bytes.size() ||
            offset - block.begin > block.bytes.size() - length)
            throw BadStructure("an object lies outside of its heap's block");
        const auto first = block.bytes.begin() + static_cast<std::ptrdiff_t>(offset - block.begin);
        messages.emplace_back(first, first + static_cast<std::ptrdiff_t>(length));
    }
    return messages;
}

}    // namespace blip
