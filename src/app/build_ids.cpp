// See build_ids.h. Read from memory, where the loader has put the notes.
#include "src/app/build_ids.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstring>
#include <string_view>

namespace blip {
namespace {

struct Search {
    std::string_view library;    // part of its file's name; empty: the program itself
    std::string found = "unknown";
};

// A note: header, name padded to 4 bytes, content padded to 4 bytes.
std::string build_id_in(const char* notes, std::size_t bytes) {
    const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
    for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
        ElfW(Nhdr) header;
        std::memcpy(&header, notes + at, sizeof header);
        const std::size_t name = at + sizeof header, content = name + padded(header.n_namesz);
        if (content + header.n_descsz > bytes) break;
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(notes + name, "GNU", 4) == 0) {
            std::string digits;
            for (std::size_t i = 0; i < header.n_descsz; ++i)
                digits += fmt::format("{:02x}", static_cast<unsigned char>(notes[content + i]));
            return digits;
        }
        at = content + padded(header.n_descsz);
    }
    return "";
}

int look_at(dl_phdr_info* object, std::size_t, void* data) {
    auto& search = *static_cast<Search*>(data);
    const std::string_view name = object->dlpi_name;    // the program's own is empty
    if (search.library.empty() ? !name.empty() : name.find(search.library) == std::string_view::npos) return 0;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) continue;
        const std::string id =
            build_id_in(reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr), segment.p_memsz);
        if (!id.empty()) search.found = id;
    }
    return 1;
}

std::string search_for(std::string_view library) {
    Search search{library};
    dl_iterate_phdr(look_at, &search);
    return search.found;
}

}    // namespace

std::string program_build_id() { return search_for(""); }
std::string torch_build_id() { return search_for("/libtorch_cpu.so"); }

}    // namespace blip
