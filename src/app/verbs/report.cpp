// blip_mpi report: runs on one page. Called by compute_main; one process, no MPI.
#include <fmt/format.h>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/data/packed/dataset.h"
#include "blip/report/chrome_trace.h"
#include "blip/report/progress.h"
#include "src/app/report_page.h"
#include "src/app/verbs/verbs.h"

namespace blip {

namespace {

ExitCode report_trace(const ShowOptions& show) {
    const TraceSummary made = write_chrome_trace(show.runs.front(), show.trace);
    if (made.unreadable > 0)
        log_warning("{}: {} of the trace {} no record and left out", show.runs.front().string(),
                    counted(made.unreadable, "line"), made.unreadable == 1 ? "is" : "are");
    log_info(
        "{}: {} of {} in {}, for ui.perfetto.dev{}", show.trace.string(), counted(made.spans, "span"),
        counted(made.ranks, "rank"), counted(made.starts, "start"),
        made.ranks > 1 ? fmt::format("; when they met, the ranks' clocks were within {:.3f} ms", made.clocks_ms) : "");
    return ExitCode::ok;
}

}    // namespace

ExitCode run_report(const Options& options) {
    const ShowOptions& show = options.show;
    if (!show.trace.empty()) return report_trace(show);
    const bool named = !options.data.file.empty();
    const std::filesystem::path file = named ? options.data.file : data_of_run(show.runs.front());
    std::optional<PackedDataset> dataset;
    if (named || (!file.empty() && std::filesystem::exists(file)))
        dataset = PackedDataset::open(file);
    else
        log_warning("{}: the page has no pictures; give the packed file with --data",
                    file.empty() ? "the run does not say what it was trained on" : file.string() + " is not there");
    const std::string page = report_page(show.runs, dataset ? &*dataset : nullptr, show.pictures);
    write_file_durably(show.page, page);
    log_info("{}: {}", show.page.string(), format_bytes(static_cast<double>(page.size())));
    return ExitCode::ok;
}

}    // namespace blip
