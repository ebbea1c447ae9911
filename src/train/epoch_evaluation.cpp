// See epoch_evaluation.h.
#include "src/train/epoch_evaluation.h"

#include <fmt/format.h>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/phase.h"
#include "blip/checkpoint/init.h"

namespace blip {

namespace {

// What goes into the weights' file: no times, so that the same training gives the same bytes.
std::string origin_note(const nlohmann::json& record, nlohmann::json note) {
    for (const char* name : {"epoch", "step", "selection"})
        if (record.contains(name)) note[name] = record.at(name);
    for (const auto& [split, of_split] : record.at("splits").items()) note["scores"][split] = of_split.at("scores");
    return note.dump();
}

// The record with a digest of itself, as text.
std::string sealed(nlohmann::json record) {
    record["xxh3"] = digest_of(record.dump());
    return record.dump(1) + "\n";
}

// nullopt if it is damaged
std::optional<nlohmann::json> read_sealed(const std::filesystem::path& file) {
    nlohmann::json record = nlohmann::json::parse(read_file(file), nullptr, false);
    if (!record.is_object()) return std::nullopt;
    const nlohmann::json digest = record.value("xxh3", nlohmann::json());
    record.erase("xxh3");
    if (digest != digest_of(to_line(record))) return std::nullopt;
    return record;
}
bool is_whole(const std::filesystem::path& file) { return read_sealed(file).has_value(); }

}    // namespace

EpochEvaluation::EpochEvaluation(const Task& task, std::filesystem::path output, const ModelOptions& model,
                                 const Arena& arena, const ShardedAdamW& optimizer, HostMessages& communicator)
    : output_(std::move(output)),
      model_(model),
      arena_(arena),
      optimizer_(optimizer),
      communicator_(communicator),
      evaluation_(task.evaluation ? task.evaluation(arena.weights(), arena.placement().device) : nullptr) {}

std::filesystem::path EpochEvaluation::file(int epoch) const {
    return output_ / "evaluations" / fmt::format("epoch-{}.json", epoch);
}

double EpochEvaluation::selection_score(const nlohmann::json& record) const {
    if (!record.contains("selection")) return -1;
    const nlohmann::json& selection = record.at("selection");
    return selection.value("metric", "") == evaluation_->selection_metric() ? selection.value("score", -1.0) : -1;
}

bool EpochEvaluation::first_rank_says(const char* what, const std::function<bool()>& decide) const {
    std::string answer = communicator_.rank() == 0 && decide() ? "yes" : "no";
    communicator_.broadcast(answer, what);
    return answer == "yes";
}

bool EpochEvaluation::done(int epoch) const {
    if (!evaluation_) return true;
    return first_rank_says("which epochs were evaluated", [&] {
        if (!std::filesystem::exists(file(epoch))) return false;
        const bool whole = is_whole(file(epoch));
        if (!whole) log_warning("{} is damaged: the epoch is evaluated again", file(epoch).string());
        return whole;
    });
}

const EpochEvaluation::Best& EpochEvaluation::best() {
    if (best_) return *best_;
    best_ = Best();
    const std::filesystem::path folder = output_ / "best", weights = folder / "model.safetensors";
    std::string problem;
    try {
        if (std::filesystem::exists(weights)) {
            check_model(weights);
            const nlohmann::json note = nlohmann::json::parse(read_model_note(weights));
            best_ = {note.value("epoch", -1), selection_score(note)};
        } else if (std::filesystem::exists(folder) && !std::filesystem::is_empty(folder)) {    // empty: never written
            problem = weights.string() + " is missing";
        }
    } catch (const std::exception& failure) {
        problem = failure.what();
    }
    if (!problem.empty())
        log_warning("the best weights so far are lost ({}): the next epoch's take their place", problem);
    return *best_;
}

void EpochEvaluation::inspect(int epochs) {
    if (communicator_.rank() != 0 || !evaluation_) return;
    std::vector<std::string> lost;
    // the last one is made again if need be
    for (int epoch = 0; epoch + 1 < epochs; ++epoch) {
        if (!std::filesystem::exists(file(epoch)))
            lost.push_back(fmt::format("{} is missing", file(epoch).filename().string()));
        else if (!is_whole(file(epoch)))
            lost.push_back(fmt::format("{} is damaged", file(epoch).filename().string()));
    }
    if (!lost.empty())
        log_warning("{}: {}; the weights of these epochs are gone, they are not evaluated again",
                    file(0).parent_path().string(), fmt::join(lost, ", "));
    if (epochs > 0) best();
}

EpochEvaluation::Best EpochEvaluation::best_of_files(int epochs) const {
    Best best;
    for (int epoch = 0; epoch < epochs; ++epoch) {
        if (!std::filesystem::exists(file(epoch))) continue;    // lost: inspect() names it
        const std::optional<nlohmann::json> record = read_sealed(file(epoch));
        const double score = record ? selection_score(*record) : -1;
        if (score > best.score) best = {epoch, score};
    }
    return best;
}

bool EpochEvaluation::out_of_patience(int epochs, int patience) const {
    if (!evaluation_ || patience == 0) return false;
    return first_rank_says("whether there is patience left", [&] {
        const int best = best_of_files(epochs).epoch;
        return best >= 0 && epochs - 1 - best >= patience;
    });
}

std::string EpochEvaluation::describe_best() {
    if (!evaluation_ || best().epoch < 0) return "";
    return fmt::format("; best weights: {} (epoch {}, {} {:.4f})", (output_ / "best").string(), best().epoch + 1,
                       evaluation_->selection_metric(), best().score);
}

bool EpochEvaluation::run(int epoch, std::int64_t global_step, RunLog* log,
                          const std::function<bool()>& stop_requested) {
    const std::optional<nlohmann::json> found = evaluation_->run(epoch, stop_requested);
    if (!found) return false;
    nlohmann::json record = *found;
    record["epoch"] = epoch;
    record["step"] = global_step;
    const Best now{epoch, selection_score(record)};
    const bool is_best = first_rank_says("whether the epoch is the best so far", [&] {
        // equal: a job that died between the weights and their evaluation's file
        return now.score > best().score || (now.score == best().score && now.epoch == best().epoch);
    });
    // best/ first: if the job dies in between, the epoch is evaluated again, with the same result.
    if (is_best) {
        const PhaseScope saving(Phase::saving_best);
        const std::filesystem::path best = output_ / "best";
        const std::string note = communicator_.rank() == 0 ? origin_note(record, evaluation_->note()) : "";
        save_model(best, arena_, optimizer_.state(), communicator_, model_, note);
        if (communicator_.rank() == 0) {
            for (const auto& [name, text] : evaluation_->files()) write_file_durably(best / name, text);
            best_ = now;
            log_info("epoch {} is the best so far: weights in {}", epoch + 1, best.string());
        }
    }
    if (communicator_.rank() == 0) {
        make_folders(file(epoch).parent_path());
        write_file_durably(file(epoch), sealed(record));
        if (log != nullptr) log->event("evaluation", record);
    }
    communicator_.barrier("end of the epoch's evaluation");
    return true;
}

}    // namespace blip
