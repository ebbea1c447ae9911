// Our network's parameters against those of the published models: every name of ViT-B and ViT-L captioners in the
// reference's and Hugging Face's terms (huggingface_names.json was printed by Hugging Face's own classes), every shape.
#include <boost/test/unit_test.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "blip/model/captioner.h"
#include "blip/options/parse.h"
#include "blip/weights/import.h"
#include "blip/weights/names.h"
#include "tests/support/paths.h"
#include "tests/unit/weights/fake_weight_file.h"

namespace blip::test {
namespace {

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

// Layer numbers instead of N.
Shapes huggingface_tensors(const std::string& preset, const ModelOptions& model) {
    const auto data = read_json(repository_root() / "tests/golden/data/huggingface_names.json").at(preset);
    Shapes shapes;
    for (const auto& [pattern, shape] : data.at("tensors").items()) {
        const std::size_t number = pattern.find(".N.");
        const bool vision = pattern.starts_with("vision_model.");
        const int layers = number == std::string::npos ? 1 : vision ? model.vision_depth : model.text_layers;
        for (int layer = 0; layer < layers; ++layer) {
            std::string name = pattern;
            if (number != std::string::npos) name.replace(number + 1, 1, std::to_string(layer));
            shapes[name] = shape.get<std::vector<std::int64_t>>();
        }
    }
    BOOST_TEST(shapes.size() == data.at("count").get<std::size_t>());
    return shapes;
}

BOOST_AUTO_TEST_SUITE(import_layout)

BOOST_AUTO_TEST_CASE(every_parameter_has_hugging_faces_name_and_shape_and_none_is_left) {
    for (const std::string preset : {"base", "large"}) {
        const ModelOptions model = model_preset(preset);
        Shapes theirs = huggingface_tensors(preset, model);
        const Layout layout = Captioner(model).layout();
        for (ParamId id = 0; id < layout.count(); ++id) {
            const ParamSpec& spec = layout.spec(id);
            const auto name = huggingface_name(spec.name);
            BOOST_REQUIRE_MESSAGE(name && theirs.contains(*name), spec.name);
            BOOST_TEST(theirs.at(*name) == spec.shape, boost::test_tools::per_element());
            theirs.erase(*name);
        }
        // the tied head's second names
        const std::string head = "text_decoder.cls.predictions.decoder.";
        BOOST_TEST(theirs.size() == 2U);
        BOOST_TEST((theirs.contains(head + "weight") && theirs.contains(head + "bias")));
    }
}

BOOST_AUTO_TEST_CASE(the_reference_has_the_same_parameters) {
    for (const char* preset : {"base", "large", "tiny"}) {
        const ModelOptions model = model_preset(preset);
        const FakeWeightFile reference = reference_shapes(model);
        const Layout layout = Captioner(model).layout();
        for (ParamId id = 0; id < layout.count(); ++id) {
            const ParamSpec& spec = layout.spec(id);
            BOOST_REQUIRE_MESSAGE(reference.tensors().contains(spec.name), spec.name);
            BOOST_TEST(reference.tensors().at(spec.name).shape == spec.shape, boost::test_tools::per_element());
        }
        // the head's second names, and position_ids
        BOOST_TEST(static_cast<int>(reference.tensors().size()) == layout.count() + 3);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
