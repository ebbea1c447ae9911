// See import.h. First every parameter is found and compared with what the model needs; values are read after that.
#include "blip/weights/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "blip/base/digest.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/text/wordpiece.h"
#include "blip/weights/element_type.h"
#include "src/weights/position_embedding.h"
#include "src/weights/stored_names.h"

namespace blip {
namespace {

using Shape = std::vector<std::int64_t>;

// A parameter and the tensors that hold it: the first is read, the others (of a tied head) must equal it.
struct Match {
    ParamId id = 0;
    std::vector<std::string> names;
    bool resize = false;
};

bool can_be_resized(const ParamSpec& spec, const Shape& found) {
    return spec.name == kPositionEmbeddings && grid_side(spec.shape) && grid_side(found) && found[2] == spec.shape[2];
}

// Nothing if the parameter can be taken from the file.
std::string problem_of(const WeightFile& file, const ParamSpec& spec, const Match& match) {
    if (match.names.empty())
        return fmt::format("{} is missing, [{}] is needed", spec.name, fmt::join(spec.shape, ", "));
    for (const std::string& name : match.names) {
        const StoredTensor& found = file.tensors().at(name);
        const std::string called = name == spec.name ? name : fmt::format("{} ({})", spec.name, name);
        if (!is_floating(found.dtype)) return fmt::format("{} holds {}, no floating-point values", called, found.dtype);
        if (found.shape == spec.shape || can_be_resized(spec, found.shape)) continue;
        const bool other_words = spec.name == kWordEmbeddings && spec.shape.at(0) == vocabulary_size &&
                                 found.shape.size() == 2 && found.shape[0] != vocabulary_size;
        if (other_words) refuse_vocabulary(file, found.shape[0]);
        return fmt::format("{} is [{}], needed [{}]", called, fmt::join(found.shape, ", "),
                           fmt::join(spec.shape, ", "));
    }
    return "";
}

std::vector<Match> find_all(const WeightFile& file, const Layout& layout) {
    std::vector<Match> matches;
    std::vector<std::string> problems;
    for (ParamId id = 0; id < layout.count(); ++id) {
        const ParamSpec& spec = layout.spec(id);
        Match match{id, stored_names(file, spec.name), false};
        if (std::string problem = problem_of(file, spec, match); !problem.empty()) {
            problems.push_back(std::move(problem));
            continue;
        }
        match.resize = file.tensors().at(match.names.front()).shape != spec.shape;
        matches.push_back(std::move(match));
    }
    if (problems.empty()) return matches;
    constexpr std::size_t most = 20;
    const std::size_t count = problems.size();
    problems.resize(std::min(most, count));
    throw Error(ExitCode::bad_data, "{} does not fit the model ({} of {} parameters): {}{}", file.path().string(),
                count, layout.count(), fmt::join(problems, "; "),
                count > most ? fmt::format("; and {} more", count - most) : "");
}

void tell_of_extras(const WeightFile& file, const std::vector<Match>& matches) {
    std::set<std::string> used;
    for (const Match& match : matches) used.insert(match.names.begin(), match.names.end());
    std::map<std::string, int> by_prefix;
    for (const auto& [name, tensor] : file.tensors())
        if (!used.contains(name) && !is_harmless_extra(name)) ++by_prefix[name.substr(0, name.find('.'))];
    if (by_prefix.empty() || launcher_rank() != 0) return;
    std::vector<std::string> parts;
    for (const auto& [prefix, count] : by_prefix) parts.push_back(fmt::format("{} x {}", count, prefix));
    const std::string line = fmt::format("{}: tensors that the model does not use are left aside: {}",
                                         file.path().string(), fmt::join(parts, ", "));
    // other parts of a pretrained model are as expected; unknown parts of the captioner's own are not
    const bool own = std::any_of(by_prefix.begin(), by_prefix.end(), [](const auto& part) {
        return part.first == "visual_encoder" || part.first == "text_decoder" || part.first == "vision_model";
    });
    if (own)
        log_warning_text(line);
    else
        log_info_text(line);
}

// Weights of a training that failed, or fp16 ones that overflowed, would caption with nonsense.
void check_finite(const WeightFile& file, const std::string& name, std::span<const float> values) {
    if (std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) return;
    throw Error(ExitCode::bad_data,
                "{}: {} has values that are not finite in fp32: these weights come from a training that failed, or "
                "were converted wrongly; give others",
                file.path().string(), name);
}

// The values go to the sink; a tied head's other copies are compared with them by digest, so that no copy is kept.
void stream(const WeightFile& file, const Match& match, std::int64_t offset, const WeightSink& sink) {
    const bool twins = match.names.size() > 1;
    Digest digest;
    file.read(match.names.front(), [&](std::int64_t first, std::span<const float> values) {
        check_finite(file, match.names.front(), values);
        if (twins) digest.add(std::as_bytes(values));
        sink(offset + first, values);
    });
    for (std::size_t i = 1; i < match.names.size(); ++i) {
        Digest other;
        file.read(match.names[i],
                  [&](std::int64_t, std::span<const float> values) { other.add(std::as_bytes(values)); });
        if (other.hex() == digest.hex()) continue;
        throw Error(ExitCode::bad_data, "{}: {} and {} hold different values; here they are one tensor (a tied head)",
                    file.path().string(), match.names.front(), match.names[i]);
    }
}

void resize(const WeightFile& file, const Layout& layout, const Match& match, std::int64_t offset,
            const WeightSink& sink) {
    const std::string& name = match.names.front();
    const Shape& needed = layout.spec(match.id).shape;
    const std::int64_t from = *grid_side(file.tensors().at(name).shape), to = *grid_side(needed);
    const auto pixels = [&, patch = layout.find(kPatchWeight)](std::int64_t side) {
        return patch < 0 ? "" : fmt::format(" ({} pixels)", side * layout.spec(patch).shape.back());
    };
    log_info("{}: position embeddings resized from {} x {}{} to {} x {}{}", file.path().string(), from, from,
             pixels(from), to, to, pixels(to));
    const auto positions = file.read_all(name);
    check_finite(file, name, positions);
    sink(offset, resize_positions(positions, from, to, needed.back()));
}

}    // namespace

void import_weights(const WeightFile& file, const Layout& layout, const std::function<std::int64_t(ParamId)>& offset,
                    const WeightSink& sink) {
    const std::vector<Match> matches = find_all(file, layout);
    tell_of_extras(file, matches);
    for (const Match& match : matches) {
        if (match.resize)
            resize(file, layout, match, offset(match.id), sink);
        else
            stream(file, match, offset(match.id), sink);
    }
}

}    // namespace blip
