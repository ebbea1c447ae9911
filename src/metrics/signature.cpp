// See signature.h.
#include "blip/metrics/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/version.h"
#include "blip/metrics/caption_files.h"

namespace blip {
namespace {

void add_text(Digest& digest, std::string_view text) {
    digest.add(std::as_bytes(std::span(text)));
    digest.add(std::as_bytes(std::span("", 1)));    // so that texts do not run together
}

}    // namespace

ReferenceSet reference_set(std::vector<ReferenceCaptions> images) {
    ReferenceSet set;
    set.images = images.size();
    for (ReferenceCaptions& image : images) {
        set.captions += image.captions.size();
        std::sort(image.captions.begin(), image.captions.end());
        image.id = plain_id(image.id);
    }
    std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    Digest digest;
    for (const ReferenceCaptions& image : images) {
        add_text(digest, image.id);
        add_text(digest, std::to_string(image.captions.size()));
        for (const std::string_view caption : image.captions) add_text(digest, caption);
    }
    set.digest = digest.hex();
    return set;
}

std::string frequencies_digest(const DocumentFrequencies& frequencies) {
    Digest digest;
    add_text(digest, std::to_string(frequencies.documents));
    for (const auto& [gram, count] : frequencies.counts) {
        add_text(digest, gram);
        add_text(digest, std::to_string(count));
    }
    return digest.hex();
}

std::string score_signature(const ReferenceSet& references, const std::vector<std::string>& metrics,
                            const std::string& frequencies, const std::string& clip) {
    const auto has = [&](std::string_view name) {
        return std::find(metrics.begin(), metrics.end(), name) != metrics.end();
    };
    std::string text = fmt::format("images:{}|references:{}|digest:{}|tok:ptb", references.images, references.captions,
                                   references.digest);
    if (has("Bleu_4")) text += "|bleu:1-4,closest,corpus";
    if (has("METEOR")) text += "|meteor:1.5,en,exact-stem-synonym-paraphrase";
    if (has("ROUGE_L")) text += "|rouge_l:beta1.2";
    if (has("CIDEr")) text += "|cider:d,n4,sigma6,df-" + (frequencies.empty() ? "references" : frequencies);
    if (!clip.empty()) text += "|clipscore:" + clip;
    return text + "|version:blip_mpi-" + program_version;
}

}    // namespace blip
