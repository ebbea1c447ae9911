// blip_mpi report: runs on one page. Called by compute_main; one process, no MPI.
#include "blip/base/durable_file.h"
#include "blip/base/log.h"
#include "blip/data/packed/dataset.h"
#include "blip/report/progress.h"
#include "src/app/report_page.h"
#include "src/app/verbs/verbs.h"

namespace blip {

ExitCode run_report(const Options& options) {
    const ShowOptions& show = options.show;
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
