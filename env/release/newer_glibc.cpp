// Functions of glibc 2.35 and 2.36 that libraries of newer distributions use, for machines with an older one.
// env/bundle.sh makes libblip_glibc.so of it, which older_glibc.py lets those libraries need. A glibc that has the
// functions is found first.
#include <dlfcn.h>
#include <link.h>
#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

// Random bytes of the kernel, as arc4random(3) of glibc gives them. They cannot fail: without them the program ends.
extern "C" void arc4random_buf(void* bytes, std::size_t count) noexcept {
    auto* at = static_cast<unsigned char*>(bytes);
    while (count > 0) {
        const ssize_t got = getrandom(at, count, 0);
        if (got < 0 && errno != EINTR) std::abort();
        if (got <= 0) continue;
        at += got;
        count -= static_cast<std::size_t>(got);
    }
}

extern "C" std::uint32_t arc4random() noexcept {
    std::uint32_t value = 0;
    arc4random_buf(&value, sizeof value);
    return value;
}

#ifdef DLFO_EH_SEGMENT_TYPE
namespace {

struct Search {
    std::uintptr_t address;
    dl_find_object* found;
};

// Of one loaded object: whether the address lies in it, and where its table of unwinding begins.
int look_into(dl_phdr_info* object, std::size_t, void* data) {
    auto& search = *static_cast<Search*>(data);
    std::uintptr_t begin = UINTPTR_MAX, end = 0, unwinding = 0;
    bool inside = false;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = object->dlpi_phdr[i];
        const std::uintptr_t first = object->dlpi_addr + part.p_vaddr, last = first + part.p_memsz;
        if (part.p_type == DLFO_EH_SEGMENT_TYPE) unwinding = first;
        if (part.p_type != PT_LOAD) continue;
        begin = first < begin ? first : begin;
        end = last > end ? last : end;
        inside = inside || (search.address >= first && search.address < last);
    }
    if (!inside) return 0;
    if (unwinding == 0) return -1;
    search.found->dlfo_flags = 0;
    search.found->dlfo_map_start = reinterpret_cast<void*>(begin);
    search.found->dlfo_map_end = reinterpret_cast<void*>(end);
    search.found->dlfo_link_map = nullptr;    // libgcc_s, which alone asks, does not read it
    search.found->dlfo_eh_frame = reinterpret_cast<void*>(unwinding);
    return 1;
}

}    // namespace

// For libgcc_s, when an exception is thrown: 0 and what is known of the object around an address, or -1.
extern "C" int _dl_find_object(void* address, dl_find_object* found) noexcept {
    Search search{reinterpret_cast<std::uintptr_t>(address), found};
    return dl_iterate_phdr(look_into, &search) == 1 ? 0 : -1;
}
#endif
