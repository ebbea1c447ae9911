// See run_follower.h.
#include "src/app/run_follower.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/image/thumbnail.h"
#include "blip/report/event_file.h"
#include "blip/report/run_folder.h"
#include "blip/report/views.h"
#include "src/app/report_page.h"
#include "src/app/run_captions.h"

namespace blip {

using nlohmann::json;

namespace {

constexpr auto between_looks = std::chrono::seconds(10);
constexpr std::size_t pictures_of_an_evaluation = 8;
constexpr int tensorboard_side = 224;

enum class Page { none, of_evaluations, always };

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}    // namespace

struct RunFollower::Views {
    const Options& options;
    const PackedDataset& dataset;
    const std::filesystem::path& output = options.checkpoint.output;
    const std::filesystem::path& metrics_file = options.train.metrics_file;
    LogTail log{output / "log.jsonl"};
    std::optional<EventFile> events{};
    ResultTable table{};
    RunGauges gauges{output.string()};
    std::set<std::string> failed{};    // what is not written any more

    void write_metrics() const { write_file_durably(metrics_file, gauges.text(seconds_now())); }

    // One that fails is given up: a full disk would be warned of at each look.
    void keep(const std::filesystem::path& what, const auto& write) {
        if (failed.contains(what)) return;
        try {
            write();
        } catch (const std::exception& problem) {
            failed.insert(what);
            log_warning("{} is no longer written: {}", what.string(), problem.what());
        }
    }

    void look(Page page) {
        std::vector<json> records;
        keep(output / "log.jsonl", [&] { records = log.poll(); });
        bool evaluated = false, table_changed = false;
        for (const json& record : records) {
            gauges.add(record);
            table_changed = table.add(record) || table_changed;
            evaluated = evaluated || record.value("kind", "") == "evaluation";
        }
        if (options.train.tensorboard)
            keep(output / "tensorboard", [&] {
                if (!events) events.emplace(output / "tensorboard");
                for (const json& record : records) {
                    add_record(*events, record);
                    if (record.value("kind", "") == "evaluation") add_pictures(record);
                }
                events->flush();
            });
        if (!metrics_file.empty()) keep(metrics_file, [&] { write_metrics(); });
        if (table_changed)
            keep(output / "results.csv", [&] { write_file_durably(output / "results.csv", table.csv()); });
        if (options.train.report && (page == Page::always || (page == Page::of_evaluations && evaluated)))
            keep(output / "report.html", [&] {
                write_file_durably(output / "report.html", report_page({output}, &dataset, ShowOptions().pictures));
            });
    }

    // The first pictures of each split with what the model says of them.
    void add_pictures(const json& evaluation) {
        const int epoch = evaluation.value("epoch", 0);
        const auto step = evaluation.value("step", std::int64_t{0});
        const double time = time_of(evaluation);
        for (const auto& [name, of_split] : evaluation.at("splits").items()) {
            const std::filesystem::path file = result_file(output, name, epoch);
            if (!dataset.has_split(name) || !std::filesystem::exists(file)) continue;
            const SplitTables& split = dataset.split(name);
            const json rows = json::parse(read_file(file), nullptr, false);
            std::string text = "| picture | caption |\n|---|---|\n";
            std::size_t shown = 0;
            for (const json& row : rows) {
                const std::string key = key_of_result(row);
                const auto same = [&](const ImageKey& one) { return one.text == key; };
                const auto at = std::find_if(split.keys_I.begin(), split.keys_I.end(), same);
                if (at == split.keys_I.end()) continue;
                text += fmt::format("| {} | {} |\n", key, row.value("caption", ""));
                const Thumbnail small =
                    thumbnail(dataset.read_image(split, at - split.keys_I.begin()), tensorboard_side);
                events->picture(step, time, name + "/" + key, small.height, small.width, small.jpeg);
                if (++shown == pictures_of_an_evaluation) break;
            }
            events->text(step, time, name + "/captions", text);
        }
    }
};

RunFollower::RunFollower(const Options& options, const PackedDataset& dataset)
    : views_(std::make_unique<Views>(options, dataset)) {
    if (!views_->metrics_file.empty()) views_->write_metrics();
    thread_ = std::jthread([this](const std::stop_token& told_to_stop) { follow(told_to_stop); });
}

RunFollower::~RunFollower() = default;

void RunFollower::finish() {
    finish_ = true;
    thread_.request_stop();
    thread_.join();
}

void RunFollower::follow(const std::stop_token& told_to_stop) {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19);
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any waits;
    while (!waits.wait_for(lock, told_to_stop, between_looks, [&] { return told_to_stop.stop_requested(); }))
        views_->look(Page::of_evaluations);
    // who was told to stop has no time for a page
    views_->look(finish_ ? Page::always : Page::none);
}

}    // namespace blip
