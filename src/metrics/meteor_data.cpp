// The compiled tables in the user's cache. See meteor.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/metrics/meteor.h"
#include "src/metrics/meteor_index.h"
#include "src/metrics/meteor_tables.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// A file's bytes where the system keeps them.
struct Mapped {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> bytes;
};

std::optional<Mapped> map_file(const fs::path& file) {
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (memory == MAP_FAILED) return std::nullopt;
    std::shared_ptr<const void> owner(memory, [size](const void* at) { ::munmap(const_cast<void*>(at), size); });
    return Mapped{std::move(owner), {static_cast<const std::byte*>(memory), size}};
}

// Begins the index file; the digests are of the tables and of the image behind it.
struct FileHead {
    char kind[16];
    char tables[16], image[16];
};
constexpr char file_kind[16] = "blip meteor 1\n";    // another number: another form of the image

void put_digest(char (&to)[16], const std::string& hex) { std::memcpy(to, hex.data(), sizeof to); }
std::string digest_of_bytes(std::span<const std::byte> bytes) {
    Digest digest;
    digest.add(bytes);
    return digest.hex();
}

std::string digest_of_tables(const fs::path& dir) {
    Digest digest;
    for (const char* name : meteor_table_names) {
        const std::optional<Mapped> file = map_file(dir / name);
        if (!file)
            throw Error(ExitCode::missing_input,
                        fmt::format("cannot read {}: METEOR's tables are fetched by env/setup.sh --with-meteor",
                                    (dir / name).string()));
        const std::string head = fmt::format("{} {}\n", name, file->bytes.size());
        digest.add(std::as_bytes(std::span(head)));
        digest.add(file->bytes);
    }
    return digest.hex();
}

std::span<const std::uint32_t> numbers(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const std::uint32_t*>(bytes.data()), bytes.size() / sizeof(std::uint32_t)};
}

std::optional<MeteorIndex> open_index(const fs::path& file, const std::string& tables) {
    const std::optional<Mapped> mapped = map_file(file);
    FileHead head{};
    if (!mapped || mapped->bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, mapped->bytes.data(), sizeof head);
    const std::span<const std::byte> image = mapped->bytes.subspan(sizeof head);
    if (std::memcmp(head.kind, file_kind, sizeof file_kind) != 0 || std::string_view(head.tables, 16) != tables ||
        image.size() % sizeof(std::uint32_t) != 0 || std::string_view(head.image, 16) != digest_of_bytes(image)) {
        log_warning("{} is damaged or of another form: it is made anew", file.string());
        return std::nullopt;
    }
    return MeteorIndex::over(numbers(image), mapped->owner);
}

void store_index(const fs::path& file, const std::string& tables, const IndexImage& image) {
    FileHead head{};
    std::memcpy(head.kind, file_kind, sizeof file_kind);
    put_digest(head.tables, tables);
    put_digest(head.image, digest_of_bytes(std::as_bytes(std::span(image))));
    fs::create_directories(file.parent_path());
    DurableFile out(file);
    out.write(std::as_bytes(std::span(&head, 1)));
    out.write(std::as_bytes(std::span(image)));
    out.commit();
}

fs::path home_cache() {
    const char* home = std::getenv("HOME");
    return home != nullptr && *home != '\0' ? fs::path(home) / ".cache" : fs::temp_directory_path();
}

}    // namespace

fs::path default_meteor_dir() {
    const char* deps = std::getenv("BLIP_DEPS");
    return (deps != nullptr && *deps != '\0' ? fs::path(deps) : home_cache() / "blip_mpi") / "meteor-1.5";
}

MeteorData MeteorData::open(const fs::path& dir) {
    const std::string tables = digest_of_tables(dir);
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const fs::path file = (cache != nullptr && *cache != '\0' ? fs::path(cache) : home_cache()) / "blip_mpi" /
                          fmt::format("meteor-{}.index", tables);
    std::optional<MeteorIndex> index = open_index(file, tables);
    if (!index) {
        log_info("compiling METEOR's tables in {} (once)", dir.string());
        auto image = std::make_shared<const IndexImage>(compile_meteor_tables(dir));
        try {
            store_index(file, tables, *image);
        } catch (const std::exception& error) {    // filesystem_error or Error: scores are the same without the file
            log_warning("the compiled tables cannot be kept ({}): the next run compiles them again", error.what());
        }
        index = MeteorIndex::over(*image, image);
        if (!index) throw Error(ExitCode::internal, "the compiled METEOR tables do not fit together");
    }
    return MeteorData(std::make_shared<const MeteorIndex>(*std::move(index)));
}

}    // namespace blip
