// What the writers put into files: every value where readers of the form look for it, nothing left behind on failure.
// (Programs read these files back in tests/end_to_end/export_weights.sh.)
#include <zlib.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/weights/export.h"
#include "blip/weights/weight_file.h"
#include "src/weights/pickle/writer.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

const char* const tied_words = "text_decoder.bert.embeddings.word_embeddings.weight";
const char* const head_bias = "text_decoder.cls.predictions.bias";

// One parameter of each kind of name.
Layout toy_layout() {
    Layout layout;
    layout.declare("visual_encoder.cls_token", {1, 1, 8}, Init::zeros());
    layout.declare("visual_encoder.patch_embed.proj.weight", {8, 3, 2, 2}, Init::zeros());
    layout.declare("visual_encoder.blocks.11.attn.proj.bias", {8}, Init::zeros());
    layout.declare(tied_words, {700, 6}, Init::zeros());
    layout.declare("text_decoder.bert.embeddings.position_embeddings.weight", {300, 6}, Init::zeros());
    layout.declare(head_bias, {700}, Init::zeros());
    return layout;
}

ModelOptions toy_model() {
    ModelOptions model;
    model.preset = "tiny";
    model.text_hidden = 6;
    model.text_heads = 3;
    model.text_positions = 300;
    model.vision_width = 8;
    model.image_size = 64;
    return model;
}

struct Toy {
    explicit Toy(at::ScalarType dtype = at::kFloat) {
        for (ParamId id = 0; id < layout.count(); ++id)
            weights.values.push_back(at::randn(layout.spec(id).shape).to(dtype));
    }

    Layout layout = toy_layout();
    ExportedWeights weights{layout, {}, toy_model(), R"({"kind":"blip_mpi model","prompt":"p"})", "a\nb\n", {}};
};

using Writer = void (*)(const std::filesystem::path&, const ExportedWeights&);

std::size_t entries(const Path& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

// Every parameter of the toy stands in the file under name_of, bit for bit.
void check_values(const Path& path, const Toy& toy, std::string (*name_of)(const std::string&)) {
    const auto file = WeightFile::open(path);
    for (ParamId id = 0; id < toy.layout.count(); ++id) {
        const at::Tensor& expected = toy.weights.values[static_cast<std::size_t>(id)];
        const std::string name = name_of(toy.layout.spec(id).name);
        BOOST_REQUIRE_MESSAGE(file->tensors().contains(name), name);
        BOOST_TEST(file->tensors().at(name).shape == toy.layout.spec(id).shape, boost::test_tools::per_element());
        std::string bytes;
        file->read_bytes(name, [&](std::span<const std::byte> piece) {
            bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        });
        BOOST_REQUIRE(bytes.size() == expected.nbytes());
        BOOST_TEST(std::memcmp(bytes.data(), expected.const_data_ptr(), bytes.size()) == 0, name << " differs");
    }
}

std::string same(const std::string& name) { return name; }

// By the document that Hugging Face's own names are known from, not by the table that is tested.
std::string at_huggingface(const std::string& name) {
    static const std::map<std::string, std::string> names = {
        {"visual_encoder.cls_token", "vision_model.embeddings.class_embedding"},
        {"visual_encoder.patch_embed.proj.weight", "vision_model.embeddings.patch_embedding.weight"},
        {"visual_encoder.blocks.11.attn.proj.bias", "vision_model.encoder.layers.11.self_attn.projection.bias"},
    };
    const auto found = names.find(name);
    return found == names.end() ? name : found->second;
}

template <class Number>
Number number_at(const std::string& bytes, std::size_t at) {
    Number value{};
    BOOST_REQUIRE(at + sizeof(Number) <= bytes.size());
    std::memcpy(&value, bytes.data() + at, sizeof(Number));
    return value;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(export_weights)

BOOST_AUTO_TEST_CASE(each_form_holds_every_value) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
        const TempDir dir;
        const Toy toy(dtype);
        write_reference_safetensors(dir / "x.safetensors", toy.weights);
        check_values(dir / "x.safetensors", toy, same);
        write_reference_pth(dir / "x.pth", toy.weights);
        check_values(dir / "x.pth", toy, same);
        std::filesystem::create_directory(dir / "hf");
        write_huggingface_folder(dir / "hf", toy.weights);
        check_values(dir / "hf", toy, at_huggingface);
        BOOST_TEST(entries(dir.path()) == 3U);    // nothing temporary is left
    }
}

