// blip_mpi verify: which checkpoints and best weights of a run are whole. Called by main; one process, no
// MPI.
#include <fmt/format.h>

#include <algorithm>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/parallel_for.h"
#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/checkpoint/verify.h"
#include "blip/data/packed/check.h"
#include "blip/options/options.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

VerifiedItem verify_packed(const fs::path& path) {
    VerifiedItem item{path, "data", VerifyState::good, "", -1, 0};
    try {
        item.bytes = fs::file_size(path);
        const PackedCheck check = check_packed_file(path, thread_count(0), [](std::int64_t, std::int64_t) {});
        item.text = fmt::format("{} and {}", counted(check.images, "image"), counted(check.captions, "caption"));
        if (check.damaged > 0) {
            item.state = VerifyState::bad;
            item.text = fmt::format("{} damaged: {}", check.damaged, fmt::join(check.messages, "; "));
        }
    } catch (const std::exception& failure) {
        item.state = VerifyState::bad;
        item.text = failure.what();
    }
    return item;
}

std::string to_json(const VerifyOptions& options, const std::vector<VerifiedItem>& items) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    nlohmann::ordered_json newest_good;
    for (const VerifiedItem& item : items) {
        nlohmann::ordered_json one = {
            {"path", item.path.string()}, {"kind", item.kind}, {"state", to_text(item.state)}, {"text", item.text}};
        if (item.step >= 0) one["step"] = item.step;
        one["bytes"] = item.bytes;
        if (newest_good.is_null() && item.kind == "checkpoint" && item.state == VerifyState::good)
            newest_good = item.path.string();
        list.push_back(std::move(one));
    }
    const nlohmann::ordered_json object = {{"path", options.path.string()},
                                           {"deep", options.deep},
                                           {"newest_good_checkpoint", newest_good},
                                           {"items", list}};
    return printable(to_line(object, 1), LineEnds::stay) + "\n";
}

}    // namespace

ExitCode run_verify(const VerifyOptions& options, bool json) {
    let_signals_end_process();
    const std::vector<VerifiedItem> items =
        is_hdf5(options.path) ? std::vector{verify_packed(options.path)} : verify_outputs(options.path, options.deep);
    std::string lines;
    for (const VerifiedItem& item : items)
        lines += fmt::format("{:<10}  {}: {}\n", to_text(item.state), printable_line(item.path.string()),
                             printable_line(item.text));
    write_standard_output(json ? to_json(options, items) : lines, "what was found");
    const auto any = [&](VerifyState state) {
        return std::any_of(items.begin(), items.end(), [&](const VerifiedItem& item) { return item.state == state; });
    };
    if (any(VerifyState::bad)) return ExitCode::bad_data;
    return any(VerifyState::good) ? ExitCode::ok : ExitCode::missing_input;
}

}    // namespace blip
