// A flipped bit anywhere in a packed file is named, or changes nothing that anybody reads. Every byte of a file's
// structures and tables is tried, and many of its pictures; and truncation at many places.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>

#include "blip/base/error.h"
#include "small_jpeg_file.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

// Whatever training or evaluation could take from the file.
struct Content {
    std::string digest, vocabulary, prompt, source;
    int prompt_length = 0;
    PackedEncoding encoding = PackedEncoding::raw;
    std::vector<SplitTables> splits;
    std::vector<std::vector<std::uint8_t>> pixels;
};

// As a run reads it; throws what a run would end with.
Content read_all(const Path& file) {
    const PackedDataset dataset = PackedDataset::open(file);
    Content content{dataset.data_digest(),   dataset.vocabulary_text(), dataset.prompt(), dataset.source(),
                    dataset.prompt_length(), dataset.encoding(),        dataset.splits(), {}};
    for (const SplitTables& split : dataset.splits())
        for (std::int64_t row = 0; row < split.image_count(); ++row)
            content.pixels.push_back(dataset.read_image(split, row).pixels_HWC);
    return content;
}

// The first thing that differs, empty if nothing does.
std::string difference(const Content& a, const Content& b) {
    if (a.digest != b.digest) return "data digest";
    if (a.vocabulary != b.vocabulary) return "vocabulary";
    if (a.prompt != b.prompt || a.prompt_length != b.prompt_length) return "prompt";
    if (a.source != b.source) return "source";
    if (a.encoding != b.encoding) return "encoding";
    if (a.pixels != b.pixels) return "pixels";
    if (a.splits.size() != b.splits.size()) return "splits";
    for (std::size_t s = 0; s < a.splits.size(); ++s) {
        const SplitTables &x = a.splits[s], &y = b.splits[s];
        if (x.name != y.name) return "name of a split";
        if (x.keys_I != y.keys_I) return "keys";
        if (x.files_I != y.files_I) return "files";
        if (x.heights_I != y.heights_I || x.widths_I != y.widths_I) return "sizes";
        if (x.offsets_I != y.offsets_I || x.stored_start_bytes != y.stored_start_bytes) return "offsets";
        if (x.image_digests_I != y.image_digests_I || x.caption_digests_C != y.caption_digests_C) return "digests";
        if (x.jpeg_lengths_I != y.jpeg_lengths_I || x.jpeg_digests_I != y.jpeg_digests_I) return "JPEG tables";
        if (x.tokens_C40 != y.tokens_C40 || x.lengths_C != y.lengths_C) return "tokens";
        if (x.image_index_C != y.image_index_C) return "image indices";
        if (x.texts != y.texts || x.text_offsets_C1 != y.text_offsets_C1) return "texts";
        if (x.notes != y.notes) return "notes";
    }
    return "";
}

void flip(std::fstream& file, std::size_t position, int bit) {
    file.seekg(static_cast<std::streamoff>(position));
    const char byte = static_cast<char>(file.get() ^ (1 << bit));
    file.seekp(static_cast<std::streamoff>(position));
    file.put(byte);
    file.flush();
}

// Flips and restores a bit of one byte in `stride` of the file; within the pictures, of one in 37.
void try_bytes(const Path& path, std::size_t stride) {
    const Content whole = read_all(path);
    const std::size_t size = std::filesystem::file_size(path);
    std::vector<std::pair<std::size_t, std::size_t>> pictures;
    for (const SplitTables& split : whole.splits)
        pictures.emplace_back(split.stored_start_bytes, split.stored_start_bytes + split.stored_bytes);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::map<std::string, int> silent;
    int named = 0, harmless = 0, unnamed = 0;
    for (std::size_t at = 0; at < size; ++at) {
        const bool in_pictures = std::any_of(pictures.begin(), pictures.end(),
                                             [&](const auto& range) { return at >= range.first && at < range.second; });
        if (at % (in_pictures ? 37 : stride) != 0) continue;
        const int bit = static_cast<int>((at * 7 + at / 8) % 8);
        flip(file, at, bit);
        try {
            const std::string changed = difference(read_all(path), whole);
            changed.empty() ? ++harmless : ++silent[changed];
        } catch (const Error& error) {
            ++named;
            const bool ours = error.code() == ExitCode::bad_data;
            unnamed += !ours || std::string(error.what()).find(path.filename()) == std::string::npos;
            if (!ours) BOOST_ERROR("byte " << at << " bit " << bit << ": " << error.what());
        }
        flip(file, at, bit);
    }
    for (const auto& [what, count] : silent) BOOST_ERROR(count << " flipped bits changed the " << what << " unnoticed");
    BOOST_TEST_MESSAGE(named << " flips named, " << harmless << " without effect");
    BOOST_TEST(unnamed == 0);
    BOOST_TEST(named > 1000);
    BOOST_TEST(difference(read_all(path), whole) == "");
}

BOOST_AUTO_TEST_SUITE(packed_damage)

BOOST_AUTO_TEST_CASE(no_flipped_bit_of_a_raw_file_passes) {
    const TempDir folder;
    write_small_file(folder / "small.h5");
    try_bytes(folder / "small.h5", 1);
}

BOOST_AUTO_TEST_CASE(no_flipped_bit_of_a_file_of_jpegs_passes) {
    const TempDir folder;
    write_jpeg_file(folder / "small.h5", PackedEncoding::jpeg);
    try_bytes(folder / "small.h5", 5);
}

BOOST_AUTO_TEST_CASE(no_truncated_file_passes) {
    const TempDir folder;
    const Path path = folder / "small.h5";
    write_small_file(path);
    const std::string bytes = read_bytes(path);
    for (std::size_t k = 0; k < 200; ++k) {
        write_bytes(path, std::string_view(bytes).substr(0, bytes.size() * k / 200));
        BOOST_CHECK_EXCEPTION(read_all(path), Error, [&](const Error& error) {
            return error.code() == ExitCode::bad_data &&
                   std::string(error.what()).find("small.h5") != std::string::npos;
        });
    }
    std::filesystem::remove(path);
    BOOST_CHECK_EXCEPTION(read_all(path), Error, [](const Error& e) { return e.code() == ExitCode::missing_input; });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
