// See the header. Messages are collected by place in the file, so that the report does not depend on the threads.
#include "blip/data/packed/check.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/data/packed/dataset.h"

namespace blip {

namespace {

constexpr std::size_t most_messages = 20;

// The place of an element in the file: split, captions or pictures, row.
using Place = std::tuple<std::size_t, int, std::int64_t>;

// What is damaged, and of the first of it in the file's order what is wrong.
struct Findings {
    std::mutex mutex;
    std::int64_t count = 0;
    std::map<Place, std::string> messages;

    void add(const Place& place, const std::string& message) {
        const std::lock_guard lock(mutex);
        ++count;
        messages.emplace(place, message);
        if (messages.size() > most_messages) messages.erase(std::prev(messages.end()));
    }
    // Runs one verification; damage is a finding, other errors (I/O, a bug) go on.
    template <class Verify>
    void note_damage(const Place& place, const Verify& verify) {
        try {
            verify();
        } catch (const Error& error) {
            if (error.code() != ExitCode::bad_data) throw;
            add(place, error.what());
        }
    }
};

}    // namespace

PackedCheck check_packed_file(const std::filesystem::path& path, int threads,
                              const std::function<void(std::int64_t, std::int64_t)>& progress) {
    const PackedDataset dataset = PackedDataset::open_for_check(path);
    PackedCheck result;
    Findings findings;
    for (const auto& split : dataset.splits()) {
        result.images += split.image_count();
        result.captions += split.caption_count();
        result.pixel_bytes += split.pixel_bytes;
    }
    std::int64_t before = 0;
    for (std::size_t s = 0; s < dataset.splits().size(); ++s) {
        const SplitTables& split = dataset.splits()[s];
        for (std::int64_t row = 0; row < split.caption_count(); ++row)
            findings.note_damage({s, 0, row}, [&] { dataset.verify_caption(split, row); });
        const auto report = [&](std::int64_t done) {
            if (progress) progress(before + done, result.images);
        };
        parallel_for(
            split.image_count(), threads,
            [&](std::int64_t row) {
                findings.note_damage({s, 1, row}, [&] { (void)dataset.read_image(split, row); });
            },
            report);
        before += split.image_count();
    }
    if (!dataset.data_digest_matches())
        findings.add({dataset.splits().size(), 0, 0},
                     path.string() +
                         ": the data digest does not match: a digest table, the vocabulary or the prompt "
                         "changed; pack the file again");
    result.damaged = findings.count;
    for (const auto& [place, message] : findings.messages) result.messages.push_back(message);
    return result;
}

}    // namespace blip
