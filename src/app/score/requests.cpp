// See requests.h.
#include "src/app/score/requests.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "blip/base/json.h"
#include "blip/base/parallel_for.h"
#include "blip/base/standard_output.h"
#include "blip/metrics/bleu.h"
#include "blip/metrics/cider.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/metrics/meteor.h"
#include "blip/metrics/rouge_l.h"
#include "src/app/standalone.h"

namespace blip {
namespace {

using nlohmann::json;

constexpr const char* request_origin = "the request";

std::vector<std::string> texts_in(const json& list, const char* name) {
    if (!list.is_array()) throw_field(request_origin, name, "is no list");
    std::vector<std::string> texts;
    for (const json& text : list) {
        if (!text.is_string()) throw_field(request_origin, name, "has a member that is no text");
        texts.push_back(text);
    }
    return texts;
}

// As Python's split(" "), but that nothing has no tokens.
Tokens tokens_in(const std::string& text) {
    Tokens tokens;
    if (!text.empty()) boost::split(tokens, text, boost::is_any_of(" "));
    return tokens;
}

json tokenized(const json& request) {
    const std::vector<std::string> lines = texts_in(request["tokenize"], "tokenize");
    const std::vector<std::string_view> views(lines.begin(), lines.end());
    json tokens = json::array();
    for (const Tokens& line : coco_tokens(views, thread_count(0)))
        tokens.push_back(fmt::format("{}", fmt::join(line, " ")));
    return {{"tokens", std::move(tokens)}};
}

json answer_of(const char* name, const CaptionScores& scores) {
    return {{"corpus", {{name, scores.corpus}}}, {"per_image", {{name, scores.per_image}}}};
}

json scored(const json& request) {
    const std::string metric = text_field(request, "score", request_origin);
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
    for (const std::string& text : texts_in(field(request, "hypotheses", request_origin), "hypotheses"))
        hypotheses.push_back(tokens_in(text));
    const json& lists = field(request, "references", request_origin);
    if (!lists.is_array()) throw_field(request_origin, "references", "is no list");
    for (const json& list : lists) {
        auto& own = references.emplace_back();
        for (const std::string& text : texts_in(list, "references")) own.push_back(tokens_in(text));
    }
    if (metric == "bleu") {
        const BleuScores found = bleu(hypotheses, references);
        json answer;
        for (std::size_t n = 0; n < found.corpus.size(); ++n) {
            const std::string name = "Bleu_" + std::to_string(n + 1);
            answer["corpus"][name] = found.corpus[n];
            json& per_image = answer["per_image"][name] = json::array();
            for (const auto& of_image : found.per_image) per_image.push_back(of_image[n]);
        }
        return answer;
    }
    if (metric == "rouge_l") return answer_of("ROUGE_L", rouge_l(hypotheses, references));
    if (metric == "cider") {
        if (!request.contains("cider_df")) return answer_of("CIDEr", cider(hypotheses, references));
        const CiderScorer scorer(read_document_frequencies(text_field(request, "cider_df", request_origin)));
        return answer_of("CIDEr", cider(hypotheses, references, &scorer));
    }
    if (metric == "meteor") {
        const MeteorData data = MeteorData::open(request.value("meteor_data", ""));
        return answer_of("METEOR", meteor(hypotheses, references, data, thread_count(0)));
    }
    throw_field(request_origin, "score", "is none of bleu, meteor, rouge_l, cider");
}

std::string answer_request(const std::string& line) {
    try {
        const json request = parse_object(line, request_origin);
        return to_line(request.contains("tokenize") ? tokenized(request) : scored(request));
    } catch (...) {
        const auto [message, code] = describe_current_exception();
        return to_line(json{{"error", message}, {"exit_code", static_cast<int>(code)}});
    }
}

}    // namespace

ExitCode answer_requests() {
    for (std::string line; std::getline(std::cin, line);)
        write_standard_output(answer_request(line) + "\n", "the answer");
    return ExitCode::ok;
}

}    // namespace blip
