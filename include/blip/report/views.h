// What other tools show of a run, made of the records of its log.jsonl (run_log.h): TensorBoard's curves, a table of
// scores, and figures for Prometheus. Records of steps that are done again after a resume replace those that were lost.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "blip/report/event_file.h"

namespace blip {

// Curves by step: train/loss, train/lr, ..., time_ms/forward, ...; val/CIDEr, ... of each evaluation; options as
// hyperparameters.
void add_record(EventFile& events, const nlohmann::json& record);

// OUTPUT/results.csv: a row for each evaluated epoch: epoch, step, then loss and scores of each split.
class ResultTable {
  public:
    // True if the record changed the table.
    bool add(const nlohmann::json& record);
    std::string csv() const;

  private:
    std::map<int, std::map<std::string, std::string>> rows_;    // epoch -> column -> value
};

// Prometheus' text format: gauges with the label run.
class RunGauges {
  public:
    explicit RunGauges(std::string run) : run_(std::move(run)) {}
    void add(const nlohmann::json& record);
    // now: seconds since 1970
    std::string text(double now) const;

  private:
    std::string run_;
    std::map<std::string, double> values_;    // by name, which may have further labels
    double last_step_ = 0, step_s_ = 0;       // of all steps; smoothed time of one
    bool running_ = false;
};

}    // namespace blip
