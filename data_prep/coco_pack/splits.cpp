// See the header.
#include "data_prep/coco_pack/splits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/error.h"

namespace blip {

HashShares parse_shares(const std::string& text) {
    HashShares shares{0, 0};
    const auto refuse = [&] {
        throw Error(ExitCode::usage, "--split-by-hash {}: takes per cents that leave some for train, as val=5,test=5",
                    text);
    };
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size()), equals = text.find('=', begin);
        if (equals >= end) refuse();
        const std::string name = text.substr(begin, equals - begin);
        double value = 0;
        const auto [stop, problem] = std::from_chars(text.data() + equals + 1, text.data() + end, value);
        if (problem != std::errc() || stop != text.data() + end || !(value >= 0) || (name != "val" && name != "test"))
            refuse();
        (name == "val" ? shares.val : shares.test) = value;
        begin = end + 1;
    }
    if (shares.val + shares.test >= 100) refuse();
    return shares;
}

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
    const char* const names[] = {"train", "val", "test"};
    for (std::size_t s = 0; s < 3; ++s) {
        splits[s].name = names[s];
        splits[s].decisions = all.decisions;
        if (s > 0)    // what was decided of all is told once
            for (auto& [decision, number] : splits[s].decisions) number = 0;
    }
    splits[0].first_empty = all.first_empty;
    std::erase_if(splits, [](const SourceSplit& split) { return split.images.empty(); });
    return splits;
}

}    // namespace blip
