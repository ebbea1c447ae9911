// See reward.h.
#include "blip/metrics/reward.h"

#include <fmt/format.h>

#include <array>

#include "blip/base/error.h"
#include "blip/metrics/bleu.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/metrics/ptb_tokenizer.h"

namespace blip {
namespace {

constexpr const char* end_word = "[SEP]";    // the tokenizer never gives this word: it sets brackets apart

std::string_view without_spaces_behind(std::string_view text) {
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

std::string_view without_full_stop(std::string_view text) {
    text = without_spaces_behind(text);
    if (text.ends_with('.')) text.remove_suffix(1);
    return without_spaces_behind(text);
}

std::vector<std::vector<Tokens>> ended_references(const std::vector<std::vector<std::string_view>>& references,
                                                  int threads) {
    std::vector<std::string_view> lines;
    for (const auto& of_image : references)
        for (const std::string_view text : of_image) lines.push_back(without_full_stop(text));
    std::vector<Tokens> flat = coco_tokens(lines, threads);
    std::vector<std::vector<Tokens>> ended;
    auto next = flat.begin();
    for (const auto& of_image : references) {
        auto& own = ended.emplace_back();
        for (std::size_t k = 0; k < of_image.size(); ++k, ++next) own.push_back(std::move(*next));
        for (Tokens& tokens : own) tokens.emplace_back(end_word);
    }
    return ended;
}

}    // namespace

CaptionReward::CaptionReward(const std::vector<std::vector<std::string_view>>& references, RewardWeights weights,
                             int threads)
    : weights_(weights),
      references_(ended_references(references, threads)),
      images_(references.size()),
      cider_(references_) {
    if (weights_.bleu4 == 0) references_ = {};
}

Tokens CaptionReward::words(std::string_view caption) { return ptb_tokenize(without_full_stop(caption)); }

double CaptionReward::operator()(std::string_view caption, bool ended, std::size_t image) const {
    Tokens tokens = words(caption);
    if (ended) tokens.emplace_back(end_word);
    double reward = 0;
    if (weights_.cider > 0) reward += weights_.cider * cider_.score(tokens, image);
    if (weights_.bleu4 > 0) {
        constexpr std::size_t four = 3;
        reward += weights_.bleu4 * bleu({tokens}, {references_[image]}).per_image.front()[four];
    }
    return reward;
}

std::string CaptionReward::signature() const {
    return fmt::format(
        "reward cider={},bleu4={} (CIDEr-D n 4 sigma 6, end token in caption and references, document "
        "frequencies of {} training pictures)",
        weights_.cider, weights_.bleu4, images_);
}

}    // namespace blip
