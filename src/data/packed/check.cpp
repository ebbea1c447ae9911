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

// The first damaged elements in the file's order, and how many there are.
class Findings {
  public:
    void add(std::size_t split, int kind, std::int64_t row, const std::string& message) {
        const std::lock_guard lock(mutex_);
        ++count_;
        messages_.emplace(std::tuple{split, kind, row}, message);
        if (messages_.size() > most_messages) messages_.erase(std::prev(messages_.end()));
    }
    void report(PackedCheck& result) const {
        result.damaged = count_;
        for (const auto& [place, message] : messages_) result.messages.push_back(message);
    }

  private:
    std::mutex mutex_;
    std::int64_t count_ = 0;
    std::map<std::tuple<std::size_t, int, std::int64_t>, std::string> messages_;
};

// Runs one verification; damage is a finding, other errors (I/O, a bug) go on.
template <class Verify>
void note_damage(Findings& findings, std::size_t split, int kind, std::int64_t row, const Verify& verify) {
    try {
        verify();
    } catch (const Error& error) {
        if (error.code() != ExitCode::bad_data) throw;
        findings.add(split, kind, row, error.what());
    }
}

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
            note_damage(findings, s, 0, row, [&] { dataset.verify_caption(split, row); });
        const auto report = [&](std::int64_t done) {
            if (progress) progress(before + done, result.images);
        };
        parallel_for(
            split.image_count(), threads,
            [&](std::int64_t row) { note_damage(findings, s, 1, row, [&] { (void)dataset.read_image(split, row); }); },
            report);
        before += split.image_count();
    }
    if (!dataset.data_digest_matches())
        findings.add(dataset.splits().size(), 0, 0,
                     path.string() +
                         ": the data digest does not match: a digest table, the vocabulary or the prompt "
                         "changed; pack the file again");
    findings.report(result);
    return result;
}

}    // namespace blip
