// See the header.
#include "data_prep/coco_pack/source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <numeric>
#include <span>
#include <unordered_set>

#include "blip/base/digest.h"
#include "blip/base/error.h"
#include "blip/base/number.h"
#include "blip/base/printable.h"
#include "blip/image/picture.h"
#include "data_prep/coco_pack/readers/folders.h"

namespace blip {

namespace fs = std::filesystem;

const std::vector<std::pair<std::string, std::string>> source_decisions = {
    {"captions_of_unknown_images", "captions of images that are not listed: left out"},
    {"images_without_captions", "images without a caption: left out"},
    {"duplicate_image_ids", "images listed again: taken as one"},
    {"duplicate_caption_ids", "captions with the id of an earlier one: left out"},
    {"empty_captions", "captions without a word: left out"},
    {"cut_captions", "captions of more than 30 words or 40 tokens: what is beyond is not trained"},
    {"images_in_an_earlier_split", "images that are in an earlier split too: kept in both"},
    {"skipped_images", "images that could not be used: left out (--skip-bad)"},
    {"skipped_captions", "captions of skipped images: left out"},
};

std::int64_t& SourceSplit::decision(const std::string& name) {
    return std::find_if(decisions.begin(), decisions.end(), [&](const auto& one) { return one.first == name; })->second;
}

void count_shared_images(std::vector<SourceSplit>& splits) {
    // the same file is the same picture, whatever its key
    std::unordered_set<std::string> keys, files;
    for (auto& split : splits) {
        std::int64_t shared = 0;
        for (const auto& image : split.images)
            shared += keys.contains(image.id.text) || files.contains(image.file.string());
        split.decision("images_in_an_earlier_split") = shared;
        for (const auto& image : split.images) {
            keys.insert(image.id.text);
            files.insert(image.file.string());
        }
    }
}

namespace {

// Where pictures are not at once below the folder but below one folder of it, as Flickr's come: takes that one.
void find_pictures(Source& source) {
    if (!source.tars.empty()) return;
    std::vector<fs::path> below;
    for (const auto& entry : fs::directory_iterator(source.folder))
        if (entry.is_directory()) below.push_back(entry.path().filename());
    std::sort(below.begin(), below.end());
    for (SourceSplit& split : source.splits) {
        const auto there = [&](const fs::path& prefix) {
            const std::size_t looked_at = std::min<std::size_t>(split.images.size(), 5);
            return std::any_of(split.images.begin(), split.images.begin() + static_cast<std::ptrdiff_t>(looked_at),
                               [&](const auto& image) { return fs::exists(source.folder / prefix / image.file); });
        };
        if (there("")) continue;
        const auto found = std::find_if(below.begin(), below.end(), there);
        if (found == below.end() || std::any_of(found + 1, below.end(), there)) continue;    // none, or not one alone
        for (SourceImage& image : split.images) image.file = *found / image.file;
        source.notes.push_back(fmt::format("pictures{} are in {}", split.name.empty() ? "" : " of " + split.name,
                                           (source.folder / *found).string()));
    }
}

// Of a folder that was given for what to pack or for its pictures: those that nothing names.
void tell_other_pictures(Source& source, const SourceOptions& options) {
    if (options.images.empty() && !fs::is_directory(options.from)) return;
    std::unordered_set<std::string> named;
    for (const SourceSplit& split : source.splits)
        for (const SourceImage& image : split.images) named.insert(image.file.string());
    std::int64_t others = 0;
    std::string first;
    for (const fs::path& file : files_below(source.folder))
        if (has_picture_name(file) && !named.contains(file.string()) && ++others == 1) first = file.string();
    if (others > 0)
        source.notes.push_back(fmt::format("{} in {} without a caption {} left out (the first: {})",
                                           counted(others, "picture"), source.folder.string(),
                                           others == 1 ? "is" : "are", first));
}

struct HashShares {
    double val = 5, test = 5;    // per cent
};

// "val=5,test=5". Throws usage.
HashShares parse_shares(const std::string& text) {
    HashShares shares{0, 0};
    const auto refuse = [&] {
        throw Error(ExitCode::usage, "--split-by-hash {}: takes per cents that leave some for train, as val=5,test=5",
                    text);
    };
    std::vector<std::string> parts;
    boost::split(parts, text, boost::is_any_of(","));
    for (const std::string& part : parts) {
        const bool val = part.starts_with("val=");
        if (!val && !part.starts_with("test=")) refuse();
        const auto value = number_in<double>(std::string_view(part).substr(part.find('=') + 1));
        if (!value || !(*value >= 0)) refuse();
        (val ? shares.val : shares.test) = *value;
    }
    if (shares.val + shares.test >= 100) refuse();
    return shares;
}

// Deals the pictures of one split to train, val and test by the digests of their keys, so that each stays where it is
// when pictures are added. Each split that is to have a share gets a picture at least, as far as there are some; train
// first.
std::vector<SourceSplit> split_by_hash(SourceSplit all, const HashShares& shares) {
    const std::size_t count = all.images.size();
    std::vector<std::uint64_t> hashes(count);
    for (std::size_t i = 0; i < count; ++i) hashes[i] = digest_value(std::as_bytes(std::span(all.images[i].id.text)));
    std::vector<std::size_t> order(count);    // by hash: val, test, train
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return hashes[a] < hashes[b]; });
    const auto below = [&](double per_cent) {
        const auto first = std::find_if(order.begin(), order.end(), [&](std::size_t i) {
            return static_cast<double>(hashes[i]) / 18446744073709551616.0 >= per_cent / 100;
        });
        return static_cast<std::size_t>(first - order.begin());
    };
    std::size_t val_end = below(shares.val), test_end = below(shares.val + shares.test);
    if (shares.val > 0 && val_end == 0 && count > 1) val_end = 1;
    test_end = std::max(test_end, val_end);
    if (shares.test > 0 && test_end == val_end && count > val_end + 1) ++test_end;
    // train is never empty
    test_end = std::min(test_end, count - 1);
    val_end = std::min(val_end, test_end);
    std::vector<std::size_t> split_of(count, 0);    // train, val, test
    for (std::size_t n = 0; n < test_end; ++n) split_of[order[n]] = n < val_end ? 1 : 2;

