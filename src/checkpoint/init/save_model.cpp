// Model-only weights of a run in progress: gathered on rank 0, written by weights/export.h. Called by the trainer
// (best/).
#include <ATen/ops/empty.h>

#include <cstring>

#include "blip/base/durable_file.h"
#include "blip/checkpoint/init.h"
#include "blip/comm/run_together.h"
#include "blip/weights/export.h"
#include "src/checkpoint/model_json.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kWordEmbeddings = "text_decoder.bert.embeddings.word_embeddings.weight";

// All parameters by id, fp32 in host memory.
std::vector<at::Tensor> host_values(const Arena& arena) {
    std::vector<at::Tensor> values;
    for (ParamId id = 0; id < arena.layout().count(); ++id)
        values.push_back(arena.weights()[static_cast<std::size_t>(id)].detach().to(at::kCPU, at::kFloat));
    return values;
}

// The masters of all ranks as parameters by id, on rank 0 (elsewhere nothing). Collective.
std::vector<at::Tensor> gather_masters(const Arena& arena, const ShardState& state, HostMessages& communicator) {
    std::vector<at::Tensor> values;
    for (ParamId id = 0; communicator.rank() == 0 && id < arena.layout().count(); ++id)
        values.push_back(at::empty(arena.layout().spec(id).shape, at::kFloat));
    for (std::size_t b = 0; b < arena.buckets().size(); ++b) {
        const at::Tensor own = state.masters[b].cpu();
        const std::string bytes(static_cast<const char*>(own.const_data_ptr()), own.nbytes());
        const std::vector<std::string> shards = communicator.gather(bytes, "gather the weights' masters");
        for (std::size_t rank = 0; rank < shards.size(); ++rank) {
            const Range range = arena.shard(static_cast<int>(b), static_cast<int>(rank));
            for (const ParamPiece& piece : arena.pieces(range)) {
                auto* to = static_cast<float*>(values[static_cast<std::size_t>(piece.param)].mutable_data_ptr());
                std::memcpy(to + piece.elements.begin,
                            shards[rank].data() + (piece.arena_offset - range.begin) * sizeof(float),
                            static_cast<std::size_t>(piece.elements.length()) * sizeof(float));
            }
        }
    }
    return values;
}

}    // namespace

std::string model_config_text(const Layout& layout, const ModelOptions& model, const std::string& note_json) {
    json note = note_json.empty() ? json::object() : parse_object(note_json, "note of a saved model");
    json config = {{"kind", kModelKind}, {"format", kModelFormat}, {"model", model_to_json(model)}, {"note", note}};
    config["prompt"] = note.contains("prompt") ? note["prompt"] : json(GenerateOptions{}.prompt);
    if (const ParamId words = layout.find(kWordEmbeddings); words >= 0) {
        config["vocabulary_size"] = layout.spec(words).shape.at(0);
    }
    return config.dump();
}

void save_model(const fs::path& directory, const Arena& arena, const ShardState& state, HostMessages& communicator,
                const ModelOptions& model, const std::string& note_json) {
    // fp32 weights are their own masters, the same on every rank
    std::vector<at::Tensor> values;
    if (arena.placement().dtype != at::kFloat)
        values = gather_masters(arena, state, communicator);
    else if (communicator.rank() == 0)
        values = host_values(arena);
    first_rank_works(communicator, "write the best weights", [&] {
        make_folders(directory);
        const Layout& layout = arena.layout();
        write_reference_folder(directory,
                               {layout, std::move(values), model, model_config_text(layout, model, note_json), "", {}});
    });
}

}    // namespace blip
