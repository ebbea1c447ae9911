// See run_together.h.
#include "blip/comm/run_together.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <future>
#include <map>
#include <utility>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/process.h"

namespace blip {

void run_together(HostMessages& communicator, const std::function<void()>& work) {
    nlohmann::json own;
    try {
        work();
    } catch (const Error& error) {
        own = {{"code", static_cast<int>(error.code())}, {"message", error.what()}};
    }
    const auto all = all_gather_json(communicator, own, "agreement that every rank could do its part");
    std::map<std::string, std::pair<int, std::vector<std::size_t>>> failures;    // message -> code, ranks
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const nlohmann::json& report = all[rank];
        if (report.is_null()) continue;
        auto& [code, ranks] = failures[report.at("message")];
        code = report.at("code");
        ranks.push_back(rank);
    }
    if (failures.empty()) return;
    std::string text;
    for (const auto& [message, where] : failures) {
        if (!text.empty()) text += "; ";
        if (where.second.size() != all.size()) text += fmt::format("rank {}: ", fmt::join(where.second, ", "));
        text += message;
    }
    throw AgreedError(static_cast<ExitCode>(failures.begin()->second.first), text);
}

std::vector<nlohmann::json> all_gather_json(HostMessages& communicator, const nlohmann::json& own, const char* what) {
    std::vector<nlohmann::json> all;
    for (const std::string& text : communicator.all_gather_strings(to_line(own), what))
        all.push_back(nlohmann::json::parse(text));
    return all;
}

std::string run_on_first_rank(HostMessages& communicator, const std::function<std::string()>& work) {
    // an exit code, 0 for success, before the text or the message
    std::string answer;
    if (communicator.rank() == 0) {
        try {
            answer = '\0' + work();
        } catch (const Error& error) {
            answer = static_cast<char>(error.code()) + std::string(error.what());
        }
    }
    communicator.broadcast(answer, "what the first rank found");
    const auto code = static_cast<ExitCode>(answer.front());
    answer.erase(0, 1);
    if (code != ExitCode::ok) throw AgreedError(code, answer);
    return answer;
}

void first_rank_works(HostMessages& communicator, const char* what, const std::function<void()>& work) {
    using namespace std::chrono_literals;
    constexpr auto between_signs = 200ms;
    if (communicator.size() == 1) return work();
    const std::string busy = "busy", done = "done";
    std::string sign;
    if (communicator.rank() != 0) {
        while (sign != done) communicator.broadcast(sign, what);
        return;
    }
    std::future<void> result = std::async(std::launch::async, work);
    CpuProgress progress;
    while (result.wait_for(between_signs) != std::future_status::ready) {
        if (!progress.moved()) continue;
        sign = busy;
        communicator.broadcast(sign, what);
    }
    result.get();
    sign = done;
    communicator.broadcast(sign, what);
}

}    // namespace blip
