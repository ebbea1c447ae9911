// See hang_report.h.
#include "src/comm/hang_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <thread>

#include "blip/base/error.h"
#include "blip/base/json.h"
#include "src/comm/mpi/requests.h"

namespace blip {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

enum Tag { question_tag, answer_tag };

constexpr auto kBetweenLooks = 50ms;
// How long it may take until the stacks of this host and the rows of others are there, and how long a rank keeps silent
// for the one that tells.
constexpr double kForStacks_s = 0.7;
constexpr double kForAnswers_s = 2;
constexpr double kSilence_s = 10;
constexpr double kSilentWatchdog_s = 2;    // it runs four times a second

std::string to_text(const std::vector<PhaseRow>& rows) {
    nlohmann::json all = nlohmann::json::array();
    for (const PhaseRow& row : rows)
        all.push_back({row.rank, row.pid, row.host, row.process, row.doing, row.epoch, row.step, row.doing_for_s,
                       row.silent_for_s, row.waiting});
    return to_line(all);
}

void add_rows(const std::string& text, std::map<int, PhaseRow>& rows) {
    for (const auto& row : nlohmann::json::parse(text))
        rows.emplace(row[0].get<int>(),
                     PhaseRow{row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9]});
}

bool holds(const std::vector<int>& ranks, int rank) {
    return std::find(ranks.begin(), ranks.end(), rank) != ranks.end();
}

bool alive(const PhaseRow& row) { return row.process != "stopped" && row.process != "gone" && row.process != "dead"; }

std::string process_text(const PhaseRow& row) {
    const std::string state = row.process.empty() ? "unknown" : row.process;
    if (state == "gone" || state == "dead") return state;
    if (state != "stopped" && row.silent_for_s < kSilentWatchdog_s) return state;
    return fmt::format("{} for {:.0f} s", state == "running" ? "silent" : state, row.silent_for_s);
}

std::string columns(const std::vector<std::array<std::string, 6>>& lines) {
    std::array<std::size_t, 6> widths{};
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    std::string text;
    for (const auto& line : lines) {
        std::string row = " ";
        for (std::size_t i = 0; i < line.size(); ++i) row += fmt::format(" {:{}}", line[i], widths[i] + 1);
        text += "\n" + row.substr(0, row.find_last_not_of(' ') + 1);
    }
    return text;
}

}    // namespace

std::vector<int> late_ranks(const std::vector<int>& awaited, const std::vector<PhaseRow>& rows, int own_rank) {
    std::vector<int> held_up, others;
    for (const PhaseRow& row : rows) {
        if (row.rank == own_rank) continue;
        (row.waiting && alive(row) ? held_up : others).push_back(row.rank);
    }
    std::vector<int> late;
    std::copy_if(awaited.begin(), awaited.end(), std::back_inserter(late),
                 [&](int rank) { return !holds(held_up, rank); });
    if (late.empty()) late = others.empty() ? awaited : others;
    return late;
}

std::string hang_table(const std::vector<PhaseRow>& rows, int size, const std::vector<int>& late) {
    std::vector<std::array<std::string, 6>> lines{{"rank", "host", "process", "epoch, step", "doing", "for"}};
    std::string unknown;
    for (int rank = 0; rank < size; ++rank) {
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const PhaseRow& r) { return r.rank == rank; });
        if (row == rows.end()) {
            unknown += fmt::format("{}{}{}", unknown.empty() ? "" : ", ", rank, holds(late, rank) ? " (late)" : "");
            continue;
        }
        lines.push_back({std::to_string(rank), row->host, process_text(*row),
                         row->step < 0 ? "-" : fmt::format("{}, {}", row->epoch, row->step), row->doing,
                         fmt::format("{:.1f} s{}", row->doing_for_s, holds(late, rank) ? "  <- late" : "")});
    }
    std::string text = columns(lines);
    if (!unknown.empty()) text += "\n  no answer from rank " + unknown;
    return text;
}

HangReport::HangReport(MPI_Comm world, MPI_Comm node, const Patience& patience) : node_(node), patience_(patience) {
    mpi_check(MPI_Comm_rank(world, &rank_), "ask for the rank");
    mpi_check(MPI_Comm_size(world, &size_), "ask for the number of ranks");
    mpi_check(MPI_Comm_rank(node, &node_rank_), "ask for the rank on this host");
    mpi_check(MPI_Comm_size(node, &node_size_), "ask for the number of ranks on this host");
    const char* what = "duplicate the communicator";
    run_collective(what, patience_, [&](MPI_Request* request) { return MPI_Comm_idup(world, &comm_, request); });
    mpi_check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "set the error handler");
    own_slot().rank = rank_;
    if (node_size_ > 1) share_board();
}

HangReport::~HangReport() {
    if (board_.shared() && &own_slot() == &board_.slot(node_rank_)) keep_phase_in(nullptr);
}

