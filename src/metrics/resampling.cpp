// See resampling.h. Resamples are sums of the images' statistics, some ten million additions of rows of twenty numbers.
#include "blip/metrics/resampling.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/base/random.h"

namespace blip {
namespace {

using Row = std::vector<double>;

void add_row(const double* row, std::size_t width, double* sums) {
    for (std::size_t k = 0; k < width; k += 2) {    // width is even
        sums[k] += row[k];
        sums[k + 1] += row[k + 1];
    }
}

// Calls draw(image) for as many images as there are, with replacement. The same for each resample of a number. A
// word times the count, less its lower half, misses an even chance by count / 2^32.
template <class Draw>
void draw_images(std::uint64_t key, std::size_t images, const Draw& draw) {
    std::array<std::uint32_t, 4> words{};
    for (std::size_t i = 0; i < images; ++i) {
        if (i % 4 == 0) words = philox(key, i / 4);
        draw(static_cast<std::size_t>(std::uint64_t{words[i % 4]} * images >> 32));
    }
}

// By system, score and resample.
using Resampled = std::vector<std::vector<Row>>;

Resampled bootstrap(const std::vector<ImageStatistics>& systems, const ResamplingOptions& options) {
    const std::size_t images = systems.front().images();
    Resampled scores;
    for (const ImageStatistics& system : systems)
        scores.emplace_back(system.scores().size(), Row(static_cast<std::size_t>(options.resamples)));
    parallel_for(options.resamples, options.threads, [&](std::int64_t resample) {
        const auto r = static_cast<std::size_t>(resample);
        std::vector<std::uint32_t> drawn;
        drawn.reserve(images);
        draw_images(random_key(options.seed, RandomPurpose::bootstrap, {r}), images,
                    [&](std::size_t image) { drawn.push_back(static_cast<std::uint32_t>(image)); });
        for (std::size_t s = 0; s < systems.size(); ++s) {
            const ImageStatistics& system = systems[s];
            Row sums(system.width()), of_resample(system.scores().size());
            for (const std::uint32_t image : drawn) add_row(system.of_image(image), system.width(), sums.data());
            system.score(sums.data(), of_resample.data());
            for (std::size_t k = 0; k < of_resample.size(); ++k) scores[s][k][r] = of_resample[k];
        }
    });
    return scores;
}

// Between the values that are next to it (as numpy's default): sorted, of a share in [0, 1].
double quantile(const Row& sorted, double share) {
    const double place = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval interval_of(Row values) {
    std::sort(values.begin(), values.end());
    return {quantile(values, 0.025), quantile(values, 0.975)};
}

// Equal differences that were summed in another order count as equal.
bool as_large(double difference, double observed) { return std::abs(difference) >= std::abs(observed) - 1e-12; }

double share_of(std::int64_t count, int draws) { return static_cast<double>(1 + count) / (1.0 + draws); }

// The part of a comparison that the bootstrap tells.
Comparison compare_resampled(const Row& first, const Row& second, double observed) {
    Row differences(first.size());
    std::int64_t as_far = 0;
    for (std::size_t r = 0; r < differences.size(); ++r) {
        differences[r] = second[r] - first[r];
        as_far += as_large(differences[r] - observed, observed);
    }
    Comparison compared;
    compared.difference = observed;
    compared.p_bootstrap = share_of(as_far, static_cast<int>(differences.size()));
    compared.interval = interval_of(std::move(differences));
    return compared;
}

// By score: how many exchanges gave a difference as large as the observed one.
std::vector<std::int64_t> count_exchanges(const ImageStatistics& first, const ImageStatistics& second,
                                          const Row& observed, std::uint64_t key, const ResamplingOptions& options) {
    const std::size_t width = first.width(), images = first.images(), count = observed.size();
    Row first_sums(width), second_sums(width), changes(images * width);
    for (std::size_t i = 0; i < images; ++i) {
        add_row(first.of_image(i), width, first_sums.data());
        add_row(second.of_image(i), width, second_sums.data());
        for (std::size_t k = 0; k < width; ++k) changes[i * width + k] = second.of_image(i)[k] - first.of_image(i)[k];
    }
    std::vector<std::vector<std::uint8_t>> large(static_cast<std::size_t>(options.exchanges));
    parallel_for(options.exchanges, options.threads, [&](std::int64_t exchange) {
        const std::uint64_t own = random_key(key, RandomPurpose::randomisation, {static_cast<std::uint64_t>(exchange)});
        Row moved(width);    // from the second to the first
        for (std::size_t begin = 0; begin < images; begin += 64) {
            const auto words = philox(own, begin / 64);
            std::uint64_t exchanged = std::uint64_t{words[0]} << 32 | words[1];
            if (images - begin < 64) exchanged &= (std::uint64_t{1} << (images - begin)) - 1;
            for (; exchanged != 0; exchanged &= exchanged - 1) {
                const std::size_t image = begin + static_cast<std::size_t>(std::countr_zero(exchanged));
                add_row(changes.data() + image * width, width, moved.data());
            }
        }
        Row a(width), b(width), a_scores(count), b_scores(count);
        for (std::size_t k = 0; k < width; ++k) {
            a[k] = first_sums[k] + moved[k];
            b[k] = second_sums[k] - moved[k];
        }
        first.score(a.data(), a_scores.data());
        second.score(b.data(), b_scores.data());
        auto& own_large = large[static_cast<std::size_t>(exchange)];
        for (std::size_t k = 0; k < count; ++k) own_large.push_back(as_large(b_scores[k] - a_scores[k], observed[k]));
    });
    std::vector<std::int64_t> counts(count);
    for (const auto& of_exchange : large)
        for (std::size_t k = 0; k < count; ++k) counts[k] += of_exchange[k];
    return counts;
}

}    // namespace

ImageStatistics::ImageStatistics(const std::vector<std::vector<SummedStatistics>>& runs) {
    for (const SummedStatistics& metric : runs.front()) {
        parts_.push_back({width_, names_.size(), metric.score});
        names_.insert(names_.end(), metric.scores.begin(), metric.scores.end());
        width_ += metric.width;
        images_ = metric.values.size() / metric.width;
    }
    width_ += width_ % 2;
    values_.resize(images_ * width_);
    for (const auto& run : runs)
        for (std::size_t m = 0; m < run.size(); ++m) {
            const std::size_t own = run[m].width;
            if (run.size() != parts_.size() || run[m].values.size() != images_ * own)
                throw Error(ExitCode::bad_data, "runs of one system are over other images or have other scores");
            for (std::size_t i = 0; i < images_; ++i)
                for (std::size_t k = 0; k < own; ++k)
                    values_[i * width_ + parts_[m].at + k] +=
                        run[m].values[i * own + k] / static_cast<double>(runs.size());
        }
}

void ImageStatistics::score(const double* sums, double* result) const {
    for (const Part& part : parts_) part.score(sums + part.at, static_cast<double>(images_), result + part.score_at);
}

std::vector<double> ImageStatistics::corpus() const {
    Row sums(width_), result(names_.size());
    for (std::size_t i = 0; i < images_; ++i) add_row(of_image(i), width_, sums.data());
    score(sums.data(), result.data());
    return result;
}

ResampledScores resample_scores(const std::vector<ImageStatistics>& systems, const ResamplingOptions& options) {
    for (const ImageStatistics& system : systems)
        if (system.images() != systems.front().images() || system.scores() != systems.front().scores())
            throw Error(ExitCode::bad_data, "systems to be compared have other images or scores");
    const Resampled resampled = bootstrap(systems, options);
    ResampledScores result;
    for (const auto& of_system : resampled) {
        auto& own = result.intervals.emplace_back();
        for (const Row& values : of_system) own.push_back(interval_of(values));
    }
    for (std::size_t a = 0; a < systems.size(); ++a)
        for (std::size_t b = a + 1; b < systems.size(); ++b) {
            ComparedPair pair{a, b, {}};
            const Row first = systems[a].corpus(), second = systems[b].corpus();
            Row observed(first.size());
            for (std::size_t k = 0; k < first.size(); ++k) {
                observed[k] = second[k] - first[k];
                pair.by_score.push_back(compare_resampled(resampled[a][k], resampled[b][k], observed[k]));
            }
            const auto counts = count_exchanges(
                systems[a], systems[b], observed,
                random_key(options.seed, RandomPurpose::randomisation, {std::uint64_t{a}, std::uint64_t{b}}), options);
            for (std::size_t k = 0; k < counts.size(); ++k)
                pair.by_score[k].p_randomisation = share_of(counts[k], options.exchanges);
            result.pairs.push_back(std::move(pair));
        }
    return result;
}

}    // namespace blip
