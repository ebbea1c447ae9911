// See reward.h.
#include "blip/metrics/reward.h"

#include <fmt/format.h>

#include "blip/base/error.h"
#include "blip/metrics/bleu.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/metrics/signature.h"
#include "src/metrics/counted_captions.h"

namespace blip {
namespace {

std::string_view without_spaces_behind(std::string_view text) {
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

std::string_view without_full_stop(std::string_view text) {
    text = without_spaces_behind(text);
    if (text.ends_with('.')) text.remove_suffix(1);
    return without_spaces_behind(text);
}

std::vector<std::vector<Tokens>> ended_references(std::vector<std::vector<std::string_view>> references, int threads) {
    for (auto& of_image : references)
        for (std::string_view& text : of_image) text = without_full_stop(text);
    std::vector<std::vector<Tokens>> ended = coco_tokens(references, threads);
    for (auto& of_image : ended)
        for (Tokens& tokens : of_image) tokens.emplace_back(end_word);
    return ended;
}

}    // namespace

CaptionReward::CaptionReward(const std::vector<std::vector<std::string_view>>& references, RewardWeights weights,
                             int threads, const DocumentFrequencies* frequencies)
    : weights_(weights),
      references_(ended_references(references, threads)),
      frequencies_(frequencies == nullptr ? fmt::format("{} training pictures", references.size())
                                          : fmt::format("{} pictures, digest {}", frequencies->documents,
                                                        frequencies_digest(*frequencies))),
      cider_(references_, frequencies) {
    if (weights_.bleu4 == 0) references_ = {};
}

DocumentFrequencies CaptionReward::frequencies_of(const std::vector<std::vector<std::string_view>>& references,
                                                  int threads) {
    DocumentFrequencies result = document_frequencies(ended_references(references, threads));
    result.end_token = true;
    return result;
}

DocumentFrequencies CaptionReward::read_frequencies(const std::filesystem::path& file) {
    DocumentFrequencies result = read_document_frequencies(file);
    const char* how =
        "`blip_mpi score --references DATA.h5 --split train --write-cider-df FILE --end-token` makes such";
    if (!result.end_token)
        throw Error(ExitCode::bad_data,
                    "{}: counts captions without their end token, which the reward has as a word; {}", file.string(),
                    how);
    if (!result.split.empty() && result.split != "train")
        throw Error(ExitCode::bad_data, "{}: is of the split {}, and training must not know it; {}", file.string(),
                    result.split, how);
    return result;
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
        "frequencies of {})",
        weights_.cider, weights_.bleu4, frequencies_);
}

}    // namespace blip
