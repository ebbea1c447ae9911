// See meteor_cache.h.
#include "src/metrics/meteor/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "blip/base/bus_error.h"
#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// A file's bytes where the system keeps them.
struct Mapped {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> bytes;
    struct stat status {};
};

std::optional<Mapped> map_file(const fs::path& file) {
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    Mapped mapped;
    if (!fd || ::fstat(fd.get(), &mapped.status) != 0 || !S_ISREG(mapped.status.st_mode) || mapped.status.st_size == 0)
        return std::nullopt;
    const auto size = static_cast<std::size_t>(mapped.status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (memory == MAP_FAILED) return std::nullopt;
    mapped.owner = own_mapping(memory, size, file);
    mapped.bytes = {static_cast<const std::byte*>(memory), size};
    return mapped;
}

bool is_own(const struct stat& status) { return status.st_uid == ::geteuid() || status.st_uid == 0; }

// Nobody else can have written it, nor can change it while it is mapped.
std::optional<Mapped> map_trusted(const fs::path& file) {
    std::optional<Mapped> mapped = map_file(file);
    if (!mapped || (is_own(mapped->status) && (mapped->status.st_mode & (S_IWGRP | S_IWOTH)) == 0)) return mapped;
    log_warning("{} is {}: it is not used but made anew", file.string(),
                is_own(mapped->status) ? fmt::format("writable for others (mode {:o})", mapped->status.st_mode & 07777)
                                       : "owned by another user");
    return std::nullopt;
}

// Differs after any change of the file by way of the file system, whatever its times are set to.
std::string facts_of(const struct stat& status) {
    return fmt::format("{} {}.{:09} {} {}.{:09}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                       status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Begins the index file; the digests are of the tables and of the image behind it.
struct FileHead {
    char kind[16];
    char tables[16], image[16];
};
constexpr char file_kind[16] = "blip meteor 1\n";    // another number: another form of the image
constexpr std::string_view note_kind = "blip meteor note 1";

std::optional<MeteorIndex> index_in(const Mapped& mapped, const std::string& tables, bool whole) {
    FileHead head{};
    if (mapped.bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, mapped.bytes.data(), sizeof head);
    const std::span<const std::byte> image = mapped.bytes.subspan(sizeof head);
    if (std::memcmp(head.kind, file_kind, sizeof file_kind) != 0 || std::string_view(head.tables, 16) != tables ||
        image.size() % sizeof(std::uint32_t) != 0)
        return std::nullopt;
    if (!whole && std::string_view(head.image, 16) != digest_of(text_of(image))) return std::nullopt;
    const auto* numbers = reinterpret_cast<const std::uint32_t*>(image.data());
    return MeteorIndex::over({numbers, image.size() / sizeof(std::uint32_t)}, mapped.owner);
}

}    // namespace

fs::path user_cache() {
    const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
    if (cache != nullptr && *cache != '\0') return cache;
    return home != nullptr && *home != '\0' ? fs::path(home) / ".cache" : fs::temp_directory_path();
}

MeteorCache::MeteorCache(std::vector<fs::path> tables)
    : tables_(std::move(tables)), folder_(user_cache() / "blip_mpi") {
    for (const fs::path& table : tables_) {
        struct stat status {};
        const FileDescriptor fd(::open(table.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
            throw Error(ExitCode::missing_input,
                        fmt::format("cannot read {}: METEOR's tables are fetched by env/setup.sh --with-meteor",
                                    table.string()));
        table_facts_ += fmt::format("{} {}\n", fs::absolute(table).string(), facts_of(status));
    }
}

fs::path MeteorCache::index_file() const { return folder_ / fmt::format("meteor-{}.index", digest_); }

fs::path MeteorCache::note_file() const { return folder_ / fmt::format("meteor-{}.note", digest_of(table_facts_)); }

std::string MeteorCache::tables_digest() const {
    Digest digest;
    for (const fs::path& table : tables_) {
        const std::optional<Mapped> mapped = map_file(table);
        const std::span<const std::byte> bytes = mapped ? mapped->bytes : std::span<const std::byte>();
        const std::string head = fmt::format("{} {}\n", table.filename().string(), bytes.size());
        digest.add(std::as_bytes(std::span(head)));
        digest.add(bytes);
    }
    return digest.hex();
}

std::optional<MeteorIndex> MeteorCache::open() {
    // the note of these tables: their digest, and the index that was found whole
    std::string whole;
    if (const std::optional<Mapped> noted = map_trusted(note_file())) {
        const std::string note(text_of(noted->bytes));
        constexpr std::size_t kind_end = note_kind.size() + 1, digest_end = kind_end + 16 + 1;
        if (note.size() > digest_end && note.starts_with(note_kind)) {
            digest_ = note.substr(kind_end, 16);
            whole = note.substr(digest_end);
        }
    }
    if (digest_.empty()) digest_ = tables_digest();
    const std::optional<Mapped> mapped = map_trusted(index_file());
    if (!mapped) return std::nullopt;
    const std::string facts = facts_of(mapped->status);
    std::optional<MeteorIndex> index = index_in(*mapped, digest_, facts == whole);
    if (!index) {
        log_warning("{} is damaged or of another form: it is made anew", index_file().string());
    } else if (facts != whole) {
        try {
            write_file_durably(note_file(), fmt::format("{} {} {}", note_kind, digest_, facts));
        } catch (const Error&) {    // the next start reads all of the index again
        }
    }
    return index;
}

// Temporary files of processes that were killed long ago.
void MeteorCache::remove_leftovers() const {
    const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
        const std::string name = entry.path().filename().string();
        std::error_code ignored;
        if (name.starts_with("meteor-") && name.find(".tmp.") != name.npos && entry.last_write_time(ignored) < old &&
            !ignored)
            fs::remove(entry.path(), ignored);
    }
}

void MeteorCache::store(const IndexImage& image) {
    try {
        make_folders(folder_);
        struct stat status {};
        if (::stat(folder_.c_str(), &status) != 0 || !is_own(status) || (status.st_mode & S_IWOTH) != 0)
            throw Error(ExitCode::io, fmt::format("{} is owned by another user or writable for all", folder_.string()));
        remove_leftovers();
        FileHead head{};
        std::memcpy(head.kind, file_kind, sizeof file_kind);
        std::memcpy(head.tables, digest_.data(), sizeof head.tables);
        std::memcpy(head.image, digest_of(text_of(std::as_bytes(std::span(image)))).data(), sizeof head.image);
        DurableFile out(index_file());
        out.write(std::as_bytes(std::span(&head, 1)));
        out.write(std::as_bytes(std::span(image)));
        out.commit();
    } catch (const std::exception& error) {    // filesystem_error or Error: scores are the same without the file
        log_warning("METEOR's compiled tables cannot be kept ({}): the next run compiles them again", error.what());
    }
}

}    // namespace blip
