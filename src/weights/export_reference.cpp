// Weights under the reference's names as safetensors: best/ of a run, and the forms --names reference of the export.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/weights/export.h"

namespace blip {

std::vector<NamedTensor> named_tensors(const Layout& layout, const std::vector<at::Tensor>& values) {
    std::vector<NamedTensor> tensors;
    for (ParamId id = 0; id < layout.count(); ++id)
        tensors.push_back({layout.spec(id).name, values.at(static_cast<std::size_t>(id))});
    return tensors;
}

std::string weights_digest(std::vector<NamedTensor> tensors) {
    std::sort(tensors.begin(), tensors.end(),
              [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
    Digest digest;
    for (const NamedTensor& one : tensors) {
        const at::Tensor values = one.tensor.cpu();
        digest.add(std::as_bytes(std::span(one.name)));
        digest.add({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
    }
    return digest.hex();
}

std::string weights_digest(const ExportedWeights& weights) {
    return weights_digest(named_tensors(weights.layout, weights.values));
}

void write_reference_safetensors(const std::filesystem::path& file, const ExportedWeights& weights) {
    const std::vector<NamedTensor> tensors = named_tensors(weights.layout, weights.values);
    write_safetensors(file, tensors,
                      {{"kind", kModelKind}, {"config", weights.config}, {"xxh3", weights_digest(tensors)}},
                      weights.on_written);
}

void write_reference_folder(const std::filesystem::path& folder, const ExportedWeights& weights) {
    write_reference_safetensors(folder / kWeightsName, weights);
    write_file_durably(folder / kConfigName, nlohmann::json::parse(weights.config).dump(2) + "\n");
    if (!weights.vocabulary_text.empty()) write_file_durably(folder / kVocabularyName, weights.vocabulary_text);
}

}    // namespace blip
