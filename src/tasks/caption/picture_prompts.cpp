// See picture_prompts.h.
#include "blip/tasks/caption/picture_prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/options/parse.h"
#include "blip/text/caption_text.h"

namespace blip {

PicturePrompts::PicturePrompts(const GenerateOptions& generate, const WordPieceTokenizer& tokenizer)
    : common_(generate.prompt), file_(generate.prompts.string()) {
    const auto check_room = [&](const std::string& prompt, const std::string& where) {
        const std::size_t tokens = prompt_tokens(tokenizer, prompt).size();
        if (tokens >= static_cast<std::size_t>(generate.max_length))
            throw Error(ExitCode::usage, "{} '{}' takes {} tokens with [DEC] and leaves no room within --max-length {}",
                        where, prompt, tokens, generate.max_length);
    };
    check_room(common_, "--prompt");
    if (file_.empty()) return;
    const nlohmann::json prompts = parse_strictly(read_file(file_), file_, 64);
    if (!prompts.is_object())
        throw Error(ExitCode::bad_data, R"({} is no JSON object of the form {{"PICTURE": "a picture of "}})", file_);
    for (const auto& [key, value] : prompts.items()) {
        const std::string where = fmt::format("{}: the prompt of '{}'", file_, key);
        if (!value.is_string()) throw Error(ExitCode::bad_data, "{} is no text", where);
        const std::string prompt = complete_prompt(value.get<std::string>());
        if (const auto problem = prompt_problem(prompt)) throw Error(ExitCode::bad_data, "{} {}", where, *problem);
        check_room(prompt, where);
        own_.emplace(key, prompt);
    }
}

const std::string& PicturePrompts::of(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
        const auto found = own_.find(name);
        if (found != own_.end()) return found->second;
    }
    return common_;
}

std::string PicturePrompts::describe_unknown(const std::vector<std::string>& unknown) const {
    if (unknown.empty()) return {};
    constexpr std::size_t most_named = 5;
    std::string names;
    for (std::size_t i = 0; i < std::min(unknown.size(), most_named); ++i)
        names += fmt::format("{}'{}'", i == 0 ? "" : ", ", unknown[i]);
    if (unknown.size() > most_named) names += ", ...";
    return fmt::format("{} of the {} pictures in {} are not among those to caption: {}", unknown.size(), own_.size(),
                       file_, names);
}

}    // namespace blip
