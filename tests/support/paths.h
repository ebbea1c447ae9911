// Where tests find their data, and small tools they share: gzip and JSON readers, a scratch directory.
// Data folders come from the environment (so that held-out sets can be run through the same tests), else from
// ../shared beside the repository. A test that needs an absent one is skipped, aloud:
//     BOOST_AUTO_TEST_CASE(rows_equal_reference, *boost::unit_test::precondition(has_golden))
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace blip::test {

using Path = std::filesystem::path;

// The repository: BLIP_ROOT, else the first directory above the running program that holds data_prep and tests.
Path repository_root();

// Each is empty when the folder or file is absent.
std::optional<Path> golden_dir();       // BLIP_GOLDEN_DIR, else ../shared/golden
std::optional<Path> coco_dir();         // BLIP_COCO_DIR, else ../shared/data/coco2014-mini
std::optional<Path> captions_file();    // BLIP_CAPTIONS, else ../shared/data/coco_captions_half.json
Path vocabulary_file();                 // data_prep/bert-base-uncased-vocab.txt

// The path of one file in such a folder. Throws std::runtime_error naming it if it is absent.
Path golden_file(std::string_view name);
Path coco_file(std::string_view name);

// Boost preconditions.
boost::test_tools::assertion_result has_golden(boost::unit_test::test_unit_id);
boost::test_tools::assertion_result has_coco(boost::unit_test::test_unit_id);
boost::test_tools::assertion_result has_captions(boost::unit_test::test_unit_id);

// Whole file as bytes; a gzip file is unpacked, another one read as it is. Throws std::runtime_error naming the file.
std::string read_bytes(const Path& file);
// JSON, gzipped or not.
nlohmann::json read_json(const Path& file);
void write_bytes(const Path& file, std::string_view bytes);

// A new empty directory below $TMPDIR (or /tmp), removed with its contents at the end of the scope.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    const Path& path() const { return path_; }
    Path operator/(std::string_view name) const { return path_ / name; }

  private:
    Path path_;
};

}    // namespace blip::test
