// Shape and weights from whatever --init names. Called by every verb.

#include <set>

#include "blip/base/digest.h"
#include "blip/base/error.h"
#include "blip/checkpoint/init.h"
#include "blip/comm/run_together.h"
#include "blip/weights/import.h"
#include "src/checkpoint/init/source.h"
#include "src/checkpoint/init/spread_weights.h"
#include "src/checkpoint/model_json.h"
#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// The image encoder's positions of another resolution have the same width.
std::vector<std::int64_t> shape_of(std::int64_t count, const std::string& name, const Layout& layout) {
    const ParamId id = layout.find(name);
    if (id < 0) return {count};
    const ParamSpec& spec = layout.spec(id);
    if (spec.element_count() == count) return spec.shape;
    if (name == "visual_encoder.pos_embed" && count % spec.shape.back() == 0)
        return {1, count / spec.shape.back(), spec.shape.back()};
    return {count};
}

// The masters in a checkpoint's shards as one table of whole tensors, streamed like any other weights. The shards have
// been verified. Pieces know element ranges, not shapes: those are layout's, where the number of elements agrees; the
// image encoder's positions may be of another resolution; what else disagrees is flat. Throws bad_data as ShardPieces
// does.
class CheckpointWeights final : public WeightFile {
  public:
    CheckpointWeights(const FoundCheckpoint& found, const Layout& layout)
        : WeightFile(found.directory), pieces_(found.directory, found.manifest) {
        for (const auto& [name, pieces] : pieces_.of("master"))
            tensors_[name] = {"F32", shape_of(pieces.back().elements.end, name, layout)};
    }
    void read_bytes(const std::string& name, const ByteSink& sink) const override {
        for (const StoredPiece& piece : pieces_.of("master").at(name)) piece.shard->read_bytes(piece.name, sink);
    }

  private:
    ShardPieces pieces_;
};

ModelOptions said_or_recognised(const InitSource& source, const ModelOptions& asked,
                                const std::vector<std::string>& explicit_options) {
    if (source.checkpoint) return source.checkpoint->manifest.model;
    const std::string config = source.config();
    if (!source.is_ours() || config.empty()) return recognise_shape(*source.file, config, asked, explicit_options);
    const std::string origin = source.file->path().string();
    const nlohmann::json object = parse_object(config, origin);
    check_format(integer_field(object, "format", origin, INT64_MIN, INT64_MAX), kModelFormat, origin);
    return model_from_json(field(object, "model", origin), origin);
}

// How many values a model of this shape has at least: matrices and positions, without the words' embeddings (a matrix
// that may be stored once or twice). In floating point, as extents from files can be anything up to 2^20.
double least_values(const ModelOptions& model) {
    const double hidden = model.text_hidden, width = model.vision_width;
    const double grid = model.image_size / model.patch_size, patch = model.patch_size;
    const double per_layer = hidden * (6 * hidden + 2 * width + 2.0 * model.text_intermediate);    // self, cross, MLP
    return model.text_layers * per_layer + model.text_positions * hidden + model.vision_depth * 12 * width * width +
           (grid * grid + 3 * patch * patch) * width;
}

// How many values there can be at most.
double most_values(const InitSource& source) {
    if (source.file) return static_cast<double>(source.file->stored_bytes()) / 2;    // fp16, bf16
    double bytes = 0;
    for (const ShardFile& shard : source.checkpoint->manifest.shards) bytes += static_cast<double>(shard.bytes);
    return bytes / 4;    // masters in fp32; frozen parameters have no moments
}

ModelOptions read_shape(const fs::path& init, const ModelOptions& asked,
                        const std::vector<std::string>& explicit_options) {
    const InitSource source = open_init(init);
    ModelOptions model = said_or_recognised(source, asked, explicit_options);
    const double least = least_values(model), most = most_values(source);
    if (least <= most) return model;
    throw Error(ExitCode::bad_data,
                "{}: a model of the shape that it tells of has at least {:.0f} values, and its files hold "
                "at most {:.0f}: they are damaged, or the configuration is that of other weights",
                init.string(), least, most);
}

void read_weights(const fs::path& init, const Arena& arena, const WeightSink& sink) {
    InitSource source = open_init(init);
    check_own_digest(source);
    if (source.checkpoint) source.file = std::make_unique<CheckpointWeights>(*source.checkpoint, arena.layout());
    import_weights(
        *source.file, arena.layout(), [&](ParamId id) { return arena.offset(id); }, sink);
}

// Hosts read files of their own, which may differ although they are called the same.
void check_hosts_agree(const fs::path& init, const std::string& digest, HostMessages& communicator) {
    const std::vector<std::string> digests = communicator.all_gather_strings(digest, "digests of the weights read");
    for (std::size_t rank = 1; rank < digests.size(); ++rank)
        if (digests[rank] != digests[0])
            throw AgreedError(ExitCode::bad_data,
                              "rank 0 and rank {} read different weights from {}: their hosts have "
                              "different files there",
                              rank, init.string());
}

}    // namespace

ModelOptions read_model_options(const fs::path& init, const ModelOptions& asked,
                                const std::vector<std::string>& explicit_options, HostMessages* communicator) {
    if (communicator == nullptr) return read_shape(init, asked, explicit_options);
    const std::string answer = run_on_first_rank(
        *communicator, [&] { return model_to_json(read_shape(init, asked, explicit_options)).dump(); });
    return model_from_json(parse_object(answer, init.string()), init.string());
}

void load_model(const fs::path& init, const Arena& arena, const WeightSink& sink, HostMessages* communicator) {
    if (communicator == nullptr) {
        read_weights(init, arena, sink);
        return;
    }
    Digest digest;
    run_together(*communicator, [&] {
        read_once_per_host(
            *communicator, [&](const WeightSink& shared) { read_weights(init, arena, shared); },
            [&](std::int64_t begin, std::span<const float> values) {
                digest.add(std::as_bytes(values));
                sink(begin, values);
            });
    });
    check_hosts_agree(init, digest.hex(), *communicator);
}

void load_model(const fs::path& init, Arena& arena, HostMessages* communicator) {
    const auto sink = [&](std::int64_t begin, std::span<const float> values) { arena.write_weights(begin, values); };
    load_model(init, arena, sink, communicator);
}

}    // namespace blip
