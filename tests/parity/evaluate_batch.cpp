// What blip_mpi's own code makes of a few pictures and captions, written down for tests/parity/parity.py to compare:
// pixels, token ids, encoder output, logits, loss and every gradient. Pictures and captions are read as the trainer
// reads them, but for the augmentation; no dropout, no stochastic depth.
//   parity_batch WEIGHTS REQUEST.json OUT.safetensors
// REQUEST: {"pictures": [FILE, ...], "captions": [TEXT, ...], "vocabulary": FILE, "threads": N}. All pictures are
// resized; the network runs over the first ones, one for each caption. Seconds and peak memory go to standard output as
// JSON. Legend: I pictures, C captions, T tokens, S image size.
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/process.h"
#include "blip/checkpoint/init.h"
#include "blip/image/augment.h"
#include "blip/image/picture.h"
#include "blip/tasks/caption/loss.h"
#include "blip/text/caption_text.h"
#include "blip/weights/safetensors.h"
#include "src/app/startup.h"

namespace blip::test {
namespace {

constexpr double label_smoothing = 0.1;

at::Tensor read_pictures(const std::vector<std::string>& files, int size) {
    at::Tensor images_I3SS =
        at::empty({static_cast<std::int64_t>(files.size()), 3, size, size}, at::TensorOptions().dtype(at::kByte));
    for (std::size_t i = 0; i < files.size(); ++i) {
        const Image image = decode_picture_file(files[i]);
        apply_plan(image, evaluation_plan(image.height, image.width), size,
                   static_cast<std::uint8_t*>(images_I3SS[static_cast<std::int64_t>(i)].data_ptr()));
    }
    return images_I3SS;
}

struct TokenBatch {
    std::vector<std::int64_t> tokens_CT, lengths_C;
    at::Tensor ids_CT;
};

TokenBatch tokenise(const std::vector<std::string>& captions, const WordPieceTokenizer& tokenizer) {
    std::vector<std::vector<TokenId>> rows;
    std::size_t longest = 0;
    for (const std::string& caption : captions) {
        rows.push_back(caption_tokens(tokenizer, caption));
        longest = std::max(longest, rows.back().size());
    }
    TokenBatch batch;
    for (const auto& row : rows) {
        batch.tokens_CT.insert(batch.tokens_CT.end(), row.begin(), row.end());
        batch.tokens_CT.insert(batch.tokens_CT.end(), longest - row.size(), SpecialTokens::pad);
        batch.lengths_C.push_back(static_cast<std::int64_t>(row.size()));
    }
    batch.ids_CT = at::tensor(batch.tokens_CT).view({static_cast<std::int64_t>(rows.size()), -1});
    return batch;
}

void run(const std::string& weights_path, const std::string& request_file, const std::string& out) {
    std::ifstream in(request_file);
    const nlohmann::json request = nlohmann::json::parse(in);
    Options options;
    options.init = weights_path;
    options.runtime.threads = request.at("threads");
    set_threads(options);
    adopt_model_shape(options);
    const Captioner captioner(options.model);
    Arena arena(captioner.layout(), 1, 1 << 25, host_allocator());
    load_model(options.init, arena);

    const Vocabulary vocabulary = Vocabulary::from_file(request.at("vocabulary").get<std::string>());
    const WordPieceTokenizer tokenizer(vocabulary);
    const at::Tensor images_I3SS = read_pictures(request.at("pictures"), options.model.image_size);
    const TokenBatch batch = tokenise(request.at("captions"), tokenizer);
    const at::Tensor images_C3SS = images_I3SS.narrow(0, 0, batch.ids_CT.size(0));
    const auto prompt_length = static_cast<int>(prompt_tokens(tokenizer).size());
    const TrainedTokens trained = trained_tokens(batch.tokens_CT, batch.lengths_C, prompt_length);
    DropoutMasks none = DropoutMasks::none();

    std::vector<NamedTensor> results = {
        {"images_u8", images_I3SS}, {"input_ids", batch.ids_CT}, {"lengths", at::tensor(batch.lengths_C)}};
    {
        const c10::AutoGradMode no_gradients(false);
        const at::Tensor embeds = captioner.vision().forward(arena.weights(), images_C3SS);
        const at::Tensor hidden = captioner.text().forward(arena.weights(), batch.ids_CT, embeds, none);
        results.push_back({"image_embeds", embeds.contiguous()});
        results.push_back({"logits", captioner.text().head(arena.weights(), hidden).contiguous()});
    }
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor loss =
        caption_loss(captioner, arena.weights(), images_C3SS, batch.ids_CT, trained, label_smoothing, none);
    loss.backward();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    results.push_back({"loss", loss.detach().view({1})});
    for (ParamId id = 0; id < captioner.layout().count(); ++id)
        results.push_back(
            {"grad." + captioner.layout().spec(id).name, arena.weights()[static_cast<std::size_t>(id)].grad()});
    write_safetensors(out, results, {});
    fmt::print("{}\n", nlohmann::json{{"seconds", seconds.count()}, {"peak_kib", peak_resident_bytes() / 1024}}.dump());
}

}    // namespace
}    // namespace blip::test

int main(int argc, char** argv) {
    blip::init_log(0);
    blip::tune_allocator();
    try {
        if (argc != 4)
            throw blip::Error(blip::ExitCode::usage, "usage: parity_batch WEIGHTS REQUEST.json OUT.safetensors");
        blip::test::run(argv[1], argv[2], argv[3]);
        return 0;
    } catch (const blip::Error& error) {
        blip::log_error_text(error.what());
        return static_cast<int>(error.code());
    } catch (const std::exception& error) {
        blip::log_error_text(error.what());
        return static_cast<int>(blip::ExitCode::internal);
    }
}
