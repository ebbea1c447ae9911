// See run_identity.h.
#include "blip/train/run_identity.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/comm/run_together.h"
#include "blip/options/parse.h"
#include "src/train/earlier_results.h"

namespace blip {

std::map<std::string, std::string> run_identity(const Options& options, const std::string& data_digest) {
    auto identity = noted_options(options).identity;
    identity["data digest"] = data_digest;
    return identity;
}

void note_run(Manifest& manifest, const Options& options, const std::string& data_digest) {
    NotedOptions noted = noted_options(options);
    manifest.identity = run_identity(options, data_digest);
    manifest.other_bits = std::move(noted.other_bits);
    manifest.other_scores = std::move(noted.other_scores);
}

ResumedDifferences resumed_differences(const Manifest& then, const Options& options, const std::string& data_digest) {
    Manifest now;
    note_run(now, options, data_digest);
    return {identity_differences(then.identity, now.identity), identity_differences(then.other_bits, now.other_bits),
            identity_differences(then.other_scores, now.other_scores)};
}

void check_ranks_agree(const std::map<std::string, std::string>& own, HostMessages& communicator) {
    const auto all = all_gather_json(communicator, own, "comparison of the ranks' options");
    const std::map<std::string, std::string> first = all.front();
    std::string problems;
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
        const std::map<std::string, std::string> other = all[rank];
        std::map<std::string, std::string> names = first;
        names.insert(other.begin(), other.end());
        for (const auto& [name, ignored] : names) {
            const auto here = first.find(name), there = other.find(name);
            const std::string value = here == first.end() ? "default" : here->second;
            const std::string other_value = there == other.end() ? "default" : there->second;
            if (value == other_value) continue;
            problems += fmt::format("{}{} is {} on rank {}, {} on rank 0", problems.empty() ? "" : "; ", name,
                                    other_value, rank, value);
        }
    }
    if (!problems.empty())
        throw AgreedError(ExitCode::usage,
                          "the ranks were started differently ({}): give all of them the same "
                          "options, data and program",
                          problems);
}

std::optional<FoundCheckpoint> find_own_checkpoint(const Options& options, const PackedDataset& dataset,
                                                   HostMessages& communicator) {
    auto found = find_newest_checkpoint(options.checkpoint.output, communicator);
    if (!found) {
        refuse_earlier_results(options.checkpoint.output, communicator);
        return found;
    }
    if (found->manifest.format < checkpoint_format_version)
        throw AgreedError(ExitCode::usage,
                          "{} was written by a version before 0.2, whose dropout drops others: this run "
                          "cannot go on from it to the same result. Use that version, or begin another run "
                          "with its weights: --init {} --output another folder",
                          found->directory.string(), found->directory.string());
    const Manifest& then = found->manifest;
    auto [another_run, other_bits, other_scores] = resumed_differences(then, options, dataset.data_digest());
    const auto machine = [](int ranks, int threads) {
        return std::map{std::pair{std::string("ranks"), std::to_string(ranks)}, {"threads", std::to_string(threads)}};
    };
    for (std::string& difference : identity_differences(machine(then.world_size, then.threads),
                                                        machine(communicator.size(), options.runtime.threads)))
        other_bits.push_back(std::move(difference));
    if (another_run.size() == 1 && another_run.front().starts_with("epochs: "))
        throw AgreedError(
            ExitCode::usage,
            "{} belongs to another run ({}): its learning rate follows a cosine to the end of its epochs, and other "
            "epochs have another; give the same --epochs to go on with it, or train on from its weights: --init {} "
            "--output {}2",
            found->directory.string(), another_run.front(),
            (std::filesystem::exists(options.checkpoint.output / "best" / "model.safetensors")
                 ? options.checkpoint.output / "best"
                 : options.checkpoint.output)
                .string(),
            options.checkpoint.output.string());
    if (!another_run.empty())
        throw AgreedError(ExitCode::usage,
                          "{} belongs to another run ({}): give the same options, or another --output "
                          "(with --init {}, to train on from its weights)",
                          found->directory.string(), fmt::join(another_run, "; "), options.checkpoint.output.string());
    if (!other_bits.empty())
        log_info("since {} ({}): the same samples and dropout, equal within rounding instead of bit for bit",
                 found->directory.filename().string(), fmt::join(other_bits, "; "));
    if (!other_scores.empty())
        log_info("since {} ({}): scores from here on do not compare with earlier ones",
                 found->directory.filename().string(), fmt::join(other_scores, "; "));
    return found;
}

}    // namespace blip