    std::vector<SourceSplit> splits(3);
    for (std::size_t i = 0; i < count; ++i) splits[split_of[i]].images.push_back(std::move(all.images[i]));
    for (SourceSplit& split : splits) {
        split.decisions = all.decisions;
        for (auto& [decision, number] : all.decisions) number = 0;    // what was decided of all is told once
    }
    splits[0].name = "train";
    splits[1].name = "val";
    splits[2].name = "test";
    splits[0].first_empty = all.first_empty;
    std::erase_if(splits, [](const SourceSplit& split) { return split.images.empty(); });
    return splits;
}

void make_splits(Source& source, const SourceOptions& options) {
    const bool asked = !options.split_by_hash.empty();
    if (!source.splits[0].name.empty() && !asked) return;
    if (source.splits.size() > 1)
        throw Error(ExitCode::usage, "--split-by-hash is for data without a split; these have one: leave it out");
    source.splits =
        split_by_hash(std::move(source.splits[0]), asked ? parse_shares(options.split_by_hash) : HashShares{});
    std::string counts;
    for (const SourceSplit& split : source.splits)
        counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", split.name, split.images.size());
    source.notes.push_back(fmt::format("no split in the data: pictures are dealt by their keys{}: {}",
                                       asked ? "" : ", 5 % val and 5 % test (--split-by-hash)", counts));
}

void keep_wanted(Source& source, const SourceOptions& options) {
    for (const std::string& name : options.splits)
        if (std::none_of(source.splits.begin(), source.splits.end(),
                         [&](const auto& split) { return split.name == name; }))
            throw Error(ExitCode::missing_input, "these data have no split {}: leave it out of --splits", name);
    std::erase_if(source.splits, [&](const SourceSplit& split) {
        return !options.splits.empty() &&
               std::find(options.splits.begin(), options.splits.end(), split.name) == options.splits.end();
    });
    for (SourceSplit& split : source.splits)
        if (options.limit > 0 && static_cast<std::size_t>(options.limit) < split.images.size())
            split.images.resize(static_cast<std::size_t>(options.limit));
}

}    // namespace

Source read_source(const SourceOptions& options) {
    const bool tree = !options.coco.empty();
    Source source = tree ? read_tree(options) : read_form(options);
    find_pictures(source);
    if (!tree) {
        tell_other_pictures(source, options);
        make_splits(source, options);
        keep_wanted(source, options);
    }
    count_shared_images(source.splits);
    for (const SourceSplit& split : source.splits)
        if (!split.first_empty.empty())
            source.notes.push_back(
                fmt::format("captions without a word are left out (the first: {})", split.first_empty));
    return source;
}

}    // namespace blip
