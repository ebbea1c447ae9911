// blip_mpi verify: which checkpoints and best weights of a run are whole. Called by main with the words behind the
// verb; one process, no MPI.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/checkpoint/verify.h"
#include "blip/data/packed/check.h"
#include "blip/options/tool_options.h"
#include "src/app/verbs/verbs.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

struct VerifyOptions {
    fs::path path;
    bool deep = false, json = false;
};

// Every option is a switch, so any other word is the path.
bool parse(std::vector<std::string> words, VerifyOptions& options) {
    ToolOptions table("blip_mpi verify",
                      "Tells of each checkpoint of a run, and of its best weights, whether it is good or bad and why.\n"
                      "  blip_mpi verify DIR [--deep] [--json]\n"
                      "DIR: --output of a run, one checkpoint, a best/ folder, a file of weights that blip_mpi wrote, "
                      "or a packed\ndata set (always read whole). Without --deep: the manifest's digest, sizes and "
                      "headers.\n"
                      "Exit codes: 0 all good, 65 any bad, 66 none there, 64 wrong options, 74 I/O.");
    table.add_flag("deep", options.deep, "read every byte and compare digests");
    table.add_flag("json", options.json, "print one JSON object");
    const auto is_path = [](const std::string& word) { return !word.starts_with('-'); };
    std::vector<std::string> paths;
    std::copy_if(words.begin(), words.end(), std::back_inserter(paths), is_path);
    std::erase_if(words, is_path);
    if (!table.parse(words)) {
        write_standard_output(table.help(), "help");
        return false;
    }
    if (paths.size() != 1 || paths.front().empty())
        throw Error(ExitCode::usage, "verify takes one folder or file, for example: blip_mpi verify output --deep");
    options.path = paths.front();
    return true;
}

bool is_hdf5(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return false;
    constexpr std::array<char, 8> signature = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    std::array<char, 8> start{};
    std::ifstream(path, std::ios::binary).read(start.data(), start.size());
    return start == signature;
}

VerifiedItem verify_packed(const fs::path& path) {
    VerifiedItem item{path, "data", VerifyState::good, "", -1, 0};
    try {
        item.bytes = fs::file_size(path);
        const PackedCheck check = check_packed_file(path, thread_count(0), [](std::int64_t, std::int64_t) {});
        item.text = fmt::format("{} images and {} captions", check.images, check.captions);
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
    return printable(object.dump(1, ' ', false, nlohmann::json::error_handler_t::replace), LineEnds::stay) + "\n";
}

}    // namespace

ExitCode run_verify(const std::vector<std::string>& words) {
    VerifyOptions options;
    if (!parse(words, options)) return ExitCode::ok;
    // It writes nothing, so that it may end anywhere.
    for (int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
    const std::vector<VerifiedItem> items =
        is_hdf5(options.path) ? std::vector{verify_packed(options.path)} : verify_outputs(options.path, options.deep);
    std::string lines;
    for (const VerifiedItem& item : items)
        lines += fmt::format("{:<10}  {}: {}\n", to_text(item.state), printable_line(item.path.string()),
                             printable_line(item.text));
    write_standard_output(options.json ? to_json(options, items) : lines, "what was found");
    const auto any = [&](VerifyState state) {
        return std::any_of(items.begin(), items.end(), [&](const VerifiedItem& item) { return item.state == state; });
    };
    if (any(VerifyState::bad)) return ExitCode::bad_data;
    return any(VerifyState::good) ? ExitCode::ok : ExitCode::missing_input;
}

}    // namespace blip
