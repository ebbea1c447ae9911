// A folder that Hugging Face's transformers loads: weights under its names and every value of its configurations
// written out, because the defaults of its classes are not the reference's.

#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/text/wordpiece.h"
#include "blip/weights/export.h"
#include "blip/weights/names.h"

namespace blip {
namespace {

using nlohmann::ordered_json;

// The values of transforms and loss that the reference fixes; ours are options of training, not of the model.
constexpr double mean_rgb[] = {0.48145466, 0.4578275, 0.40821073};
constexpr double std_rgb[] = {0.26862954, 0.26130258, 0.27577711};
constexpr int bicubic = 3;    // Pillow's number of the filter

const char* torch_name(at::ScalarType dtype) {
    return dtype == at::kBFloat16 ? "bfloat16" : dtype == at::kHalf ? "float16" : "float32";
}

ordered_json text_config(const ModelOptions& model) {
    const GenerateOptions generate;
    return {{"model_type", "blip_text_model"},
            {"vocab_size", vocabulary_size},
            {"hidden_size", model.text_hidden},
            {"encoder_hidden_size", model.vision_width},
            {"intermediate_size", model.text_intermediate},
            {"projection_dim", model.text_hidden},
            {"num_hidden_layers", model.text_layers},
            {"num_attention_heads", model.text_heads},
            {"max_position_embeddings", model.text_positions},
            {"hidden_act", "gelu"},
            {"layer_norm_eps", 1e-12},
            {"hidden_dropout_prob", LossOptions{}.dropout},
            {"attention_probs_dropout_prob", LossOptions{}.dropout},
            {"initializer_range", 0.02},
            {"bos_token_id", SpecialTokens::dec},
            {"eos_token_id", SpecialTokens::sep},
            {"pad_token_id", SpecialTokens::pad},
            {"sep_token_id", SpecialTokens::sep},
            {"is_decoder", true},
            {"use_cache", true},
            {"tie_word_embeddings", true},
            {"label_smoothing", LossOptions{}.label_smoothing},
            // The decoder generates by its own settings, which transformers before 5 takes from here.
            {"num_beams", generate.num_beams},
            {"max_length", generate.max_length},
            {"min_length", generate.min_length}};
}

ordered_json vision_config(const ModelOptions& model) {
    return {{"model_type", "blip_vision_model"},
            {"hidden_size", model.vision_width},
            {"intermediate_size", 4 * model.vision_width},
            {"projection_dim", model.vision_width},
            {"num_hidden_layers", model.vision_depth},
            {"num_attention_heads", model.vision_heads},
            {"image_size", model.image_size},
            {"patch_size", model.patch_size},
            {"hidden_act", "gelu"},
            {"layer_norm_eps", 1e-6},
            {"attention_dropout", 0.0},
            {"initializer_range", 0.02}};
}

ordered_json model_config(const ModelOptions& model, at::ScalarType dtype) {
    return {{"architectures", {"BlipForConditionalGeneration"}},
            {"model_type", "blip"},
            {"torch_dtype", torch_name(dtype)},
            {"text_config", text_config(model)},
            {"vision_config", vision_config(model)},
            // of the contrastive heads, which a captioner does not have; the published models' values
            {"projection_dim", 512},
            {"logit_scale_init_value", 2.6592},
            {"image_text_hidden_size", 256},
            {"initializer_factor", 1.0},
            {"initializer_range", 0.02},
            {"tie_word_embeddings", true},
            {"label_smoothing", LossOptions{}.label_smoothing}};
}

ordered_json generation_config() {
    const GenerateOptions generate;
    return {{"bos_token_id", SpecialTokens::dec},
            {"eos_token_id", SpecialTokens::sep},
            {"pad_token_id", SpecialTokens::pad},
            {"num_beams", generate.num_beams},
            {"max_length", generate.max_length},
            {"min_length", generate.min_length},
            {"do_sample", false},
            {"length_penalty", generate.length_penalty},
            {"early_stopping", false}};
}

ordered_json special_tokens_map() {
    return {{"unk_token", "[UNK]"}, {"sep_token", "[SEP]"},   {"pad_token", "[PAD]"},
            {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"}, {"additional_special_tokens", {"[DEC]", "[ENC]"}}};
}

// vocab.txt holds the words of BERT; the two that BLIP adds, and which words are special, are told here.
ordered_json tokenizer_config() {
    ordered_json added = ordered_json::object();
    const std::pair<TokenId, const char*> special[] = {
        {SpecialTokens::pad, "[PAD]"}, {SpecialTokens::unk, "[UNK]"},   {SpecialTokens::cls, "[CLS]"},
        {SpecialTokens::sep, "[SEP]"}, {SpecialTokens::mask, "[MASK]"}, {SpecialTokens::dec, "[DEC]"},
        {SpecialTokens::enc, "[ENC]"},
    };
    for (const auto& [id, word] : special)
        added[std::to_string(id)] = {{"content", word}, {"lstrip", false},      {"normalized", false},
                                     {"rstrip", false}, {"single_word", false}, {"special", true}};
    ordered_json config = {{"tokenizer_class", "BertTokenizer"},
                           {"processor_class", "BlipProcessor"},
                           {"do_lower_case", true},
                           {"do_basic_tokenize", true},
                           {"never_split", nullptr},
                           {"strip_accents", nullptr},
                           {"tokenize_chinese_chars", true},
                           {"clean_up_tokenization_spaces", true},
                           {"model_max_length", 512},
                           {"model_input_names", {"input_ids", "attention_mask"}},
                           {"padding_side", "right"},
                           {"truncation_side", "right"}};
    config.update(special_tokens_map());
    config["added_tokens_decoder"] = added;
    return config;
}

ordered_json preprocessor_config(const ModelOptions& model) {
    return {{"image_processor_type", "BlipImageProcessor"},
            {"processor_class", "BlipProcessor"},
            {"do_convert_rgb", true},
            {"do_resize", true},
            {"size", {{"height", model.image_size}, {"width", model.image_size}}},
            {"resample", bicubic},
            {"do_rescale", true},
            {"rescale_factor", 1.0 / 255},
            {"do_normalize", true},
            {"image_mean", mean_rgb},
            {"image_std", std_rgb}};
}

}    // namespace

void write_huggingface_folder(const std::filesystem::path& folder, const ExportedWeights& weights) {
    std::vector<NamedTensor> tensors = named_tensors(weights.layout, weights.values);
    for (NamedTensor& one : tensors) {
        const auto name = huggingface_name(one.name);
        if (!name) throw Error(ExitCode::internal, "'{}' has no name at Hugging Face", one.name);
        one.name = *name;
    }
    write_safetensors(
        folder / kWeightsName, tensors,
        {{"format", "pt"}, {"kind", kModelKind}, {"config", weights.config}, {"xxh3", weights_digest(tensors)}},
        weights.on_written);
    const auto put = [&](const char* name, const ordered_json& object) {
        write_file_durably(folder / name, object.dump(2) + "\n");
    };
    put(kConfigName, model_config(weights.model, weights.values.at(0).scalar_type()));
    put("generation_config.json", generation_config());
    write_file_durably(folder / kVocabularyName, weights.vocabulary_text);
    put("tokenizer_config.json", tokenizer_config());
    put("special_tokens_map.json", special_tokens_map());
    put("preprocessor_config.json", preprocessor_config(weights.model));
}

}    // namespace blip