BOOST_AUTO_TEST_CASE(pth_has_the_keys_of_the_reference) {
    const TempDir dir;
    const Toy toy;
    write_reference_pth(dir / "x.pth", toy.weights);
    const auto file = WeightFile::open(dir / "x.pth");
    BOOST_TEST(file->tensors().size() == static_cast<std::size_t>(toy.layout.count()) + 3);
    const StoredTensor& ids = file->tensors().at("text_decoder.bert.embeddings.position_ids");
    BOOST_TEST(ids.dtype == "I64");
    BOOST_TEST(ids.shape == (std::vector<std::int64_t>{1, 300}), boost::test_tools::per_element());
    file->read_bytes("text_decoder.bert.embeddings.position_ids", [](std::span<const std::byte> bytes) {
        BOOST_REQUIRE(bytes.size() == 300 * sizeof(std::int64_t));
        for (std::int64_t i = 0; i < 300; ++i) {
            std::int64_t value = -1;
            std::memcpy(&value, bytes.data() + i * 8, 8);
            BOOST_REQUIRE(value == i);
        }
    });
    BOOST_TEST(file->read_all("text_decoder.cls.predictions.decoder.weight") == file->read_all(tied_words));
    BOOST_TEST(file->read_all("text_decoder.cls.predictions.decoder.bias") == file->read_all(head_bias));
}

// Walks the local headers as a reader without the directory would.
BOOST_AUTO_TEST_CASE(pth_is_stored_aligned_and_sums_are_right) {
    const TempDir dir;
    const Toy toy;
    write_reference_pth(dir / "x.pth", toy.weights);
    const std::string bytes = read_bytes(dir / "x.pth");
    std::set<std::string> names;
    std::size_t at = 0;
    while (number_at<std::uint32_t>(bytes, at) == 0x04034b50) {
        const auto flags = number_at<std::uint16_t>(bytes, at + 6), method = number_at<std::uint16_t>(bytes, at + 8);
        const auto crc = number_at<std::uint32_t>(bytes, at + 14), stored = number_at<std::uint32_t>(bytes, at + 18),
                   size = number_at<std::uint32_t>(bytes, at + 22);
        const auto name_length = number_at<std::uint16_t>(bytes, at + 26),
                   extra = number_at<std::uint16_t>(bytes, at + 28);
        const std::string name = bytes.substr(at + 30, name_length);
        const std::size_t begin = at + 30 + name_length + extra;
        BOOST_TEST((flags & 8) == 0, name << " has its sizes behind it");
        BOOST_TEST(method == 0);
        BOOST_TEST(stored == size);
        BOOST_TEST(begin % 64 == 0U, name << " begins at byte " << begin);
        BOOST_TEST(crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + begin), size) == crc, name);
        BOOST_TEST(names.insert(name).second);
        at = begin + size;
    }
    BOOST_TEST(number_at<std::uint32_t>(bytes, at) == 0x02014b50U);    // the directory follows the last entry
    // six parameters and position_ids; the tied ones have no storage of their own
    std::set<std::string> expected = {"archive/data.pkl", "archive/byteorder", "archive/version"};
    for (int i = 0; i < 7; ++i) expected.insert("archive/data/" + std::to_string(i));
    BOOST_TEST(names == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_same_weights_give_the_same_files) {
    const TempDir dir;
    const Toy toy;
    write_reference_pth(dir / "a.pth", toy.weights);
    write_reference_pth(dir / "b.pth", toy.weights);
    BOOST_TEST(read_bytes(dir / "a.pth") == read_bytes(dir / "b.pth"));
    Toy other = toy;
    other.weights.values[2] = other.weights.values[2].add(1);
    BOOST_TEST(weights_digest(other.weights) != weights_digest(toy.weights));
    BOOST_TEST(weights_digest(Toy(toy).weights) == weights_digest(toy.weights));
}

BOOST_AUTO_TEST_CASE(folder_of_ours) {
    const TempDir dir;
    const Toy toy;
    write_reference_folder(dir.path(), toy.weights);
    BOOST_TEST(entries(dir.path()) == 3U);
    BOOST_TEST(read_file(dir / "vocab.txt") == "a\nb\n");
    BOOST_TEST(read_json(dir / "config.json") == nlohmann::json::parse(toy.weights.config));
    const auto file = WeightFile::open(dir.path());
    BOOST_TEST(file->metadata().at("config") == toy.weights.config);
    BOOST_TEST(file->metadata().at("xxh3") == weights_digest(toy.weights));
    BOOST_TEST(file->tensors().size() == static_cast<std::size_t>(toy.layout.count()));
}

