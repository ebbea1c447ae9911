// See paths.h. Linked into every test program.
#include "tests/support/paths.h"

#include <stdlib.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

namespace blip::test {
namespace {

namespace fs = std::filesystem;

std::optional<Path> from_environment(const char* variable, const char* beside_repository) {
    const char* set = std::getenv(variable);
    const Path path = set && *set ? Path(set) : repository_root().parent_path() / beside_repository;
    if (fs::exists(path)) return path;
    return std::nullopt;
}

Path member(const std::optional<Path>& folder, std::string_view name) {
    if (!folder) throw std::runtime_error("test data folder is absent; looking for " + std::string(name));
    const Path path = *folder / name;
    if (!fs::exists(path)) throw std::runtime_error("test data file is absent: " + path.string());
    return path;
}

boost::test_tools::assertion_result present(const std::optional<Path>& path, const char* variable) {
    boost::test_tools::assertion_result result(path.has_value());
    if (!path) result.message() << "test data is absent; set " << variable;
    return result;
}

}    // namespace

Path repository_root() {
    if (const char* root = std::getenv("BLIP_ROOT"); root && *root) return fs::canonical(root);
    for (Path folder = fs::read_symlink("/proc/self/exe").parent_path();; folder = folder.parent_path()) {
        if (fs::is_directory(folder / "data_prep") && fs::is_directory(folder / "tests")) return folder;
        if (folder == folder.root_path())
            throw std::runtime_error("the repository is not above this program; set BLIP_ROOT");
    }
}

std::optional<Path> golden_dir() { return from_environment("BLIP_GOLDEN_DIR", "shared/golden"); }
std::optional<Path> coco_dir() { return from_environment("BLIP_COCO_DIR", "shared/data/coco2014-mini"); }
std::optional<Path> captions_file() { return from_environment("BLIP_CAPTIONS", "shared/data/coco_captions_half.json"); }
Path vocabulary_file() { return repository_root() / "data_prep" / "bert-base-uncased-vocab.txt"; }

Path golden_file(std::string_view name) { return member(golden_dir(), name); }
Path coco_file(std::string_view name) { return member(coco_dir(), name); }

boost::test_tools::assertion_result has_golden(boost::unit_test::test_unit_id) {
    return present(golden_dir(), "BLIP_GOLDEN_DIR");
}
boost::test_tools::assertion_result has_coco(boost::unit_test::test_unit_id) {
    return present(coco_dir(), "BLIP_COCO_DIR");
}
boost::test_tools::assertion_result has_captions(boost::unit_test::test_unit_id) {
    return present(captions_file(), "BLIP_CAPTIONS");
}

std::string read_bytes(const Path& file) {
    // gzread passes a file that is not gzip through unchanged.
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(file.c_str(), "rb"), gzclose);
    if (!in) throw std::runtime_error("cannot open " + file.string());
    std::string bytes;
    std::string chunk(1 << 20, '\0');
    int count = 0;
    while ((count = gzread(in.get(), chunk.data(), static_cast<unsigned>(chunk.size()))) > 0)
        bytes.append(chunk, 0, static_cast<std::size_t>(count));
    if (count < 0) throw std::runtime_error("cannot read " + file.string());
    return bytes;
}

nlohmann::json read_json(const Path& file) {
    try {
        return nlohmann::json::parse(read_bytes(file));
    } catch (const nlohmann::json::exception& error) {
        throw std::runtime_error(file.string() + ": " + error.what());
    }
}

void write_bytes(const Path& file, std::string_view bytes) {
    std::ofstream out(file, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

TempDir::TempDir() {
    std::string name = (fs::temp_directory_path() / "blip_test_XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
}

TempDir::~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

}    // namespace blip::test
