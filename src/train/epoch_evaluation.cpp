// See epoch_evaluation.h.
#include "src/train/epoch_evaluation.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/log.h"
#include "blip/base/phase.h"
#include "blip/checkpoint/checkpoints.h"

namespace blip {

namespace {

// The highest sum of these on the first split decides which weights are best, as in the reference job.
constexpr const char* selection_metric = "CIDEr + Bleu_4";

// -1 if the epoch has no such score.
double selection_score(const nlohmann::json& evaluation) {
    if (!evaluation.contains("selection")) return -1;
    const nlohmann::json& selection = evaluation.at("selection");
    return selection.value("metric", "") == selection_metric ? selection.value("score", -1.0) : -1;
}

// What goes into the weights' file: no times, so that the same training gives the same bytes.
std::string origin_note(const nlohmann::json& evaluation, const PackedDataset& dataset) {
    nlohmann::json note = {
        {"epoch", evaluation.at("epoch")}, {"step", evaluation.at("step")}, {"prompt", dataset.prompt()}};
    if (evaluation.contains("selection")) note["selection"] = evaluation.at("selection");
    for (const auto& [split, of_split] : evaluation.at("splits").items()) note["scores"][split] = of_split.at("scores");
    note["vocabulary_xxh3"] = dataset.vocabulary_digest();
    return note.dump();
}

// The record with a digest of itself, as text.
std::string sealed(nlohmann::json record) {
    record["xxh3"] = digest_of(record.dump());
    return record.dump(1) + "\n";
}

bool is_whole(const std::filesystem::path& file) {
    nlohmann::json record = nlohmann::json::parse(read_file(file), nullptr, false);
    if (!record.is_object()) return false;
    const nlohmann::json digest = record.value("xxh3", nlohmann::json());
    record.erase("xxh3");
    return digest == digest_of(record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}    // namespace

EpochEvaluation::EpochEvaluation(const Options& options, const PackedDataset& dataset, const Captioner& captioner,
                                 const Arena& arena, const ShardedAdamW& optimizer, Communicator& communicator)
    : options_(options),
      dataset_(dataset),
      arena_(arena),
      optimizer_(optimizer),
      communicator_(communicator),
      evaluator_(captioner, arena.weights(), arena.placement().device, dataset, options.generate,
                 PicturePrompts(dataset.prompt()),    // what the captions were packed with
                 options.train.seed, options.evaluate, options.data, options.data.loader_threads,
                 options.runtime.progress, communicator) {
    for (const std::string& split : options.evaluate.splits)
        if (dataset.has_split(split)) splits_.push_back(split);
}

std::filesystem::path EpochEvaluation::file(int epoch) const {
    return options_.checkpoint.output / "evaluations" / fmt::format("epoch-{}.json", epoch);
}

bool EpochEvaluation::done(int epoch) const {
    std::string answer;
    if (communicator_.rank() == 0) {
        answer = "no";
        if (std::filesystem::exists(file(epoch))) {
            const bool whole = is_whole(file(epoch));
            answer = whole ? "yes" : "no";
            if (!whole) log_warning("{} is damaged: the epoch is evaluated again", file(epoch).string());
        }
    }
    communicator_.broadcast(answer, "which epochs were evaluated");
    return answer == "yes";
}

const EpochEvaluation::Best& EpochEvaluation::best() {
    if (best_) return *best_;
    best_ = Best();
    const std::filesystem::path folder = options_.checkpoint.output / "best", weights = folder / "model.safetensors";
    std::string problem;
    try {
        if (std::filesystem::exists(weights)) {
            check_model(weights);
            const nlohmann::json note = nlohmann::json::parse(read_model_note(weights));
            best_ = {note.value("epoch", -1), selection_score(note)};
        } else if (std::filesystem::exists(folder)) {
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
    if (communicator_.rank() != 0 || !options_.train.evaluate) return;
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

bool EpochEvaluation::run(int epoch, std::int64_t global_step, RunLog* log,
                          const std::function<bool()>& stop_requested) {
    nlohmann::json record = {{"epoch", epoch}, {"step", global_step}, {"splits", nlohmann::json::object()}};
    for (const std::string& split : splits_) {
        const SplitEvaluation evaluation = evaluator_.run(split, stop_requested);
        if (evaluation.interrupted) return false;
        if (communicator_.rank() != 0) continue;
        std::string scores;
        for (const auto& [name, value] : evaluation.scores) scores += fmt::format(" {} {:.4f}", name, value);
        log_info("epoch {} {}: {} captions in {:.1f} s,{}", epoch, split, evaluation.captions.size(),
                 evaluation.generate_s, scores.empty() ? " no references to score against" : scores);
        for (const std::string& line : sample_lines(dataset_, evaluation, options_.train.log_samples))
            log_info_text(line);
        write_results(options_.checkpoint.output / "result" / fmt::format("{}_epoch{}.json", split, epoch),
                      evaluation.captions);
        record["splits"][split] = summary(evaluation);
        if (!record.contains("selection") && evaluation.scores.contains("Bleu_4"))
            record["selection"] = {{"split", split},
                                   {"metric", selection_metric},
                                   {"score", evaluation.scores.at("CIDEr") + evaluation.scores.at("Bleu_4")}};
    }
    std::string is_best;
    const Best now{epoch, selection_score(record)};
    if (communicator_.rank() == 0) {
        // equal: a job that died between the weights and their evaluation's file
        const bool again = now.score == best().score && now.epoch == best().epoch;
        is_best = now.score > best().score || again ? "yes" : "no";
    }
    communicator_.broadcast(is_best, "whether the epoch is the best so far");
    // best/ first: if the job dies in between, the epoch is evaluated again, with the same result.
    if (is_best == "yes") {
        const PhaseScope saving(Phase::saving_best);
        const std::filesystem::path best = options_.checkpoint.output / "best";
        const std::string note = communicator_.rank() == 0 ? origin_note(record, dataset_) : "";
        save_model(best, arena_, optimizer_, communicator_, options_.model, note);
        if (communicator_.rank() == 0) {
            write_file_durably(best / "vocab.txt", dataset_.vocabulary_text());
            best_ = now;
            log_info("epoch {} is the best so far: weights in {}", epoch, best.string());
        }
    }
    if (communicator_.rank() == 0) {
        make_folders(file(epoch).parent_path());
        write_file_durably(file(epoch), sealed(record));
        if (log != nullptr) log->event("evaluation", record.dump());
    }
    communicator_.barrier("end of the epoch's evaluation");
    return true;
}

}    // namespace blip
