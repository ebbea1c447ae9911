// See report_page.h. What is shown is one JSON object within the page; report_page.html, which is compiled in, draws
// it.
#include "src/app/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/version.h"
#include "blip/image/thumbnail.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/meteor.h"
#include "blip/report/run_folder.h"
#include "blip/tasks/caption/evaluator.h"
#include "blip/tasks/caption/scoring.h"
#include "blip/text/image_key.h"
#include "src/app/run_captions.h"

// The page's frame, as the bytes of the file beside this one.
asm(R"(
.section .rodata
blip_report_page_begin:
.incbin "src/app/report_page.html"
blip_report_page_end:
.previous
)");
extern "C" const char blip_report_page_begin[], blip_report_page_end[];

namespace blip {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t most_points = 1500;    // of a curve: more would be no wider than a pixel
constexpr int thumbnail_side = 224;

// Mean of each of at most most_points runs of consecutive steps. What is no number is left out of a mean.
json curve(const std::vector<json>& steps, const auto& value) {
    const std::size_t stride = (steps.size() + most_points - 1) / most_points;
    json points = json::array();
    for (std::size_t first = 0; first < steps.size(); first += stride) {
        double sum = 0;
        int count = 0;
        for (std::size_t i = first; i < std::min(first + stride, steps.size()); ++i) {
            const double y = value(steps[i]);
            if (std::isfinite(y)) sum += y, ++count;
        }
        points.push_back(count > 0 ? json(sum / count) : json());
    }
    return points;
}

json curves_of(const RunRecords& records) {
    // of the matrix products, by the measurement at the start (pace)
    double peak_ms = std::nan("");
    for (const json& event : records.events)
        if (event.value("kind", "") == "pace" && number_of(event, "peak_flops") > 0)
            peak_ms = 1000 * number_of(event, "step_flops") / number_of(event, "peak_flops");
    json curves;
    const auto of = [&](const char* name) {
        return curve(records.steps, [name](const json& step) { return number_of(step, name); });
    };
    for (const char* name : {"step", "epoch", "loss", "lr", "gradient_norm"}) curves[name] = of(name);
    curves["pairs_per_s"] = curve(
        records.steps, [](const json& step) { return 1000 * number_of(step, "samples") / number_of(step, "step_ms"); });
    if (std::isfinite(peak_ms))
        curves["peak_percent"] =
            curve(records.steps, [&](const json& step) { return 100 * peak_ms / number_of(step, "step_ms"); });
    // What an objective logs beside: its names begin with its own.
    std::set<std::string> others;
    if (!records.steps.empty())
        for (const auto& [name, value] : records.steps.back().items())
            if (value.is_number() && name.starts_with("reward")) others.insert(name);
    for (const std::string& name : others) curves["others"][name] = of(name.c_str());
    return curves;
}

// Mean time of a step's parts in each epoch, on rank 0.
json parts_of(const std::vector<json>& steps) {
    constexpr const char* names[] = {"data_ms", "forward_ms", "backward_ms", "reduce_ms", "update_ms", "step_ms"};
    std::map<int, std::pair<int, std::map<std::string, double>>> epochs;
    for (const json& step : steps) {
        auto& [count, sums] = epochs[step.value("epoch", 0)];
        ++count;
        for (const char* name : names)
            if (const double ms = number_of(step, name); std::isfinite(ms)) sums[name] += ms;
    }
    json parts = json::array();
    for (auto& [epoch, of_epoch] : epochs) {
        json part = {{"epoch", epoch}};
        for (auto& [name, sum] : of_epoch.second) part[name] = sum / of_epoch.first;
        parts.push_back(std::move(part));
    }
    return parts;
}

std::string state_of(const RunRecords& records) {
    const json* stop = end_of_run(records);
    if (stop == nullptr) return "running, or killed";
    return stop->value("finished", false) ? "finished" : "stopped by a signal";
}

struct Run {
    fs::path folder;
    RunRecords records;
    std::map<int, json> evaluations;    // by epoch
};

Run load_run(const fs::path& folder) {
    Run run{folder, read_run(folder), {}};
    for (const json& event : run.records.events)
        if (event.value("kind", "") == "evaluation" && event.contains("splits") && event["splits"].is_object())
            run.evaluations[event.value("epoch", 0)] = event;
    return run;
}

json describe(const Run& run) {
    const fs::path folder = run.folder.has_filename() ? run.folder : run.folder.parent_path();
    json all = {{"name", folder.filename().string()}, {"path", fs::absolute(run.folder).lexically_normal().string()},
                {"state", state_of(run.records)},     {"unreadable", run.records.unreadable},
                {"curves", curves_of(run.records)},   {"parts", parts_of(run.records.steps)}};
    for (const char* name : {"starts", "checkpoints", "ranks", "evaluations"}) all[name] = json::array();
    for (const json& event : run.records.events) {
        const std::string kind = event.value("kind", "");
        if (kind == "run" || kind == "resume") {
            all["starts"].push_back(event);
            all["identity"] = object_of(event, "identity");
        }
        if (kind == "checkpoint" && event.value("saved", false)) all["checkpoints"].push_back(event.value("step", 0));
        if (kind == "ranks") all["ranks"].push_back(event);
        if (kind == "build" || kind == "pace" || kind == "stop") all[kind] = event;    // the last ones
        if (kind == "gpus" && event.contains("warnings") && event["warnings"].is_array()) all["gpu_warnings"] = event;
    }
    for (const auto& [epoch, evaluation] : run.evaluations) all["evaluations"].push_back(evaluation);
    return all;
}

// A run's captions of one epoch, by the picture's row; empty where that was not written or is of other data.
struct EpochCaptions {
    std::size_t run = 0;
    int epoch = 0;
    std::vector<std::string> captions_I;
    std::vector<double> log_probabilities_I, cider_I;
};

std::optional<EpochCaptions> read_captions(const fs::path& file, const SplitTables& split) {
    if (!fs::exists(file)) return std::nullopt;
    const auto rows = read_result(file);
    if (!rows || rows->size() != split.keys_I.size()) return std::nullopt;    // --limit leaves no scores by picture
    EpochCaptions read;
    std::vector<ScoredCaption> all;
    for (std::int64_t image = 0; image < split.image_count(); ++image) {
        const std::string& key = split.keys_I[static_cast<std::size_t>(image)].text;
        const auto row = rows->find(key);
        if (row == rows->end()) return std::nullopt;
        read.captions_I.push_back(row->second.caption);
        read.log_probabilities_I.push_back(row->second.log_probability);
        all.push_back({key, row->second.caption, references_of(split, image)});
    }
    CocoEvalOptions only_cider;
    only_cider.bleu = only_cider.rouge_l = false;
    read.cider_I = coco_scores(all, only_cider).at("CIDEr").per_image;
    return read;
}

// The first split that all runs evaluated, with all captions that are there of it.
std::vector<EpochCaptions> all_captions(const std::vector<Run>& runs, const SplitTables& split) {
    std::vector<EpochCaptions> all;
    for (std::size_t r = 0; r < runs.size(); ++r) {
        for (const auto& [epoch, evaluation] : runs[r].evaluations) {
            if (auto found = read_captions(result_file(runs[r].folder, split.name, epoch), split)) {
                found->run = r;
                found->epoch = epoch;
                all.push_back(std::move(*found));
            }
        }
    }
    return all;
}

// Rows in the order of a value, each with why it is shown.
void choose(std::vector<std::pair<std::size_t, std::string>>& chosen, const std::vector<double>& value_I, int count,
            bool changes) {
    std::vector<std::size_t> order(value_I.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return value_I[a] > value_I[b]; });
    const auto add = [&](std::size_t first, const char* why) {
        for (std::size_t i = first; i < std::min(first + static_cast<std::size_t>(count), order.size()); ++i) {
            const auto same = [&](const auto& one) { return one.first == order[i]; };
            if (std::none_of(chosen.begin(), chosen.end(), same)) chosen.emplace_back(order[i], why);
        }
    };
    const auto n = static_cast<std::size_t>(count);
    if (changes) {
        add(0, "changed most between epochs");
        return;
    }
    add(0, "best");
    add(order.size() / 2 - std::min(order.size() / 2, n / 2), "median");
    add(order.size() - std::min(order.size(), n), "worst");
}

