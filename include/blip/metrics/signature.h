// The signature of scores: two that are equal mean numbers that may be compared. Made by the verbs score and evaluate.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "blip/metrics/document_frequencies.h"

namespace blip {

// What images are scored against.
struct ReferenceSet {
    std::size_t images = 0, captions = 0;
    std::string digest;    // of ids and captions, whatever their order and the form of the file; 16 hex digits
};
struct ReferenceCaptions {
    std::string id;    // compared by plain_id
    std::vector<std::string_view> captions;
};
ReferenceSet reference_set(std::vector<ReferenceCaptions> images);

// Digest of document frequencies; 16 hex digits.
std::string frequencies_digest(const DocumentFrequencies& frequencies);

// As sacreBLEU writes its own: "images:5000|references:25010|digest:...|tok:ptb|bleu:...|...|version:blip_mpi-0.2.0".
// metrics: names of scores ("Bleu_4", ..., "CIDEr"). frequencies: "" where CIDEr has those of the references, else the
// digest of its file's. clip: what CLIPScore is computed with; "" where it is not.
std::string score_signature(const ReferenceSet& references, const std::vector<std::string>& metrics,
                            const std::string& frequencies, const std::string& clip = "");

}    // namespace blip
