// What every verb does before its work: threads, signals, errors that all ranks agree on, and the lines that say what
// runs.
#pragma once

#include <string>

#include "blip/comm/communicator.h"
#include "blip/comm/mpi/session.h"
#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"

namespace blip {

// glibc's malloc keeps its pages, without which a fifth of a training step on CPU goes into page faults, and large
// tensors have memory of their own (device/large_tensors). main calls it for every verb; packing gains nothing by it
// (its system time stays at a tenth of the whole).
void tune_allocator();

// Fills threads where it is 0, from this rank's share of its host's cores, and sets LibTorch's thread count. Returns
// the share. communicator: nullptr for a process by itself. Collective.
int set_threads(Options& options, HostMessages* communicator = nullptr);
// Fills evaluate.batch where it is 0. A decoding step of a GPU takes about as long for a few pictures as for 128, the
// CPU's as long for each.
void set_evaluation_batch(Options& options);
// Fills loader_threads where it is 0: all of the rank's cores if a GPU computes or pictures have to be decoded, else
// half of them. Pictures that are decoded keep more cores busy than copies do.
void set_loader_threads(Options& options, int own_cores, bool decodes);

// USR1, TERM, INT and HUP (but where nohup has it ignored) ask for a checkpoint and an orderly end; a second INT ends
// the process at once. A thread of its own takes them; the others block them, and USR2, for which the watchdog asks. To
// be called before any other begins.
void install_stop_signals();
bool stop_requested();
// From now on INT, TERM and HUP end the process at once: for verbs that write nothing.
void let_signals_end_process();
// What this process prints as soon as the first of them arrives, so that nobody thinks it was lost. Once, before what
// takes long.
void say_at_stop(const std::string& answer);

// Inside a catch block: tells of the exception as this rank's and ends all ranks.
[[noreturn]] void abort_job(const MpiSession& session);

// Throws AgreedError (usage) unless all ranks are the same build of this program with the same LibTorch, and were
// started with the same options, but for those that concern one rank's own machine. Collective.
void check_same_options(const Options& options, HostMessages& communicator);

// Options that differ from their defaults, in one line.
std::string describe_changes(const Options& options);

// Completes options.model from the weights in --init; refuses contradictions. The resolution is the one asked for, else
// the weights' own. communicator: rank 0 looks for all (collective; all end with its error); nullptr: this process
// does.
void adopt_model_shape(Options& options, HostMessages* communicator = nullptr);

// Ranks, hosts, cores, precision, versions, data, and the options that differ from their defaults. Collective.
// Warns of ranks that are bound badly. changed: describe_changes of the options before anything was filled in. device:
// what this rank computes on.
void print_run(const Options& options, const std::string& changed, const std::string& device,
               const PackedDataset& dataset, HostMessages& communicator);

}    // namespace blip