json pictures_of(const std::vector<Run>& runs, const PackedDataset& dataset, int count) {
    json pictures = json::array();
    if (runs.empty() || runs[0].evaluations.empty()) return pictures;
    // of the split by which the best weights are chosen, else of any: one split's are enough to look at
    const json& evaluation = runs[0].evaluations.rbegin()->second;
    std::vector<std::string> names = {text_of(object_of(evaluation, "selection"), "split")};
    for (const auto& [name, of_split] : evaluation["splits"].items()) names.push_back(name);
    for (const std::string& name : names) {
        if (!dataset.has_split(name)) continue;
        const SplitTables& split = dataset.split(name);
        const std::vector<EpochCaptions> all = all_captions(runs, split);
        const auto of_first = [](const EpochCaptions& one) { return one.run == 0; };
        const auto first = std::find_if(all.begin(), all.end(), of_first);
        const auto last = std::find_if(all.rbegin(), all.rend(), of_first);
        if (first == all.end()) continue;
        std::vector<std::pair<std::size_t, std::string>> chosen;
        choose(chosen, last->cider_I, count, false);
        if (first->epoch != last->epoch) {
            std::vector<double> change_I;
            for (std::size_t i = 0; i < first->cider_I.size(); ++i)
                change_I.push_back(std::abs(last->cider_I[i] - first->cider_I[i]));
            choose(chosen, change_I, count, true);
        }
        for (const auto& [i, why] : chosen) {
            const auto row = static_cast<std::int64_t>(i);
            const Thumbnail small = thumbnail(dataset.read_image(split, row), thumbnail_side);
            json picture = {{"why", why},
                            {"split", name},
                            {"key", split.keys_I[i].text},
                            {"file", split.files_I[i]},
                            {"src", small.uri()},
                            {"width", small.width},
                            {"height", small.height},
                            {"references", references_of(split, row)},
                            {"captions", json::array()}};
            for (const EpochCaptions& one : all)
                picture["captions"].push_back({{"run", one.run},
                                               {"epoch", one.epoch},
                                               {"text", one.captions_I[i]},
                                               {"cider", one.cider_I[i]},
                                               {"log_probability", one.log_probabilities_I[i]}});
            pictures.push_back(std::move(picture));
        }
        break;
    }
    return pictures;
}

