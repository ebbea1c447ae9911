// See vocabulary_file.h.
#include "src/app/vocabulary_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/checkpoint/init.h"
#include "blip/options/options.h"

namespace blip {

namespace fs = std::filesystem;

Vocabulary read_vocabulary(const fs::path& init) {
    const fs::path folder = fs::is_directory(init) ? init : init.parent_path();
    const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
    constexpr const char* own = "bert-base-uncased-vocab.txt";
    // installed; built in build/; built in a folder below it, as sanitized programs are
    std::vector<fs::path> places = {program / "../share/blip_mpi" / own, program / "../../data_prep" / own,
                                    program / "../../../data_prep" / own};
    if (!init.empty()) places.insert(places.begin(), {folder / "vocab.txt", folder / "best" / "vocab.txt"});
    const auto file = std::ranges::find_if(places, [](const fs::path& place) { return fs::exists(place); });
    if (file == places.end())
        throw Error(ExitCode::missing_input, "no vocabulary: put the BERT vocabulary at {}", places.front().string());
    const nlohmann::json note = init.empty() ? nlohmann::json() : nlohmann::json::parse(read_model_note(init));
    Vocabulary vocabulary = Vocabulary::from_file(*file);
    const auto noted = note.is_object() ? note.find("vocabulary_xxh3") : note.end();
    if (noted != note.end() && *noted != vocabulary_digest(vocabulary.text()))
        throw Error(ExitCode::bad_data,
                    "{} is damaged, or is not the vocabulary that the weights in {} were trained with: copy "
                    "the vocab.txt that was beside them",
                    file->string(), init.string());
    return vocabulary;
}

void warn_of_other_prompt(const fs::path& init, const std::string& prompt) {
    const nlohmann::json note = nlohmann::json::parse(read_model_note(init));
    const auto trained = note.find("prompt");
    const bool differs = trained != note.end() && trained->is_string() && *trained != prompt;
    if (!differs || prompt != GenerateOptions{}.prompt) return;
    const auto& other = trained->get_ref<const std::string&>();
    log_warning(
        "{} was trained with the prompt '{}', and captions begin with '{}' here: --prompt '{}' asks for its own",
        init.string(), other, prompt, other);
}

}    // namespace blip
