// The model's shape from the shapes of tensors, and its heads from configurations, options or custom.
#include <boost/test/unit_test.hpp>

#include "blip/base/log.h"
#include "blip/options/parse.h"
#include "blip/weights/import.h"
#include "blip/weights/names.h"
#include "tests/support/paths.h"
#include "tests/unit/weights/fake_weight_file.h"

namespace blip::test {
namespace {

using Words = std::vector<std::string>;

FakeWeightFile huggingface_shapes(const ModelOptions& model) {
    FakeWeightFile file = reference_shapes(model);
    Words names;
    for (const auto& [name, tensor] : file.tensors()) names.push_back(name);
    for (const std::string& name : names)
        if (const auto other = huggingface_name(name); other.value() != name) file.rename(name, *other);
    file.remove("text_decoder.bert.embeddings.position_ids");
    return file;
}

ModelOptions recognise(const WeightFile& file, const std::string& config = "", const ModelOptions& asked = {},
                       const Words& explicit_options = {}) {
    return recognise_shape(file, config, asked, explicit_options);
}

// 48 channels, which 64 does not divide
ModelOptions odd_model() {
    ModelOptions model = model_preset("tiny");
    model.preset = "base";
    model.text_hidden = model.vision_width = 48;
    model.text_heads = 4;
    model.vision_heads = 3;
    return model;
}

BOOST_AUTO_TEST_SUITE(recognise_shapes)

BOOST_AUTO_TEST_CASE(published_models_at_any_resolution_under_both_names) {
    for (const char* preset : {"base", "large"}) {
        for (const int image_size : {224, 384, 480}) {
            ModelOptions model = model_preset(preset);
            model.image_size = image_size;
            BOOST_TEST((recognise(reference_shapes(model)) == model), preset << " at " << image_size);
            BOOST_TEST((recognise(huggingface_shapes(model)) == model), preset << " at " << image_size);
        }
    }
}

BOOST_AUTO_TEST_CASE(heads_come_from_our_configuration_then_options_then_custom) {
    const ModelOptions model = odd_model();
    const FakeWeightFile file = reference_shapes(model);
    BOOST_TEST(
        (recognise(file, R"({"kind": "blip_mpi model", "model": {"text_heads": 4, "vision_heads": 3}})") == model));
    ModelOptions asked;
    asked.text_heads = 4;
    asked.vision_heads = 3;
    BOOST_TEST((recognise(file, "", asked, {"text-heads", "vision-heads"}) == model));
    const std::string problem = problem_in([&] { recognise(file, "", asked, {"vision-heads"}); });
    BOOST_TEST(contains(problem, "give --text-heads and --vision-heads"));
    BOOST_TEST(contains(problem_in([&] { recognise(file, "", asked, {"text-heads"}); }), "give --vision-heads"));
    BOOST_TEST(contains(problem, "fake.pth"));
}

BOOST_AUTO_TEST_CASE(heads_come_from_hugging_faces_configuration_with_its_defaults) {
    const FakeWeightFile file = huggingface_shapes(odd_model());
    const std::string both =
        R"({"text_config": {"num_attention_heads": 4}, "vision_config": {"num_attention_heads": 3}})";
    BOOST_TEST((recognise(file, both) == odd_model()));
    const ModelOptions defaults = recognise(file, R"({"text_config": {}, "vision_config": {}})");
    BOOST_TEST(defaults.text_heads == 8);
    BOOST_TEST(defaults.vision_heads == 12);
    BOOST_TEST(contains(problem_in([&] { recognise(file, R"({"text_config": {"num_attention_heads": -4}})"); }),
                        "'num_attention_heads' is -4"));
    BOOST_TEST(contains(problem_in([&] { recognise(file, R"({"text_config": {"hidden_size": 768}})"); }),
                        "says text hidden_size 768, the weights have 48"));
    BOOST_TEST(contains(problem_in([&] { recognise(file, "{\"text_config\": "); }), "is damaged"));
}

BOOST_AUTO_TEST_CASE(what_a_configuration_asks_for_in_vain_is_said) {
    const TempDir dir;
    init_log(0);
    add_log_file(dir / "log");
    recognise(huggingface_shapes(odd_model()),
              R"({"text_config": {"hidden_act": "gelu_new"}, "vision_config": {"layer_norm_eps": 1e-6}})");
    const std::string first = read_bytes(dir / "log");
    BOOST_TEST(
        contains(first, "warning: the config.json beside fake.pth: text_config asks for the activation 'gelu_new'"));
    BOOST_TEST(!contains(first, "layer_norm_eps"));
    BOOST_TEST(contains(first, "3 blocks of 48 channels in the image encoder, 3 layers of 48 in the caption decoder"));
    recognise(huggingface_shapes(model_preset("large")),
              R"({"text_config": {"num_attention_heads": 12}, "vision_config": {"num_attention_heads": 16}})");
    const std::string second = read_bytes(dir / "log").substr(first.size());
    BOOST_TEST(contains(second, "layer_norm_eps of vision_config is 1e-05; computed with the reference's 1e-06"));
    BOOST_TEST(!contains(second, "warning"));
    BOOST_TEST(contains(second, "weights of --model large, trained with pictures of 384 x 384 pixels"));
    init_log(0);
}

BOOST_AUTO_TEST_CASE(what_is_no_captioner_says_what_it_lacks) {
    const FakeWeightFile whole = reference_shapes(model_preset("tiny"));
    const auto without = [&](const std::string& prefix) {
        FakeWeightFile file = whole;
        for (const auto& [name, tensor] : whole.tensors())
            if (name.starts_with(prefix)) file.remove(name);
        return file;
    };
    FakeWeightFile retrieval = without("text_decoder.");
    retrieval.add("text_encoder.embeddings.word_embeddings.weight", {30524, 128});
    BOOST_TEST(
        contains(problem_in([&] { recognise(retrieval); }),
                 "no BLIP captioner: it has no caption decoder (text_decoder.bert.embeddings.word_embeddings.weight"
                 "); it holds a text encoder instead"));
    BOOST_TEST(contains(problem_in([&] { recognise(without("visual_encoder.")); }), "it has no image encoder"));
    BOOST_TEST(contains(problem_in([&] { recognise(without("visual_encoder.blocks.")); }),
                        "it has no block in its image encoder"));
    BOOST_TEST(contains(problem_in([&] { recognise(without("text_decoder.bert.encoder.layer.0.crossattention")); }),
                        "it has no cross-attention"));
    FakeWeightFile oblong = whole;
    oblong.add("visual_encoder.pos_embed", {1, 1 + 6 * 7, 128});
    BOOST_TEST(contains(problem_in([&] { recognise(oblong); }), "not of square RGB pictures"));
    FakeWeightFile flat = whole;
    flat.add("visual_encoder.patch_embed.proj.weight", {128, 768});
    BOOST_TEST(contains(problem_in([&] { recognise(flat); }), "the shape of visual_encoder.patch_embed.proj.weight"));
    FakeWeightFile bert = whole;
    bert.add("text_decoder.bert.embeddings.word_embeddings.weight", {30522, 128});
    BOOST_TEST(contains(problem_in([&] { recognise(bert); }), "plain BERT"));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
