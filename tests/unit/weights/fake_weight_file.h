// A weight file that exists in memory only, for tests of what is made of weights: names, shapes and values in closed
// form, handed over in small pieces.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "blip/options/options.h"
#include "blip/weights/weight_file.h"
#include "tests/support/said.h"

namespace blip::test {

class FakeWeightFile final : public WeightFile {
  public:
    FakeWeightFile() : WeightFile("fake.pth") {}
    using Value = std::function<float(std::int64_t element)>;

    void add(const std::string& name, std::vector<std::int64_t> shape, Value value = nullptr,
             const std::string& dtype = "F32") {
        tensors_[name] = {dtype, std::move(shape)};
        values_[name] = value ? std::move(value) : [](std::int64_t) { return 0.0F; };
    }
    void remove(const std::string& name) { tensors_.erase(name); }
    // What the tensor was called so far is called so no more.
    void rename(const std::string& from, const std::string& to) {
        add(to, tensors_.at(from).shape, values_.at(from), tensors_.at(from).dtype);
        remove(from);
    }
    float value(const std::string& name, std::int64_t element) const { return values_.at(name)(element); }
    mutable int reads = 0;    // tensors asked for

    void read_bytes(const std::string& name, const ByteSink& sink) const override {
        read(name, [&](std::int64_t, std::span<const float> values) { sink(std::as_bytes(values)); });
    }
    void read(const std::string& name, const PieceSink& sink) const override {
        ++reads;
        constexpr std::int64_t piece = 7;
        const std::int64_t count = tensors_.at(name).element_count();
        for (std::int64_t first = 0; first < count; first += piece) {
            std::vector<float> values;
            for (std::int64_t i = first; i < std::min(count, first + piece); ++i) values.push_back(value(name, i));
            sink(first, values);
        }
    }

  private:
    std::map<std::string, Value> values_;
};

// Names and shapes of a reference checkpoint with these dimensions, written down from the reference's module names.
inline FakeWeightFile reference_shapes(const ModelOptions& m) {
    FakeWeightFile file;
    const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
        file.add(name + ".weight", {out, in});
        file.add(name + ".bias", {out});
    };
    const auto norm = [&](const std::string& name, std::int64_t width) {
        file.add(name + ".weight", {width});
        file.add(name + ".bias", {width});
    };
    const std::int64_t w = m.vision_width, p = m.patch_size, side = m.image_size / p, h = m.text_hidden;
    file.add("visual_encoder.cls_token", {1, 1, w});
    file.add("visual_encoder.pos_embed", {1, 1 + side * side, w});
    file.add("visual_encoder.patch_embed.proj.weight", {w, 3, p, p});
    file.add("visual_encoder.patch_embed.proj.bias", {w});
    for (int i = 0; i < m.vision_depth; ++i) {
        const std::string block = "visual_encoder.blocks." + std::to_string(i);
        norm(block + ".norm1", w);
        linear(block + ".attn.qkv", 3 * w, w);
        linear(block + ".attn.proj", w, w);
        norm(block + ".norm2", w);
        linear(block + ".mlp.fc1", 4 * w, w);
        linear(block + ".mlp.fc2", w, 4 * w);
    }
    norm("visual_encoder.norm", w);
    const std::string embeddings = "text_decoder.bert.embeddings.";
    file.add(embeddings + "position_ids", {1, m.text_positions}, nullptr, "I64");
    file.add(embeddings + "word_embeddings.weight", {30524, h});
    file.add(embeddings + "position_embeddings.weight", {m.text_positions, h});
    norm(embeddings + "LayerNorm", h);
    for (int i = 0; i < m.text_layers; ++i) {
        const std::string layer = "text_decoder.bert.encoder.layer." + std::to_string(i);
        for (const char* kind : {".attention", ".crossattention"}) {
            const std::int64_t seen = kind[1] == 'c' ? w : h;
            linear(layer + kind + ".self.query", h, h);
            linear(layer + kind + ".self.key", h, seen);
            linear(layer + kind + ".self.value", h, seen);
            linear(layer + kind + ".output.dense", h, h);
            norm(layer + kind + ".output.LayerNorm", h);
        }
        linear(layer + ".intermediate.dense", m.text_intermediate, h);
        linear(layer + ".output.dense", h, m.text_intermediate);
        norm(layer + ".output.LayerNorm", h);
    }
    const std::string head = "text_decoder.cls.predictions.";
    file.add(head + "bias", {30524});
    linear(head + "transform.dense", h, h);
    norm(head + "transform.LayerNorm", h);
    linear(head + "decoder", 30524, h);
    return file;
}

}    // namespace blip::test