// Published scores beside each run's last ones, where the data are those that they were published for.
json published(const std::vector<Run>& runs, const PackedDataset& dataset) {
    json lines = json::array();
    for (const Run& run : runs) {
        if (run.evaluations.empty()) continue;
        for (const auto& [name, of_split] : run.evaluations.rbegin()->second["splits"].items()) {
            if (!dataset.has_split(name) || !of_split.contains("scores")) continue;
            SplitEvaluation evaluation;
            evaluation.split = name;
            evaluation.scores = numbers_of(of_split, "scores");
            evaluation.captions.resize(of_split.value("images", std::size_t{0}));
            for (const std::string& line : beside_published(evaluation, dataset)) lines.push_back(line);
        }
    }
    return lines;
}

// The epoch whose weights are best, by its own record; of equal ones the first. As the page has it.
int best_epoch(const Run& run) {
    int best = run.evaluations.begin()->first;
    double most = -1;
    for (const auto& [epoch, evaluation] : run.evaluations) {
        const double score = number_of(object_of(evaluation, "selection"), "score");
        if (!(score > most)) continue;
        best = epoch;
        most = score;
    }
    return best;
}

// What the run was trained on, by its digest: `dataset`, or what is in the file that its log names. Throws
// missing_input, bad_data.
const PackedDataset& data_of(const Run& run, const PackedDataset* dataset, std::optional<PackedDataset>& own) {
    std::string digest;
    for (const json& event : run.records.events)
        if (const std::string told = text_of(object_of(event, "identity"), "data digest"); !told.empty()) digest = told;
    if (dataset != nullptr && dataset->data_digest() == digest) return *dataset;
    const fs::path file = data_of_run(run.folder);
    if (file.empty() || !fs::exists(file))
        throw Error(ExitCode::missing_input, "its data, {}, are not there: --data names them",
                    file.empty() ? "which its log does not name" : file.string());
    own.emplace(PackedDataset::open(file));
    if (own->data_digest() != digest)
        throw Error(ExitCode::bad_data, "{} holds other data now than it was trained on", file.string());
    return *own;
}

