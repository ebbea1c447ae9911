// See views.h.
#include "blip/report/views.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "blip/report/run_folder.h"

namespace blip {

using nlohmann::json;

namespace {

double pairs_per_second(const json& step) { return number_of(step, "samples") / (number_of(step, "step_ms") / 1000); }

// "val/loss" and "val/CIDEr" of an evaluation.
std::map<std::string, double> scores_of(const json& evaluation) {
    std::map<std::string, double> scores;
    const json splits = object_of(evaluation, "splits");
    for (const auto& [split, of_split] : splits.items()) {
        if (of_split.contains("loss")) scores[split + "/loss"] = number_of(of_split, "loss");
        for (const auto& [name, value] : numbers_of(of_split, "scores")) scores[split + "/" + name] = value;
    }
    return scores;
}

std::map<std::string, double> curves_of(const json& step) {
    static const std::set<std::string_view> no_curves = {"step", "epoch", "step_in_epoch", "samples"};
    std::map<std::string, double> values;
    for (const auto& [name, value] : step.items()) {
        if (!value.is_number() || no_curves.contains(name)) continue;
        const bool time = name.ends_with("_ms");
        values[time ? "time_ms/" + name.substr(0, name.size() - 3) : "train/" + name] = value.get<double>();
    }
    if (const double rate = pairs_per_second(step); std::isfinite(rate)) values["train/pairs_per_s"] = rate;
    return values;
}

}    // namespace

void add_record(EventFile& events, const json& record) {
    const std::string kind = record.value("kind", "");
    const auto step = record.value("step", std::int64_t{0});
    const double time = time_of(record);
    if (kind == "step") {
        events.scalars(step, time, curves_of(record));
    } else if (kind == "evaluation") {
        events.scalars(step, time, scores_of(record));
    } else if (kind == "run" || kind == "resume") {
        events.forget_from(step + 1, time);
        if (kind == "run") events.hyperparameters(time, record.value("identity", json::object()));
    }
}

bool ResultTable::add(const json& record) {
    if (record.value("kind", "") == "run") rows_.clear();
    if (record.value("kind", "") != "evaluation") return false;
    auto& row = rows_[record.value("epoch", 0)];
    row = {{"step", fmt::format("{}", record.value("step", std::int64_t{0}))}};
    for (const auto& [name, value] : scores_of(record)) row[name] = fmt::format("{:.6g}", value);
    return true;
}

std::string ResultTable::csv() const {
    std::set<std::string> columns;
    for (const auto& [epoch, row] : rows_)
        for (const auto& [name, value] : row) columns.insert(name);
    columns.erase("step");
    std::string text = "epoch,step";
    for (const std::string& name : columns) text += "," + name;
    for (const auto& [epoch, row] : rows_) {
        text += fmt::format("\n{},{}", epoch, row.at("step"));
        for (const std::string& name : columns) text += "," + (row.contains(name) ? row.at(name) : "");
    }
    return text + "\n";
}

void RunGauges::add(const json& record) {
    const std::string kind = record.value("kind", "");
    if (kind == "run" || kind == "resume") {
        running_ = true;
        last_step_ = number_of(record, "last_step");
        step_s_ = 0;
    } else if (kind == "stop") {
        running_ = false;
        values_["finished"] = record.value("finished", false) ? 1 : 0;
    } else if (kind == "step") {
        for (const char* name : {"step", "epoch", "loss", "gradient_norm"}) values_[name] = number_of(record, name);
        values_["learning_rate"] = number_of(record, "lr");
        values_["pairs_per_second"] = pairs_per_second(record);
        const double seconds = number_of(record, "step_ms") / 1000;
        step_s_ = step_s_ == 0 ? seconds : 0.95 * step_s_ + 0.05 * seconds;
    } else if (kind == "checkpoint" && record.value("saved", false)) {
        values_["checkpoint_step"] = number_of(record, "step");
        values_["checkpoint_timestamp_seconds"] = time_of(record);
    } else if (kind == "evaluation") {
        for (const auto& [name, value] : scores_of(record)) {
            const std::size_t slash = name.find('/');
            values_[fmt::format("score;split=\"{}\",metric=\"{}\"", name.substr(0, slash), name.substr(slash + 1))] =
                value;
        }
    }
}

std::string RunGauges::text(double now) const {
    static const std::map<std::string_view, std::string_view> help = {
        {"checkpoint_age_seconds", "time since the last checkpoint"},
        {"checkpoint_step", "steps that the last checkpoint has"},
        {"checkpoint_timestamp_seconds", "when the last checkpoint was written, since 1970"},
        {"epoch", "epoch of the last step, from 0"},
        {"eta_seconds", "time that the remaining steps take, without evaluations"},
        {"finished", "1 if all steps were done"},
        {"gradient_norm", "of the last step"},
        {"last_step", "steps that the run will have"},
        {"learning_rate", "of the last step"},
        {"loss", "of the last step"},
        {"pairs_per_second", "pictures with captions in the last step"},
        {"running", "1 while it trains, as far as it says"},
        {"score", "of the last evaluation"},
        {"step", "optimizer steps done"}};
    std::string run;
    for (const char c : run_)
        run += c == '\n' ? "\\n" : c == '"' || c == '\\' ? fmt::format("\\{}", c) : std::string(1, c);
    std::map<std::string, double> values = values_;
    values["running"] = running_ ? 1 : 0;
    values["last_step"] = last_step_;
    if (values.contains("step"))
        values["eta_seconds"] = running_ ? std::max(0.0, last_step_ - values["step"]) * step_s_ : 0;
    if (values.contains("checkpoint_timestamp_seconds"))
        values["checkpoint_age_seconds"] = std::max(0.0, now - values["checkpoint_timestamp_seconds"]);
    std::string text, told;
    for (const auto& [key, value] : values) {
        const std::size_t more = key.find(';');
        const std::string name = key.substr(0, more);
        if (name != told)
            text += fmt::format("# HELP blip_mpi_{0} {1}\n# TYPE blip_mpi_{0} gauge\n", name, help.at(name));
        told = name;
        const std::string labels = more == std::string::npos ? "" : "," + key.substr(more + 1);
        text += fmt::format("blip_mpi_{}{{run=\"{}\"{}}} {}\n", name, run, labels,
                            std::isfinite(value) ? fmt::format("{:.10g}", value) : "NaN");
    }
    return text;
}

}    // namespace blip
