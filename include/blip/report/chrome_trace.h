// One timeline of the files that ranks wrote with --trace (rank_trace.h), in Chrome's trace event format, which
// ui.perfetto.dev opens. Called by the verb report.
#pragma once

#include <cstdint>
#include <filesystem>

namespace blip {

struct TraceSummary {
    std::int64_t spans = 0;
    int ranks = 0, starts = 0;      // starts: of the run, each after a resumption
    std::int64_t unreadable = 0;    // lines that are no record; a last one without its end is none of them
    // The most by which the clocks of two ranks differed when they met at a start, the time of a message among it;
    // 0 if no start had two ranks. So far spans of two ranks may be shifted.
    double clocks_ms = 0;
};

// Reads FOLDER/trace/rank_*.jsonl and writes file. Events are complete ones (ph X) with ts and dur in microseconds
// since the first; a rank is a process (pid), each of its starts a thread (tid), named by host and process. Spans of a
// thread nest or do not overlap. Throws missing_input if there are no such files, io.
TraceSummary write_chrome_trace(const std::filesystem::path& folder, const std::filesystem::path& file);

}    // namespace blip
