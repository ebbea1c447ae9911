// See cider.h.
#include "blip/metrics/cider.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "src/metrics/counted_captions.h"

namespace blip {
namespace {

constexpr double sigma = 6;    // of the penalty on lengths

// A caption as weighted n-grams.
struct Weighted {
    std::vector<double> weights;                 // of the caption's n-grams, in their order
    std::array<double, longest_gram> norms{};    // by n
    double bigrams = 0;                          // what the evaluation takes for the length
};

void weigh(const CountedCaption& caption, const GramTable& grams, const std::vector<double>& rarity, Weighted& result) {
    result.weights.resize(caption.grams.size());
    result.norms = {};
    result.bigrams = std::max(0.0, static_cast<double>(caption.words) - 1);
    for (std::size_t g = 0; g < caption.grams.size(); ++g) {
        const auto [gram, count] = caption.grams[g];
        const double weight = count * rarity[gram];
        result.weights[g] = weight;
        result.norms[grams.length(gram) - 1] += weight * weight;
    }
    for (double& norm : result.norms) norm = std::sqrt(norm);
}

// By n: sums of product(weight in one caption, weight in the other) over the n-grams that both have.
template <class Product>
std::array<double, longest_gram> sums_of_common(const CountedCaption& caption, const Weighted& guess,
                                                const CountedCaption& other, const Weighted& reference,
                                                const GramTable& grams, Product product) {
    std::array<double, longest_gram> sums{};
    for (std::size_t g = 0, r = 0; g < caption.grams.size(); ++g) {
        const std::uint32_t gram = caption.grams[g].gram;
        while (r < other.grams.size() && other.grams[r].gram < gram) ++r;
        if (r == other.grams.size()) break;
        if (other.grams[r].gram == gram)
            sums[grams.length(gram) - 1] += product(guess.weights[g], reference.weights[r]);
    }
    return sums;
}

// Mean over n of the clipped cosine, with the penalty.
double similarity(const CountedCaption& caption, const Weighted& guess, const CountedCaption& other,
                  const Weighted& reference, const GramTable& grams) {
    const auto products = sums_of_common(caption, guess, other, reference, grams,
                                         [](double own, double wanted) { return std::min(own, wanted) * wanted; });
    double sum = 0;
    for (std::size_t n = 0; n < longest_gram; ++n) {
        const double norms = guess.norms[n] * reference.norms[n];
        sum += norms == 0 ? products[n] : products[n] / norms;
    }
    const double difference = guess.bigrams - reference.bigrams;
    return sum / longest_gram * std::exp(-difference * difference / (2 * sigma * sigma));
}

// Of a symmetric matrix [m, m], by Jacobi's rotations (Golub and Van Loan, "Matrix Computations", section 8.5).
std::vector<double> eigenvalues(std::vector<std::vector<double>> a) {
    const std::size_t m = a.size();
    for (int sweep = 0; sweep < 50; ++sweep) {
        double off_diagonal = 0;
        for (std::size_t p = 0; p < m; ++p)
            for (std::size_t q = p + 1; q < m; ++q) off_diagonal += a[p][q] * a[p][q];
        if (off_diagonal < 1e-24) break;
        for (std::size_t p = 0; p < m; ++p) {
            for (std::size_t q = p + 1; q < m; ++q) {
                if (a[p][q] == 0) continue;
                const double ratio = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                const double t = (ratio < 0 ? -1 : 1) / (std::abs(ratio) + std::sqrt(ratio * ratio + 1));
                const double c = 1 / std::sqrt(t * t + 1), s = t * c;
                for (std::size_t k = 0; k < m; ++k) {
                    const double kp = a[k][p], kq = a[k][q];
                    a[k][p] = c * kp - s * kq;
                    a[k][q] = s * kp + c * kq;
                }
                for (std::size_t k = 0; k < m; ++k) {
                    const double pk = a[p][k], qk = a[q][k];
                    a[p][k] = c * pk - s * qk;
                    a[q][k] = s * pk + c * qk;
                }
            }
        }
    }
    std::vector<double> values;
    for (std::size_t i = 0; i < m; ++i) values.push_back(a[i][i]);
    return values;
}

// Of the matrix of similarities between m captions.
double diversity_of(const std::vector<std::vector<double>>& similarities) {
    double largest = 0, sum = 0;
    for (const double value : eigenvalues(similarities)) {
        const double root = std::sqrt(std::max(0.0, value));
        largest = std::max(largest, root);
        sum += root;
    }
    return sum == 0 ? 0 : -std::log(largest / sum) / std::log(static_cast<double>(similarities.size()));
}

double rarity_of(double documents, std::int64_t with) {
    return std::log(documents) - std::log(std::max(1.0, static_cast<double>(with)));
}

// By n-gram: the logarithm of one over the part of the documents that have it.
std::vector<double> rarities(const std::vector<std::int64_t>& images_with, double documents) {
    std::vector<double> rarity(images_with.size());
    std::transform(images_with.begin(), images_with.end(), rarity.begin(),
                   [&](std::int64_t count) { return rarity_of(documents, count); });
    return rarity;
}

}    // namespace

struct CiderScorer::Prepared {
    GramTable grams;
    std::vector<double> rarity;    // by n-gram of the table
    double unknown_rarity = 0;     // of all others

