// See hdf5_structure.h. Names are those of the HDF5 File Format Specification, version 3 (II.A superblock, IV.A object
// headers and their messages).
#include "src/data/hdf5_structure.h"

#include <fmt/format.h>

#include <limits>

#include "src/data/hdf5_heap.h"

namespace blip {

namespace {

constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
constexpr std::uint64_t superblock_bytes = 48;

enum MessageKind : std::uint64_t {
    dataspace = 0x01,
    link_info = 0x02,
    datatype = 0x03,
    link = 0x06,
    external_files = 0x07,
    layout = 0x08,
    attribute = 0x0C,
    continuation = 0x10,
    attribute_info = 0x15,
};

struct Message {
    std::uint64_t kind = 0;
    std::vector<std::byte> bytes;
};

// The messages of one piece of an object header; those that lead to another piece are followed.
void collect_messages(StructureFile& file, Fields& piece, bool with_order, std::vector<Message>& messages) {
    constexpr std::size_t most_messages = 1000;
    const std::uint64_t head_bytes = with_order ? 6 : 4;
    while (piece.left() >= head_bytes) {
        const std::uint64_t kind = piece.number(1), bytes = piece.number(2), flags = piece.number(1);
        piece.skip(head_bytes - 4);
        const auto content = piece.take(bytes);
        if ((flags & 2) != 0) throw BadStructure("a message is shared, which coco_pack does not write");
        if (messages.size() == most_messages) throw BadStructure("an object has too many messages");
        messages.push_back({kind, {content.begin(), content.end()}});
        if (kind != continuation) continue;
        Fields where(content);
        const std::uint64_t place = where.address(), length = where.number(8);
        const std::vector<std::byte> next = file.read_checked(place, length);
        Fields fields(next);
        fields.expect("OCHK");
        collect_messages(file, fields, with_order, messages);
    }
}

std::vector<Message> read_object(StructureFile& file, std::uint64_t place) {
    constexpr std::uint64_t longest_head = 4 + 1 + 1 + 16 + 4 + 8;
    const std::vector<std::byte> head =
        file.read(place, std::min(longest_head, file.file_bytes() - std::min(place, file.file_bytes())));
    Fields start(head);
    start.expect("OHDR");
    if (start.number(1) != 2) throw BadStructure("an object header is of another version");
    const std::uint64_t flags = start.number(1);
    start.skip(((flags & 0x20) != 0 ? 16 : 0) + ((flags & 0x10) != 0 ? 4 : 0));    // times, limits of compact storage
    const std::uint64_t first_bytes = start.number(1 << (flags & 3));
    const std::uint64_t head_bytes = head.size() - start.left();
    if (first_bytes > file.file_bytes()) throw BadStructure("an object header is larger than the file");
    const std::vector<std::byte> bytes = file.read_checked(place, head_bytes + first_bytes + 4);
    Fields fields(bytes);
    fields.skip(head_bytes);
    std::vector<Message> messages;
    collect_messages(file, fields, (flags & 4) != 0, messages);
    return messages;
}

// ---- messages ----
struct NumberType {
    bool is_number = false, is_text = false, is_signed = false;
    std::uint64_t bytes = 0;
};

NumberType read_type(Fields fields) {
    const std::uint64_t start = fields.number(1), bits = fields.number(3);
    NumberType type;
    type.bytes = fields.number(4);
    constexpr std::uint64_t whole_number = 0x10, fixed_text = 0x13;    // of version 1
    if (start == fixed_text) {
        type.is_text = true;
    } else if (start == whole_number) {
        const std::uint64_t offset = fields.number(2), precision = fields.number(2);
        const bool plain = (bits & ~std::uint64_t{8}) == 0 && offset == 0 && precision == 8 * type.bytes;
        type.is_signed = (bits & 8) != 0;
        type.is_number = plain && (type.bytes == 1 || type.bytes == 2 || type.bytes == 4 || type.bytes == 8);
    }
    return type;
}

// Empty: a single element.
std::vector<std::uint64_t> read_shape(Fields fields) {
    const std::uint64_t version = fields.number(1), rank = fields.number(1);
    fields.skip(1);    // whether there are maximal extents behind the present ones
    const std::uint64_t kind = fields.number(1);
    if (version != 2 || rank > 4 || kind > 1 || (kind == 0 && rank != 0))
        throw BadStructure("its shape is of a kind that coco_pack does not write");
    std::vector<std::uint64_t> shape;
    for (std::uint64_t i = 0; i < rank; ++i) shape.push_back(fields.number(8));
    return shape;
}

void read_attribute(const std::vector<std::byte>& message, StoredGroup& group) {
    Fields fields(message);
    const std::uint64_t version = fields.number(1), flags = fields.number(1), name_bytes = fields.number(2),
                        type_bytes = fields.number(2), shape_bytes = fields.number(2);
    if (version != 3 || flags != 0) throw BadStructure("an attribute is of a kind that coco_pack does not write");
    fields.skip(1);
    std::string name = fields.text(name_bytes);
    name.resize(std::min(name.find('\0'), name.size()));
    try {
        const NumberType type = read_type(Fields(fields.take(type_bytes)));
        for (const std::uint64_t extent : read_shape(Fields(fields.take(shape_bytes))))
            if (extent != 1) throw BadStructure("it has more than one element");
        if (type.is_text) {
            std::string text = fields.text(type.bytes);
            text.resize(std::min(text.find('\0'), text.size()));
            group.texts[name] = std::move(text);
        } else if (type.is_number && type.is_signed && type.bytes == 8) {
            group.integers[name] = static_cast<std::int64_t>(fields.number(8));
        } else {
            throw BadStructure("it is neither a text nor a whole number");
        }
    } catch (const BadStructure& problem) {
        group.unreadable[name] = problem.what();
    }
}

StoredTable read_dataset(StructureFile& file, const std::vector<Message>& messages) {
    StoredTable table;
    bool has_type = false, has_shape = false, has_place = false;
    std::uint64_t layout_bytes = 0;
    for (const Message& message : messages) {
        Fields fields(message.bytes);
        if (message.kind == external_files) throw BadStructure("lies in another file, which is not read");
        if (message.kind == dataspace) {
            table.shape = read_shape(fields);
            has_shape = true;
        } else if (message.kind == datatype) {
            const NumberType type = read_type(fields);
            if (!type.is_number) throw BadStructure("has the wrong type");
            table.element_bytes = static_cast<int>(type.bytes);
            table.is_signed = type.is_signed;
            has_type = true;
        } else if (message.kind == layout) {
            constexpr std::uint64_t contiguous = 1;
            if (fields.number(1) != 3 || fields.number(1) != contiguous)
                throw BadStructure("is not contiguous; write it with coco_pack");
            table.start_bytes = fields.address();
            layout_bytes = fields.number(8);
            has_place = true;
        }
    }
    if (!has_type || !has_shape || !has_place || table.shape.empty()) throw BadStructure("is missing or damaged");
    table.size_bytes = static_cast<std::uint64_t>(table.element_bytes);
    for (const std::uint64_t extent : table.shape) {
        // by division, so that no damaged extent overflows
        if (extent != 0 && table.size_bytes > file.file_bytes() / extent)
            throw BadStructure("is larger than the file; the file is truncated or damaged");
        table.size_bytes *= extent;
    }
    if (table.size_bytes == 0)
        table.start_bytes = 0;
    else if (table.start_bytes == no_address || table.size_bytes != layout_bytes ||
             table.start_bytes > file.file_bytes() - table.size_bytes)
        throw BadStructure("lies outside of the file; the file is truncated or damaged");
    return table;
}

// ---- groups ----
constexpr int deepest = 1;    // the root's groups have no groups

StoredGroup read_group(StructureFile& file, const std::vector<Message>& messages, int depth);

void read_link(StructureFile& file, const std::vector<std::byte>& message, StoredGroup& group, int depth) {
    Fields fields(message);
    const std::uint64_t version = fields.number(1), flags = fields.number(1);
    const std::uint64_t kind = (flags & 8) != 0 ? fields.number(1) : 0;    // 0: an object of this file
    fields.skip(((flags & 4) != 0 ? 8 : 0) + ((flags & 16) != 0 ? 1 : 0));
    const std::string name = fields.text(fields.number(1 << (flags & 3)));
    if (version != 1) throw BadStructure("a link is of another version");
    try {
        if (kind != 0) throw BadStructure("leads elsewhere, where nothing is read");
        const std::vector<Message> object = read_object(file, fields.address());
        bool is_dataset = false;
        for (const Message& part : object) is_dataset |= part.kind == layout;
        if (is_dataset)
            group.tables[name] = read_dataset(file, object);
        else if (depth < deepest)
            group.groups[name] = read_group(file, object, depth + 1);
        else
            throw BadStructure("is missing or damaged");
    } catch (const BadStructure& problem) {
        group.unreadable[name] = problem.what();
    }
}

StoredGroup read_group(StructureFile& file, const std::vector<Message>& messages, int depth) {
    StoredGroup group;
    for (const Message& message : messages) {
        Fields fields(message.bytes);
        if (message.kind == attribute) {
            read_attribute(message.bytes, group);
        } else if (message.kind == link) {
            read_link(file, message.bytes, group, depth);
        } else if (message.kind == link_info || message.kind == attribute_info) {
            const bool links = message.kind == link_info;
            fields.skip(1);
            const std::uint64_t flags = fields.number(1);
            fields.skip((flags & 1) == 0 ? 0 : links ? 8 : 2);    // the largest creation order
            const std::uint64_t heap = fields.address(), tree = fields.address();
            for (const auto& part : read_heap_messages(file, heap, tree))
                links ? read_link(file, part, group, depth) : read_attribute(part, group);
        }
    }
    return group;
}

[[noreturn]] void throw_damaged_part(const StoredGroup& group, const std::string& kind, const std::string& name,
                                     const std::string& what) {
    const auto found = group.unreadable.find(name);
    throw Error(ExitCode::bad_data,
                fmt::format("{}: {} '{}' {}", what, kind, name,
                            found == group.unreadable.end() ? "is missing or damaged" : found->second));
}

}    // namespace

const std::string& StoredGroup::text(const std::string& name, const std::string& what) const {
    const auto found = texts.find(name);
    if (found == texts.end()) throw_damaged_part(*this, "attribute", name, what);
    return found->second;
}

std::int64_t StoredGroup::integer(const std::string& name, const std::string& what) const {
    const auto found = integers.find(name);
    if (found == integers.end()) throw_damaged_part(*this, "attribute", name, what);
    return found->second;
}

const StoredTable& StoredGroup::table(const std::string& name, int element_bytes, bool is_signed, int rank,
                                      const std::string& what) const {
    const auto found = tables.find(name);
    if (found == tables.end()) throw_damaged_part(*this, "dataset", name, what);
    const StoredTable& table = found->second;
    const std::string where = what + ": dataset '" + name + "'";
    if (table.element_bytes != element_bytes || table.is_signed != is_signed)
        throw Error(ExitCode::bad_data, where + " has the wrong type");
    if (table.shape.size() != static_cast<std::size_t>(rank))
        throw Error(ExitCode::bad_data, where + " has the wrong number of dimensions");
    return table;
}

void throw_wrong_rows(const std::string& name, std::uint64_t rows, std::int64_t expected, const std::string& what) {
    throw Error(ExitCode::bad_data,
                expected < 0 ? fmt::format("{}: dataset '{}' has {} rows, which is beyond belief", what, name, rows)
                             : fmt::format("{}: dataset '{}' has {} rows instead of {}", what, name, rows, expected));
}

StoredGroup read_hdf5_structure(int fd, std::uint64_t file_bytes, const std::string& name) {
    StructureFile file(fd, file_bytes, name);
    const std::string none = name + ": is no HDF5 file, or it is truncated; make it with coco_pack";
    if (file_bytes < superblock_bytes) throw Error(ExitCode::bad_data, none);
    try {
        const std::vector<std::byte> start = file.read(0, superblock_bytes);
        Fields fields(start);
        if (fields.text(signature.size()) != signature) throw Error(ExitCode::bad_data, none);
        const std::uint64_t version = fields.number(1);
        if (version != 2) throw Error(ExitCode::bad_data, name + ": is an HDF5 file, but not one made by coco_pack");
        const std::vector<std::byte> checked = file.read_checked(0, superblock_bytes);
        const bool wide = fields.number(1) == 8 && fields.number(1) == 8;    // bytes of addresses and of lengths
        fields.skip(1);
        const std::uint64_t base = fields.address(), extension = fields.address(), end = fields.address(),
                            root = fields.address();
        if (!wide || base != 0 || extension != no_address)
            throw BadStructure("the start of the file is of a kind that coco_pack does not write");
        if (end > file_bytes) throw Error(ExitCode::bad_data, none);
        return read_group(file, read_object(file, root), 0);
    } catch (const BadStructure& problem) {
        throw Error(ExitCode::bad_data,
                    fmt::format("{}: {}; the file is damaged: pack it again", name, problem.what()));
    }
}

}    // namespace blip
