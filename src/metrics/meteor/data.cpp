// Where METEOR's tables are, and the index that set-up compiles of them. See meteor.h.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "blip/base/bus_error.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/fetched_folder.h"
#include "blip/base/log.h"
#include "blip/metrics/meteor.h"
#include "src/metrics/meteor/index.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

constexpr const char* index_name = "index-1";    // another number: another form of the image

// Begins the index file; the image is behind it.
struct FileHead {
    char kind[16] = "blip meteor 1\n";
    std::uint64_t table_bytes[std::size(meteor_table_names)] = {};
};

// The head that an index of these tables has; newest: when one of them was changed last.
FileHead head_of(const fs::path& dir, fs::file_time_type* newest = nullptr) {
    FileHead head;
    for (std::size_t i = 0; i < std::size(meteor_table_names); ++i) {
        const fs::path table = dir / meteor_table_names[i];
        std::error_code none;
        if (!fs::is_regular_file(table, none) || ::access(table.c_str(), R_OK) != 0)
            throw Error(ExitCode::missing_input,
                        "cannot read {}: METEOR's tables are fetched by env/setup.sh --with-meteor", table.string());
        head.table_bytes[i] = fs::file_size(table);
        if (newest != nullptr) *newest = std::max(*newest, fs::last_write_time(table));
    }
    return head;
}

// The index beside its tables, where it lies on the disk; nullopt if there is none, or none of these tables. Its
// content is not read to be checked: a damaged one can make scores wrong, but not the program fail.
std::optional<MeteorIndex> open_index(const fs::path& dir) {
    fs::file_time_type newest = fs::file_time_type::min();
    const FileHead head = head_of(dir, &newest);
    const fs::path file = dir / index_name;
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const auto size = static_cast<std::size_t>(status.st_size);
    std::optional<MeteorIndex> index;
    if (size > sizeof head && size % sizeof(std::uint32_t) == 0 && fs::last_write_time(file) >= newest) {
        void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
        if (memory == MAP_FAILED) return std::nullopt;
        const std::shared_ptr<const std::byte> owner = own_mapping(memory, size, file);
        const auto* image = reinterpret_cast<const std::uint32_t*>(owner.get() + sizeof head);
        if (std::memcmp(memory, &head, sizeof head) == 0)
            index = MeteorIndex::over({image, (size - sizeof head) / sizeof(std::uint32_t)}, owner);
    }
    if (!index) log_warning("{} is of other tables than those beside it, or damaged: it is not used", file.string());
    return index;
}

}    // namespace

fs::path default_meteor_dir() { return fetched_folder() / "meteor-1.5"; }

void require_meteor_tables(const fs::path& dir) { head_of(dir); }

MeteorTables find_meteor(const fs::path& dir) {
    MeteorTables found;
    try {
        found.data = MeteorData::open(dir);
    } catch (const Error& error) {
        found.problem = error.what();
    }
    return found;
}

MeteorData MeteorData::open(const fs::path& given) {
    const fs::path dir = given.empty() ? default_meteor_dir() : given;
    std::optional<MeteorIndex> index = open_index(dir);
    if (!index) {
        const auto begin = std::chrono::steady_clock::now();
        const auto image = std::make_shared<const IndexImage>(compile_meteor_tables(dir));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        log_info("METEOR's tables in {0} compiled in {1:.1f} s; `blip_mpi_score --compile-meteor {0}` does it once",
                 dir.string(), took.count());
        index = MeteorIndex::over(*image, image);
        if (!index) throw Error(ExitCode::internal, "the compiled METEOR tables do not fit together");
    }
    return MeteorData(std::make_shared<const MeteorIndex>(*std::move(index)));
}

void compile_meteor_index(const fs::path& dir) {
    const FileHead head = head_of(dir);
    const IndexImage image = compile_meteor_tables(dir);
    DurableFile out(dir / index_name);
    out.write(std::as_bytes(std::span(&head, 1)));
    out.write(std::as_bytes(std::span(image)));
    out.commit();
}

}    // namespace blip
