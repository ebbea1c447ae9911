// See clip_score.h.
#include "blip/clip/clip_score.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>

#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/image/picture.h"
#include "blip/params/arena.h"
#include "blip/weights/export.h"
#include "blip/weights/import.h"
#include "src/clip/model.h"
#include "src/clip/pixels.h"
#include "src/clip/tokenizer.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// Rows of so many numbers, one after another.
struct Vectors {
    std::size_t size = 0;
    std::vector<float> values;

    void put(std::size_t row, const float* from) { std::memcpy(&values[row * size], from, size * sizeof(float)); }
};

// Of two vectors of length one.
double cosine(const Vectors& left, std::size_t l, const Vectors& right, std::size_t r) {
    double sum = 0;
    for (std::size_t k = 0; k < left.size; ++k)
        sum +=
            static_cast<double>(left.values[l * left.size + k]) * static_cast<double>(right.values[r * right.size + k]);
    return sum;
}

class Clip {
  public:
    explicit Clip(const fs::path& folder)
        : config_(read_clip_config(folder)),
          pictures_(read_clip_pictures(folder, config_.image_size)),
          tokenizer_(folder, config_.words),
          model_(config_),
          file_(WeightFile::open(folder)) {
        if (config_.end_token != ClipConfig::by_largest_id && config_.end_token != tokenizer_.end_token())
            throw Error(
                ExitCode::bad_data,
                "{}: text_config: eos_token_id is {}, and <|endoftext|> in vocab.json has the id {}: they are of "
                "different models",
                (folder / "config.json").string(), config_.end_token, tokenizer_.end_token());
        const Layout& layout = model_.layout();
        // memory only once all shapes are found in the file
        const auto offset = [&](ParamId id) {
            if (!arena_) arena_.emplace(weights_only_arena(layout));
            return arena_->offset(id);
        };
        import_weights(*file_, layout, offset, [&](std::int64_t begin, std::span<const float> values) {
            arena_->write_weights(begin, values);
        });
    }

    std::string digest() const { return weights_digest(named_tensors(model_.layout(), arena_->weights())); }

    Vectors of_pictures(const std::vector<fs::path>& files, int threads, const ClipProgress& progress) const {
        constexpr std::size_t at_once = 32;
        Vectors vectors = empty(files.size());
        for (std::size_t begin = 0; begin < files.size(); begin += at_once) {
            const std::size_t count = std::min(at_once, files.size() - begin);
            const std::int64_t side = config_.image_size;
            const at::Tensor pixels_I3SS = at::empty({static_cast<std::int64_t>(count), 3, side, side}, at::kFloat);
            parallel_for(static_cast<std::int64_t>(count), threads, [&](std::int64_t i) {
                const fs::path& file = files[begin + static_cast<std::size_t>(i)];
                clip_pixels(decode_picture_file(file), pictures_, file.string(),
                            pixels_I3SS.data_ptr<float>() + i * 3 * side * side);
            });
            keep(model_.of_pictures(arena_->weights(), pixels_I3SS), vectors,
                 [&](std::size_t row) { return begin + row; });
            progress("pictures", static_cast<std::int64_t>(begin + count), std::ssize(files));
        }
        return vectors;
    }

    // Texts of one length are computed together, so that nothing is padded.
    Vectors of_texts(const std::vector<const std::string*>& texts, const ClipProgress& progress) {
        constexpr std::size_t at_once = 128;
        std::map<std::size_t, std::vector<std::size_t>> by_length;
        std::vector<std::vector<std::int64_t>> ids;
        for (const std::string* text : texts) {
            ids.push_back(tokenizer_.encode(clip_prompt + *text, static_cast<std::size_t>(config_.positions)));
            by_length[ids.back().size()].push_back(ids.size() - 1);
        }
        Vectors vectors = empty(texts.size());
        std::int64_t done = 0;
        for (const auto& [length, of_length] : by_length)
            for (std::size_t begin = 0; begin < of_length.size(); begin += at_once) {
                const std::size_t count = std::min(at_once, of_length.size() - begin);
                std::vector<std::int64_t> rows;
                for (std::size_t i = begin; i < begin + count; ++i)
                    rows.insert(rows.end(), ids[of_length[i]].begin(), ids[of_length[i]].end());
                const at::Tensor ids_BT = at::from_blob(
                    rows.data(), {static_cast<std::int64_t>(count), static_cast<std::int64_t>(length)}, at::kLong);
                keep(model_.of_texts(arena_->weights(), ids_BT), vectors,
                     [&, &same = of_length](std::size_t row) { return same[begin + row]; });
                progress("captions", done += static_cast<std::int64_t>(count), std::ssize(texts));
            }
        return vectors;
    }

  private:
    Vectors empty(std::size_t rows) const {
        const auto size = static_cast<std::size_t>(config_.vector_size);
        return {size, std::vector<float>(rows * size)};
    }
    template <class Row>
    void keep(const at::Tensor& found_RD, Vectors& vectors, const Row& row_of) const {
        const at::Tensor rows = found_RD.contiguous();
        const auto* values = rows.const_data_ptr<float>();
        if (!std::all_of(values, values + rows.numel(), [](float value) { return std::isfinite(value); }))
            throw Error(ExitCode::bad_data, "{}: its values make vectors that are no numbers: the weights are damaged",
                        file_->path().string());
        for (std::size_t i = 0; i < static_cast<std::size_t>(rows.size(0)); ++i)
            vectors.put(row_of(i), values + i * vectors.size);
    }

    ClipConfig config_;
    ClipPictures pictures_;
    ClipTokenizer tokenizer_;
    ClipModel model_;
    std::unique_ptr<WeightFile> file_;
    std::optional<Arena> arena_;
};

double harmonic_mean(double a, double b) { return a + b > 0 ? 2 * a * b / (a + b) : 0; }

}    // namespace

ClipResults clip_scores(const fs::path& folder, const ClipInput& input, int threads, const ClipProgress& progress) {
    const c10::NoGradGuard no_graph;
    Clip clip(folder);
    ClipResults results;
    results.digest = clip.digest();
    // each different text once
    std::unordered_map<std::string, std::size_t> number_of;
    std::vector<const std::string*> texts;
    std::vector<std::vector<std::size_t>> references, runs;
    const auto numbers_of = [&](const std::vector<std::string>& captions) {
        std::vector<std::size_t> numbers;
        for (const std::string& caption : captions) {
            const auto [place, is_new] = number_of.try_emplace(caption, texts.size());
            if (is_new) texts.push_back(&place->first);
            numbers.push_back(place->second);
        }
        return numbers;
    };
    for (const std::vector<std::string>& of_image : input.references) references.push_back(numbers_of(of_image));
    for (const std::vector<std::string>& of_run : input.runs) runs.push_back(numbers_of(of_run));
    const Vectors pictures = clip.of_pictures(input.pictures, threads, progress);
    const Vectors of_texts = clip.of_texts(texts, progress);
    for (const std::vector<std::size_t>& captions : runs) {
        ClipScores& scores = results.runs.emplace_back();
        for (std::size_t i = 0; i < captions.size(); ++i) {
            double nearest = 0;
            for (const std::size_t reference : references[i])
                nearest = std::max(nearest, cosine(of_texts, captions[i], of_texts, reference));
            scores.clip.push_back(clip_weight * std::max(cosine(pictures, i, of_texts, captions[i]), 0.0));
            scores.ref_clip.push_back(harmonic_mean(scores.clip.back(), nearest));
        }
    }
    return results;
}

}    // namespace blip