    explicit Prepared(const DocumentFrequencies& frequencies)
        : unknown_rarity(rarity_of(static_cast<double>(frequencies.documents), 0)) {
        for (const auto& [gram, count] : frequencies.counts) {
            const std::uint32_t number = grams.add(gram);
            rarity.resize(grams.size(), unknown_rarity);
            rarity[number] = rarity_of(static_cast<double>(frequencies.documents), count);
        }
    }
    // By n-gram of another table.
    std::vector<double> rarities_of(const GramTable& others) const {
        std::vector<double> found;
        for (const std::uint32_t number : others.numbers_in(grams))
            found.push_back(number == GramTable::npos ? unknown_rarity : rarity[number]);
        return found;
    }
};

CiderScorer::CiderScorer(const DocumentFrequencies& frequencies) {
    prepared_ = std::make_shared<Prepared>(frequencies);
}

CaptionScores cider(const CountedCaptions& captions, const CiderScorer* scorer) {
    const std::vector<double> rarity = scorer != nullptr
                                           ? scorer->prepared().rarities_of(captions.grams())
                                           : rarities(count_images(captions), static_cast<double>(captions.images()));
    const GramTable& grams = captions.grams();
    CaptionScores scores;
    Weighted guess, other;
    for (std::size_t i = 0; i < captions.images(); ++i) {
        const CountedCaption hypothesis = captions.hypothesis(i);
        weigh(hypothesis, grams, rarity, guess);
        double sum = 0;
        for (std::size_t k = 0; k < captions.reference_count(i); ++k) {
            const CountedCaption reference = captions.reference(i, k);
            weigh(reference, grams, rarity, other);
            sum += similarity(hypothesis, guess, reference, other, grams);
        }
        scores.per_image.push_back(10 * sum / static_cast<double>(captions.reference_count(i)));
    }
    scores.corpus = mean(scores.per_image);
    return scores;
}

CaptionScores cider(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                    const CiderScorer* scorer) {
    return cider(CountedCaptions("CIDEr", hypotheses, references), scorer);
}

std::vector<double> self_cider(const std::vector<std::vector<Tokens>>& captions, const CiderScorer& scorer) {
    const CountedCaptions counted("self-CIDEr", std::vector<Tokens>(captions.size()), captions);
    const GramTable& grams = counted.grams();
    const std::vector<double> rarity = scorer.prepared().rarities_of(grams);
    std::vector<double> diversities;
    for (std::size_t i = 0; i < counted.images(); ++i) {
        const std::size_t count = counted.reference_count(i);
        std::vector<Weighted> weighted(count);
        for (std::size_t k = 0; k < count; ++k) weigh(counted.reference(i, k), grams, rarity, weighted[k]);
        std::vector<std::vector<double>> similarities(count, std::vector<double>(count));
        for (std::size_t k = 0; k < count; ++k) {
            for (std::size_t l = 0; l <= k; ++l) {
                const auto products = sums_of_common(counted.reference(i, k), weighted[k], counted.reference(i, l),
                                                     weighted[l], grams, std::multiplies<>());
                double cosines = 0;
                for (std::size_t n = 0; n < longest_gram; ++n)
                    if (const double norms = weighted[k].norms[n] * weighted[l].norms[n]; norms > 0)
                        cosines += products[n] / norms;
                similarities[k][l] = similarities[l][k] = cosines / longest_gram;
            }
        }
        diversities.push_back(diversity_of(similarities));
    }
    return diversities;
}

std::vector<double> self_cider(const std::vector<std::vector<Tokens>>& captions,
                               const std::vector<std::vector<Tokens>>& references) {
    return self_cider(captions, CiderScorer(document_frequencies(references)));
}

struct CiderReferences::Impl {
    CountedCaptions captions;    // hypotheses are empty
    std::vector<double> rarity;
    double unknown_rarity;

    explicit Impl(const std::vector<std::vector<Tokens>>& references)
        : captions("CIDEr", std::vector<Tokens>(references.size()), references),
          rarity(rarities(count_images(captions), static_cast<double>(captions.images()))),
          unknown_rarity(rarity_of(static_cast<double>(captions.images()), 0)) {}
    // The table of n-grams begins with the prepared ones, so that those of captions are found in it, too.
    Impl(const std::vector<std::vector<Tokens>>& references, CiderScorer::Prepared prepared)
        : captions("CIDEr", std::vector<Tokens>(references.size()), references, std::move(prepared.grams)),
          rarity(std::move(prepared.rarity)),
          unknown_rarity(prepared.unknown_rarity) {
        rarity.resize(captions.grams().size(), unknown_rarity);
    }
};

CiderReferences::CiderReferences(const std::vector<std::vector<Tokens>>& references,
                                 const DocumentFrequencies* frequencies)
    : impl_(frequencies == nullptr ? std::make_unique<Impl>(references)
                                   : std::make_unique<Impl>(references, CiderScorer::Prepared(*frequencies))) {}
CiderReferences::~CiderReferences() = default;
CiderReferences::CiderReferences(CiderReferences&&) noexcept = default;

double CiderReferences::score(const Tokens& hypothesis, std::size_t image) const {
    const CountedCaptions& captions = impl_->captions;
    const GramTable& grams = captions.grams();
    FoundGrams found = grams.find_all(hypothesis);
    const CountedCaption caption{{}, found.known, found.words};
    Weighted guess, other;
    weigh(caption, grams, impl_->rarity, guess);
    // What no reference has only makes the caption longer.
    for (std::size_t n = 0; n < longest_gram; ++n) {
        double squares = guess.norms[n] * guess.norms[n];
        for (const std::uint32_t count : found.unknown_counts[n]) {
            const double weight = count * impl_->unknown_rarity;
            squares += weight * weight;
        }
        if (!found.unknown_counts[n].empty()) guess.norms[n] = std::sqrt(squares);
    }
    double sum = 0;
    for (std::size_t k = 0; k < captions.reference_count(image); ++k) {
        const CountedCaption reference = captions.reference(image, k);
        weigh(reference, grams, impl_->rarity, other);
        sum += similarity(caption, guess, reference, other, grams);
    }
    return 10 * sum / static_cast<double>(captions.reference_count(image));
}

}    // namespace blip
