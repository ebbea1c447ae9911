// blip_mpi check: tries out an installation, a line for each part.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/standard_output.h"
#include "blip/base/version.h"
#include "blip/comm/nccl/collectives.h"
#include "blip/comm/run_together.h"
#include "blip/device/device.h"
#include "src/app/check/parts.h"
#include "src/app/device_choice.h"
#include "src/app/standalone.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"

namespace blip {

namespace {

using nlohmann::json;

// What a rank found, or why it failed: {"found"} or {"problem", "code"}.
json outcome_of(const std::function<json()>& find) {
    try {
        return {{"found", find()}};
    } catch (const std::exception&) {
        const auto [message, code] = describe_current_exception();
        return {{"problem", message}, {"code", static_cast<int>(code)}};
    }
}

// "problem (rank 0, 1)", each once
std::string describe_problems(const std::vector<json>& outcomes) {
    std::map<std::string, std::vector<std::size_t>> ranks_of;
    for (std::size_t rank = 0; rank < outcomes.size(); ++rank)
        if (outcomes[rank].contains("problem")) ranks_of[outcomes[rank]["problem"]].push_back(rank);
    std::string text;
    for (const auto& [problem, ranks] : ranks_of)
        text += fmt::format("{}{}{}", text.empty() ? "" : "; ", problem,
                            ranks.size() == outcomes.size() ? "" : fmt::format(" (rank {})", fmt::join(ranks, ", ")));
    return text;
}

// Tries a part and tells of it on rank 0. Returns its code, ok where it is good. Collective.
ExitCode try_part(const CheckPart& part, const CheckPlace& place) {
    const std::vector<json> outcomes =
        all_gather_json(place.messages, outcome_of([&] { return part.find(place); }), "check: what was found");
    int code = 0;
    for (const json& outcome : outcomes)
        if (code == 0) code = outcome.value("code", 0);
    std::string text = describe_problems(outcomes);
    if (code == 0) {
        std::vector<json> found;
        for (const json& outcome : outcomes) found.push_back(outcome.at("found"));
        try {
            text = part.tell(found);
        } catch (const Error& problem) {
            text = problem.what();
            code = static_cast<int>(problem.code());
        }
    }
    if (place.messages.rank() == 0)
        write_standard_output(fmt::format("{:<6} {:<11} {}\n", code == 0 ? "ok" : "FAILED", part.name, text),
                              "what was found");
    return static_cast<ExitCode>(code);
}

}    // namespace

CheckData prepare_check(const Options& options, std::optional<TrialFolder>& folder) {
    CheckData data;
    if (launcher_rank() != 0) return data;
    try {
        folder.emplace(options.checkpoint.output);
        data.folder = folder->path().string();
        data.problem = draw_check_data(folder->path());
    } catch (const Error& problem) {
        data.problem = problem.what();
        data.code = static_cast<int>(problem.code());
    }
    return data;
}

ExitCode run_check(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator,
                   const CheckData& data) {
    set_threads(options, communicator.get());
    ArenaPlacement placement;
    run_together(*communicator,
                 [&] { placement = open_device(options.runtime, session.local_rank(), session.local_size()); });
    check_same_options(options, *communicator);
    std::string folder = data.folder;
    communicator->broadcast(folder, "check: the folder");
    std::string problem = data.problem;
    communicator->broadcast(problem, "check: the data");
    std::unique_ptr<Collectives> nccl;
    if (placement.device.is_cuda())
        nccl = make_nccl_collectives(options.comm, placement.device.index(), compute_stream(placement.device),
                                     *communicator);
    Collectives& collectives = nccl ? *nccl : *communicator;
    const CheckPlace place{options, placement, *communicator, collectives, folder};
    const bool speaks = communicator->rank() == 0;
    if (speaks)
        write_standard_output(fmt::format("blip_mpi {}: {} ({}), {}\n", program_version, describe_device(placement),
                                          options.runtime.precision, mpi_library_version()),
                              "what is checked");
    ExitCode code = ExitCode::ok;
    std::vector<CheckPart> parts = machine_parts();
    for (const auto& more : {storage_parts(), training_parts()}) parts.insert(parts.end(), more.begin(), more.end());
    for (CheckPart& part : parts) {
        const std::string name = part.name;
        // what was drawn before MPI began, and what is trained on it
        if (!problem.empty() && (name == "packed file" || name == "training" || (name == "output" && folder.empty())))
            part.find = [&](const CheckPlace&) -> json {
                throw Error(static_cast<ExitCode>(data.code != 0 ? data.code : 70), problem);
            };
        const ExitCode of_part = try_part(part, place);
        if (code == ExitCode::ok) code = of_part;
        if (stop_requested()) break;
    }
    if (speaks)
        write_standard_output(code == ExitCode::ok ? "all good\n" : "see the lines with FAILED\n", "the result");
    collectives.finish();
    return code;
}

}    // namespace blip
