// See matching.h.
#include "src/app/score/matching.h"

#include <algorithm>
#include <boost/algorithm/string.hpp>
#include <unordered_map>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

bool may_be_file(const std::string& name) { return name.find_first_of("./\\") != std::string::npos; }

// Images by what results may call them. The names of files are looked through where an id is none of the references'.
class ImageNames {
  public:
    explicit ImageNames(const std::vector<ImageReferences>& references) : references_(references) {
        for (std::size_t i = 0; i < references.size(); ++i) ids_.emplace(plain_id(references[i].id.text), i);
    }
    std::optional<std::size_t> find(const ImageResult& result) {
        if (const auto found = ids_.find(plain_id(result.id)); !result.id.empty() && found != ids_.end())
            return found->second;
        // COCO's twelve digits
        if (const std::size_t first = result.id.find_first_not_of('0'); first != 0 && first != std::string::npos)
            if (const auto found = ids_.find(plain_id(result.id.substr(first))); found != ids_.end())
                return found->second;
        if (files_.empty()) add_files();
        for (const std::string& name : {result.file, result.id})
            for (const std::string& one : names_of_file(name)) {
                if (const auto found = ids_.find(one); found != ids_.end()) return found->second;
                if (const auto found = files_.find(one); found != files_.end() && found->second != several)
                    return found->second;
            }
        return std::nullopt;
    }

  private:
    static constexpr std::size_t several = SIZE_MAX;
    void add_files() {
        for (std::size_t i = 0; i < references_.size(); ++i)
            for (const std::string& name : {references_[i].file, references_[i].id.text})
                for (const std::string& one : names_of_file(name)) {
                    const auto [place, is_new] = files_.try_emplace(one, i);
                    if (!is_new && place->second != i) place->second = several;
                }
    }
    // from what tells most to what tells least
    static std::vector<std::string> names_of_file(const std::string& name) {
        if (name.empty()) return {};
        const fs::path path(name);
        std::vector<std::string> names = {name};
        if (const auto number = coco_number(path)) names.push_back(std::to_string(*number));
        if (may_be_file(name)) {
            names.push_back(key_of_path(path).text);
            names.push_back(path.filename().string());
            names.push_back(path.stem().string());
        }
        return names;
    }

    const std::vector<ImageReferences>& references_;
    std::unordered_map<std::string, std::size_t> ids_, files_;
};

}    // namespace

std::vector<fs::path> match_pictures(const std::vector<ImageReferences>& images, const std::vector<fs::path>& files,
                                     const fs::path& folder) {
    std::vector<ImageReferences> there;    // pictures stand where references do elsewhere
    for (const fs::path& file : files)
        there.push_back({file.lexically_relative(folder).string(), {}, {}, file.string()});
    ImageNames names(there);
    std::vector<fs::path> pictures;
    std::vector<std::string> missing;
    for (const ImageReferences& image : images)
        if (const auto found = names.find({image.id.text, {}, image.file}))
            pictures.push_back(files[*found]);
        else
            missing.push_back(image.file.empty() ? image.id.text : image.file);
    if (!missing.empty())
        throw Error(ExitCode::missing_input,
                    "--images {} has no picture, or several of one name, of {} of the {} images: {}", folder.string(),
                    missing.size(), images.size(), some_of(missing));
    return pictures;
}

std::vector<fs::path> files_of_runs(const fs::path& path) {
    const std::string text = path.string();
    std::error_code absent;
    if (text.find(',') == std::string::npos || fs::exists(path, absent)) return {path};
    std::vector<fs::path> files;
    boost::split(files, text, boost::is_any_of(","));
    std::erase(files, "");
    return files;
}

MatchedCaptions match_captions(const std::vector<ImageResult>& results, const std::vector<ImageReferences>& references,
                               const fs::path& results_file, const ScoreOptions& options) {
    ImageNames names(references);
    MatchedCaptions captions;
    captions.first.resize(references.size());
    captions.further.resize(references.size());
    std::vector<std::string> repeated, unknown;
    for (const ImageResult& result : results) {
        const std::string& name = result.id.empty() ? result.file : result.id;
        const auto image = names.find(result);
        if (!image)
            unknown.push_back(name);
        else if (result.further)
            captions.further[*image].push_back(result.caption);
        else if (captions.first[*image])
            repeated.push_back(name);
        else
            captions.first[*image] = result;
    }
    if (!repeated.empty())
        throw Error(ExitCode::bad_data, "{} has more than one caption for some images ({}): {}", results_file.string(),
                    repeated.size(), some_of(repeated));
    if (!unknown.empty())
        throw Error(ExitCode::bad_data, "{} has captions for images ({}) without references in {}: {}{}",
                    results_file.string(), unknown.size(), options.references.string(), some_of(unknown),
                    options.splits.empty() ? "" : " (is it the right --split?)");
    return captions;
}

}    // namespace blip
