// See torch_golden_model.h.
#include "tests/support/torch_golden_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <nlohmann/json.hpp>
#include "blip/checkpoint/init.h"
#include "blip/image/augment.h"
#include "blip/image/picture.h"

namespace blip::test {

ModelOptions golden_model_options(const nlohmann::json& golden) {
    const auto& text = golden.at("model").at("text");
    const auto& vision = golden.at("model").at("vision");
    ModelOptions options;
    options.preset = "tiny";
    options.text_hidden = text.at("hidden_size");
    options.text_heads = text.at("num_attention_heads");
    options.text_intermediate = text.at("intermediate_size");
    options.text_layers = text.at("num_hidden_layers");
    options.vision_width = vision.at("width");
    options.vision_depth = vision.at("depth");
    options.vision_heads = vision.at("heads");
    options.image_size = vision.at("image_size");
    options.patch_size = vision.at("patch_size");
    return options;
}

std::unique_ptr<GoldenModel> load_golden_model(int world_size) {
    nlohmann::json golden = read_json(golden_file("golden.json.gz"));
    const Path weights = golden_file("tiny_reference.pth");
    // golden.json does not say how many positions were learned; the weights do
    Captioner captioner(read_model_options(weights, golden_model_options(golden), {"text-heads", "vision-heads"}));
    Arena arena(captioner.layout(), world_size, 1 << 18, host_allocator());
    load_model(weights, arena);
    return std::make_unique<GoldenModel>(GoldenModel{std::move(golden), std::move(captioner), std::move(arena)});
}

at::Tensor squashed_images(const std::vector<std::string>& files, int size) {
    at::Tensor images =
        at::empty({static_cast<std::int64_t>(files.size()), 3, size, size}, at::TensorOptions().dtype(at::kByte));
    for (std::size_t i = 0; i < files.size(); ++i) {
        const Image image = decode_picture_file(coco_file(files[i]));
        apply_plan(image, evaluation_plan(image.height, image.width), size,
                   static_cast<std::uint8_t*>(images[static_cast<std::int64_t>(i)].data_ptr()));
    }
    return images;
}

std::vector<std::int64_t> to_vector(const at::Tensor& tensor) {
    const at::Tensor flat = tensor.contiguous();
    const auto* data = static_cast<const std::int64_t*>(flat.const_data_ptr());
    return {data, data + flat.numel()};
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
    const double largest = b.abs().max().item<double>();
    return (a - b).abs().max().item<double>() / (largest > 0 ? largest : 1);
}

}    // namespace blip::test
