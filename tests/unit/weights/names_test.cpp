// Parameter names of the reference and of Hugging Face's BlipForConditionalGeneration. (All parameters of whole models:
// tests/unit/app/import_layout_test.cpp.)
#include "blip/weights/names.h"

#include <boost/test/unit_test.hpp>
#include <utility>
#include <vector>

namespace blip::test {
namespace {

BOOST_AUTO_TEST_SUITE(names)

BOOST_AUTO_TEST_CASE(each_kind_of_parameter_has_a_name_on_both_sides) {
    const std::string decoder = "text_decoder.bert.encoder.layer.11.crossattention.self.value.bias";
    const std::vector<std::pair<std::string, std::string>> pairs = {
        {"visual_encoder.cls_token", "vision_model.embeddings.class_embedding"},
        {"visual_encoder.pos_embed", "vision_model.embeddings.position_embedding"},
        {"visual_encoder.patch_embed.proj.weight", "vision_model.embeddings.patch_embedding.weight"},
        {"visual_encoder.patch_embed.proj.bias", "vision_model.embeddings.patch_embedding.bias"},
        {"visual_encoder.blocks.0.norm1.weight", "vision_model.encoder.layers.0.layer_norm1.weight"},
        {"visual_encoder.blocks.23.norm2.bias", "vision_model.encoder.layers.23.layer_norm2.bias"},
        {"visual_encoder.blocks.7.attn.qkv.weight", "vision_model.encoder.layers.7.self_attn.qkv.weight"},
        {"visual_encoder.blocks.7.attn.proj.bias", "vision_model.encoder.layers.7.self_attn.projection.bias"},
        {"visual_encoder.blocks.7.mlp.fc1.weight", "vision_model.encoder.layers.7.mlp.fc1.weight"},
        {"visual_encoder.blocks.7.mlp.fc2.bias", "vision_model.encoder.layers.7.mlp.fc2.bias"},
        {"visual_encoder.norm.weight", "vision_model.post_layernorm.weight"},
        {"text_decoder.bert.embeddings.word_embeddings.weight", "text_decoder.bert.embeddings.word_embeddings.weight"},
        {decoder, decoder},
        {"text_decoder.cls.predictions.decoder.weight", "text_decoder.cls.predictions.decoder.weight"},
        {"text_decoder.bert.embeddings.position_ids", "text_decoder.bert.embeddings.position_ids"},
    };
    for (const auto& [reference, huggingface] : pairs)
        BOOST_TEST(huggingface_name(reference).value_or("none") == huggingface);
}

BOOST_AUTO_TEST_CASE(other_names_have_none) {
    for (const char* name :
         {"", "queue", "text_encoder.bert.a", "visual_encoder_m.norm.weight", "visual_encoder.blocks.",
          "visual_encoder.blocks.x.norm1.weight", "visual_encoder.blocks.1", "visual_encoder.blocks.1.norm3.weight",
          "visual_encoder.blocks.1.attn.other.weight", "vision_model.embeddings.class_embedding",
          "visual_encoder.cls_token.more"})
        BOOST_TEST(!huggingface_name(name).has_value(), name);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