// The first rank of the host makes it, the others open it, then its name goes. All or none of them use it.
void HangReport::share_board() {
    const char* what = "share a page among the host's ranks";
    struct Found {
        char name[64];
        std::uint64_t token;
    } found = {};
    if (node_rank_ == 0) {
        board_ = PhaseBoard::create(node_size_);
        board_.name().copy(found.name, sizeof found.name - 1);
        found.token = board_.token();
    }
    run_collective(what, patience_,
                   [&](MPI_Request* r) { return MPI_Ibcast(&found, sizeof found, MPI_BYTE, 0, node_, r); });
    if (node_rank_ > 0 && found.name[0] != '\0') board_ = PhaseBoard::open(found.name, found.token, node_size_);
    const int have = board_.shared() ? 1 : 0;
    int all_have = 0;
    run_collective(what, patience_,
                   [&](MPI_Request* r) { return MPI_Iallreduce(&have, &all_have, 1, MPI_INT, MPI_MIN, node_, r); });
    board_.remove_name();
    if (all_have == 0) {
        board_ = PhaseBoard();
        return;
    }
    board_.slot(node_rank_).rank = rank_;
    keep_phase_in(&board_.slot(node_rank_));
}

std::vector<PhaseRow> HangReport::host_rows() const {
    std::vector<PhaseRow> rows;
    if (!board_.shared()) {
        rows.push_back(read_slot(own_slot()));
        rows.back().rank = rank_;
    }
    for (int r = 0; r < board_.ranks(); ++r) rows.push_back(read_slot(board_.slot(r)));
    return rows;
}

bool HangReport::take_message(std::map<int, PhaseRow>& rows) {
    const char* what = "ask ranks what they do";
    int there = 0;
    MPI_Status status = {};
    MPI_Message message = MPI_MESSAGE_NULL;
    mpi_check(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_, &there, &message, &status), what);
    if (there == 0) return false;
    int length = 0;
    mpi_check(MPI_Get_count(&status, MPI_BYTE, &length), what);
    std::string text(static_cast<std::size_t>(length), '\0');
    mpi_check(MPI_Mrecv(text.data(), length, MPI_BYTE, &message, &status), what);
    if (status.MPI_TAG == answer_tag) {
        add_rows(text, rows);
        return false;
    }
    auto& [answer, request] = sent_.emplace_back(to_text(host_rows()), MPI_REQUEST_NULL);
    mpi_check(MPI_Isend(answer.data(), static_cast<int>(answer.size()), MPI_BYTE, status.MPI_SOURCE, answer_tag, comm_,
                        &request),
              what);
    return status.MPI_SOURCE < rank_;
}

void HangReport::answer() {
    if (size_ == node_size_) return;
    const auto now = Clock::now();
    if (now - last_look_ < kBetweenLooks) return;
    last_look_ = now;
    std::map<int, PhaseRow> unasked;
    take_message(unasked);
}

Clock::time_point HangReport::in(double seconds) const {
    return Clock::now() + std::chrono::milliseconds(std::llround(1000 * std::min(seconds, 3 * patience_.timeout_s)));
}

void HangReport::want_stacks(const std::vector<int>& late, const std::vector<int>& living) const {
    bool wanted = false;
    for (int r = 0; r < board_.ranks(); ++r) {
        PhaseSlot& slot = board_.slot(r);
        if (!holds(late, slot.rank) || !holds(living, slot.rank) || r == node_rank_) continue;
        slot.stack_wanted = 1;
        wanted = true;
    }
    if (wanted) std::this_thread::sleep_until(in(kForStacks_s));
}

// Until all have answered, or the end; keeps silent for a rank before this one that does the same.
void HangReport::ask_other_hosts(std::map<int, PhaseRow>& rows, Clock::time_point end) {
    for (int rank = 0; rank < size_; ++rank) {
        if (rows.contains(rank)) continue;
        auto& [nothing, request] = sent_.emplace_back("", MPI_REQUEST_NULL);
        mpi_check(MPI_Isend(nothing.data(), 0, MPI_BYTE, rank, question_tag, comm_, &request),
                  "ask ranks what they do");
    }
    while (static_cast<int>(rows.size()) < size_ && Clock::now() < end) {
        if (take_message(rows)) end = in(kSilence_s);
        std::this_thread::sleep_for(1ms);
    }
}

HangFacts HangReport::tell(const std::vector<int>& awaited) {
    // Read before anything is asked: what they were doing when time ran out.
    std::map<int, PhaseRow> rows;
    for (const PhaseRow& row : host_rows()) rows.emplace(row.rank, row);
    if (board_.shared() && !board_.claim_report(rank_)) {
        const auto end = in(kSilence_s);
        while (Clock::now() < end) {
            answer();
            std::this_thread::sleep_for(10ms);
        }
    }
    if (size_ > static_cast<int>(rows.size())) ask_other_hosts(rows, in(kForAnswers_s));
    std::vector<PhaseRow> all;
    std::vector<int> living;
    for (const auto& [rank, row] : rows) {
        if (alive(row)) living.push_back(rank);
        all.push_back(row);
    }
    HangFacts facts{late_ranks(awaited, all, rank_), ""};
    want_stacks(facts.late, living);
    facts.table = "\n  What each rank was doing:" + hang_table(all, size_, facts.late);
    return facts;
}

}    // namespace blip