// Into the scores of an evaluation as the page has it. problem: called with a split and why it has none.
void add_intervals(const Run& run, const PackedDataset& dataset, const MeteorTables& meteor, json& evaluation,
                   const auto& problem) {
    for (auto& [name, of_split] : evaluation["splits"].items()) {
        const std::map<std::string, double> scores = numbers_of(of_split, "scores");
        if (scores.empty() || !dataset.has_split(name)) continue;
        const fs::path file = result_file(run.folder, name, evaluation.value("epoch", 0));
        try {
            for (const auto& [metric, interval] : score_intervals(file, dataset.split(name), scores, meteor))
                of_split["intervals"][metric] = {interval.low, interval.high};
        } catch (const Error& failure) {
            problem(name, failure);
        }
    }
}

// Of each run's best epoch. Returns why there are none, a line each.
json add_intervals(const std::vector<Run>& runs, const PackedDataset* dataset, json& shown) {
    json problems = json::array();
    const MeteorTables meteor = find_meteor({});
    for (std::size_t r = 0; r < runs.size(); ++r) {
        if (runs[r].evaluations.empty()) continue;
        const auto problem = [&](const std::string& split, const Error& failure) {
            problems.push_back(fmt::format("{}{}{}: no intervals: {}", runs[r].folder.string(),
                                           split.empty() ? "" : ", ", split, failure.what()));
            log_warning("{}", problems.back().get<std::string>());
        };
        const int epoch = best_epoch(runs[r]);
        try {
            std::optional<PackedDataset> own;
            const PackedDataset& data = data_of(runs[r], dataset, own);
            for (json& evaluation : shown[r]["evaluations"])
                if (evaluation.value("epoch", 0) == epoch) add_intervals(runs[r], data, meteor, evaluation, problem);
        } catch (const Error& failure) {
            problem("", failure);
        }
    }
    return problems;
}

}    // namespace

fs::path data_of_run(const fs::path& run) {
    std::string data;
    for (const json& event : read_run(run).events)
        if (const std::string named = text_of(event, "data"); !named.empty()) data = named;
    return data;
}

std::string report_page(const std::vector<fs::path>& folders, const PackedDataset* dataset, int pictures) {
    std::vector<Run> runs;
    for (const fs::path& folder : folders) runs.push_back(load_run(folder));
    json page = {{"version", program_version}, {"runs", json::array()}, {"pictures", json::array()}};
    for (const Run& run : runs) page["runs"].push_back(describe(run));
    if (runs.size() > 1) page["without_intervals"] = add_intervals(runs, dataset, page["runs"]);
    if (dataset != nullptr) {
        page["data"] = {{"path", dataset->path().string()},
                        {"digest", dataset->data_digest()},
                        {"source", dataset->source()},
                        {"splits", json::array()}};
        for (const SplitTables& split : dataset->splits())
            page["data"]["splits"].push_back(
                {{"name", split.name}, {"pictures", split.image_count()}, {"captions", split.caption_count()}});
        page["pictures"] = pictures_of(runs, *dataset, pictures);
        page["published"] = published(runs, *dataset);
    }
    // No text can end the element that holds it.
    std::string text;
    for (const char c : to_line(page)) text += c == '<' ? "\\u003c" : std::string(1, c);
    std::string html(blip_report_page_begin, blip_report_page_end);
    constexpr std::string_view mark = "@@DATA@@";
    const std::size_t at = html.find(mark);
    if (at == std::string::npos) throw Error(ExitCode::internal, "the page has no place for its data");
    return html.replace(at, mark.size(), text);
}

}    // namespace blip