// Where the defaults of transformers' classes are other values than the reference's, the file must speak.
BOOST_AUTO_TEST_CASE(huggingface_folder_says_every_value) {
    const TempDir dir;
    const Toy toy(at::kBFloat16);
    write_huggingface_folder(dir.path(), toy.weights);
    BOOST_TEST(WeightFile::open(dir.path())->metadata().at("format") == "pt");
    BOOST_TEST(WeightFile::open(dir.path())->tensors().size() == static_cast<std::size_t>(toy.layout.count()));
    const nlohmann::json config = read_json(dir / "config.json");
    BOOST_TEST(config["architectures"][0] == "BlipForConditionalGeneration");
    BOOST_TEST(config["torch_dtype"] == "bfloat16");
    const nlohmann::json &text = config["text_config"], &vision = config["vision_config"];
    BOOST_TEST(text["num_attention_heads"] == 3);
    BOOST_TEST(text["hidden_size"] == 6);
    BOOST_TEST(text["encoder_hidden_size"] == 8);
    BOOST_TEST(text["layer_norm_eps"] == 1e-12);
    BOOST_TEST(text["hidden_dropout_prob"] == 0.1);
    BOOST_TEST(text["attention_probs_dropout_prob"] == 0.1);
    BOOST_TEST(text["label_smoothing"] == 0.1);
    BOOST_TEST(text["bos_token_id"] == 30522);
    BOOST_TEST(text["sep_token_id"] == 102);
    BOOST_TEST(text["vocab_size"] == 30524);
    BOOST_TEST(text["tie_word_embeddings"] == true);
    BOOST_TEST(vision["layer_norm_eps"] == 1e-6);
    BOOST_TEST(vision["intermediate_size"] == 32);
    BOOST_TEST(vision["image_size"] == 64);
    const nlohmann::json pictures = read_json(dir / "preprocessor_config.json");
    BOOST_TEST(pictures["size"] == (nlohmann::json{{"height", 64}, {"width", 64}}));
    BOOST_TEST(pictures["resample"] == 3);
    const nlohmann::json generation = read_json(dir / "generation_config.json");
    BOOST_TEST(generation["num_beams"] == 3);
    BOOST_TEST(generation["max_length"] == 20);
    BOOST_TEST(generation["min_length"] == 5);
    const nlohmann::json added = read_json(dir / "tokenizer_config.json")["added_tokens_decoder"];
    BOOST_TEST(added["30522"]["content"] == "[DEC]");
    BOOST_TEST(added["30523"]["content"] == "[ENC]");
    BOOST_TEST(read_file(dir / "vocab.txt") == "a\nb\n");
}

// A stop, or a full disk, at any moment: the writer's error arrives and no file does.
BOOST_AUTO_TEST_CASE(an_interrupted_file_leaves_nothing) {
    for (const Writer write : {Writer(write_reference_safetensors), Writer(write_reference_pth)}) {
        std::uint64_t total = 0;
        Toy toy;
        const TempDir dir;
        toy.weights.on_written = [&](std::uint64_t bytes) { total += bytes; };
        write(dir / "whole", toy.weights);
        BOOST_TEST(total >= 700 * 6 * 4 + 300 * 6 * 4);
        const std::string before = read_bytes(dir / "whole");
        std::uint64_t done = 0;
        toy.weights.on_written = [&](std::uint64_t bytes) {
            if ((done += bytes) > total / 2) throw Error(ExitCode::stopped, "enough");
        };
        for (const char* name : {"new", "whole"})
            BOOST_CHECK_EXCEPTION(write(dir / name, toy.weights), Error,
                                  [](const Error& error) { return error.code() == ExitCode::stopped; });
        BOOST_TEST(entries(dir.path()) == 1U);
        BOOST_TEST(read_bytes(dir / "whole") == before);
    }
}

BOOST_AUTO_TEST_CASE(a_missing_folder_is_named) {
    const TempDir dir;
    const Toy toy;
    for (const Writer write : {Writer(write_reference_safetensors), Writer(write_reference_pth)})
        BOOST_CHECK_EXCEPTION(write(dir / "none" / "x", toy.weights), Error, [&](const Error& error) {
            return error.code() == ExitCode::io && std::string(error.what()).find("none/x") != std::string::npos;
        });
}

// Protocol 2 as Python documents it (pickletools).
BOOST_AUTO_TEST_CASE(pickle_instructions) {
    PickleWriter pickle;
    pickle.mark();
    for (const std::int64_t value : {0L, 255L, 256L, 65535L, 65536L, 2147483647L, 2147483648L}) pickle.integer(value);
    pickle.tuple();
    const std::string expected(
        "\x80\x02(K\x00K\xffM\x00\x01M\xff\xffJ\x00\x00\x01\x00J\xff\xff\xff\x7f\x8a\x08\x00\x00\x00\x80\x00\x00\x00"
        "\x00t.",
        2 + 1 + 2 + 2 + 3 + 3 + 5 + 5 + 10 + 2);
    BOOST_TEST(pickle.finish() == expected);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
