// See training_units.h.
#include "blip/data/training_units.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "blip/base/random.h"

namespace blip {

TrainingUnits::TrainingUnits(const SplitTables& split, int captions_per_picture, std::uint64_t seed,
                             bool whole_pictures)
    : split_(&split),
      places_(captions_per_picture),
      by_caption_(captions_per_picture == 1 && !whole_pictures),
      seed_(seed) {
    // captions of a picture are contiguous
    for (std::int64_t c = 0; c < split.caption_count(); ++c) {
        const std::int64_t image = split.image_index_C[static_cast<std::size_t>(c)];
        if (pictures_.empty() || pictures_.back().image != image) pictures_.push_back({image, c, 0});
        ++pictures_.back().captions;
    }
}

std::int64_t TrainingUnits::count() const { return by_caption_ ? split_->caption_count() : pictures(); }

std::int64_t TrainingUnits::captions_of_epoch() const {
    if (by_caption_) return split_->caption_count();
    std::int64_t all = 0;
    for (const Picture& picture : pictures_) all += std::min<std::int64_t>(picture.captions, places_);
    return all;
}

std::int64_t TrainingUnits::most_captions() const {
    std::int64_t most = 0;
    for (const Picture& picture : pictures_) most = std::max(most, picture.captions);
    return most;
}

std::int64_t TrainingUnits::image(std::int64_t unit) const {
    const auto u = static_cast<std::size_t>(unit);
    return by_caption_ ? split_->image_index_C[u] : pictures_[u].image;
}

std::vector<std::int64_t> TrainingUnits::captions(std::int64_t epoch, std::int64_t unit) const {
    if (by_caption_) return {unit};
    const Picture& picture = pictures_[static_cast<std::size_t>(unit)];
    std::vector<std::int64_t> rows(static_cast<std::size_t>(picture.captions));
    std::iota(rows.begin(), rows.end(), picture.first_caption);
    if (picture.captions > places_) {    // the first places of a shuffle from the bottom
        RandomStream random(random_key(seed_, RandomPurpose::caption_choice,
                                       {static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(picture.image)}));
        for (std::size_t i = 0; i < static_cast<std::size_t>(places_); ++i)
            std::swap(rows[i], rows[i + random.below(rows.size() - i)]);
    }
    rows.resize(static_cast<std::size_t>(places_), no_caption);
    return rows;
}

BatchRequest TrainingUnits::request(const MicroBatch& micro, std::int64_t epoch) const {
    BatchRequest request;
    request.tag = micro.first;
    for (const std::int64_t unit : micro.units) {
        // A picture drawn with two captions as two units is loaded twice, augmented differently.
        request.images.push_back(image(unit));
        const std::vector<std::int64_t> rows = captions(epoch, unit);
        request.captions.insert(request.captions.end(), rows.begin(), rows.end());
        request.augment_keys.push_back(
            random_key(seed_, by_caption_ ? RandomPurpose::augmentation : RandomPurpose::picture_augmentation,
                       {static_cast<std::uint64_t>(epoch),
                        static_cast<std::uint64_t>(by_caption_ ? unit : request.images.back())}));
    }
    return request;
}

}    // namespace blip
