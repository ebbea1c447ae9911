// See caption_images.h.
#include "blip/tasks/caption/caption_images.h"

#include <c10/core/GradMode.h>

#include <map>

#include "blip/device/device.h"
#include "blip/generate/beam_search.h"
#include "blip/text/caption_text.h"

namespace blip {

namespace {

// Pictures with prompts of one length.
struct Group {
    std::vector<std::int64_t> places;    // in the batch
    std::vector<std::int64_t> tokens;    // of their prompts, one after the other
};

}    // namespace

std::vector<std::vector<Caption>> caption_images(const Captioner& captioner, const Weights& weights,
                                                 const at::Tensor& images_I3SS, const WordPieceTokenizer& tokenizer,
                                                 const GenerateOptions& options,
                                                 const std::vector<PictureRequest>& requests, std::uint64_t seed) {
    const c10::AutoGradMode no_gradients(false);
    std::map<std::size_t, Group> groups;    // by prompt length
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::vector<TokenId> prompt = prompt_tokens(tokenizer, requests[i].prompt);
        Group& group = groups[prompt.size()];
        group.places.push_back(static_cast<std::int64_t>(i));
        group.tokens.insert(group.tokens.end(), prompt.begin(), prompt.end());
    }
    const auto embeds_of = [&](const at::Tensor& images) { return captioner.vision().forward(weights, images); };
    const at::Tensor embeds_INW = embeds_of(images_I3SS);
    std::vector<std::vector<Caption>> captions(requests.size());
    for (const auto& [length, group] : groups) {
        const auto count = static_cast<std::int64_t>(group.places.size());
        const at::Device device = images_I3SS.device();
        const at::Tensor embeds =
            groups.size() == 1 ? embeds_INW : embeds_INW.index_select(0, to_device(group.places, {count}, device));
        const at::Tensor prompts_BP = to_device(group.tokens, {count, static_cast<std::int64_t>(length)}, device);
        DrawKeys keys{seed, {}};
        for (const std::int64_t place : group.places)
            keys.pictures.push_back(requests[static_cast<std::size_t>(place)].key);
        CaptionModel model(captioner.text(), weights, embeds, [&](std::int64_t image) {
            return embeds_of(images_I3SS.narrow(0, group.places[static_cast<std::size_t>(image)], 1));
        });
        const std::vector<Generated> results = generate(model, prompts_BP, options, {}, keys);
        const std::size_t of_one = results.size() / group.places.size();
        for (std::size_t r = 0; r < results.size(); ++r) {
            const auto place = static_cast<std::size_t>(group.places[r / of_one]);
            const std::vector<TokenId> tokens(results[r].tokens.begin(), results[r].tokens.end());
            captions[place].push_back(
                {decode_caption(tokenizer, tokens, requests[place].prompt), results[r].log_probability});
        }
    }
    return captions;
}

}    // namespace blip
