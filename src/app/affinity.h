// Which processor cores the ranks may use: each rank's fair share of its host, and what to warn of. Used by
// startup.cpp. The rules are functions of what the ranks report, so that any cluster is testable in one process.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace blip {

struct RankCores {
    std::string host;
    std::vector<int> cores;    // this rank may run on, ascending
    int host_cores = 0;        // that it could have on this host, if it were not bound
    int threads = 0;           // that it computes with; 0: not known yet
};

RankCores find_own_cores();

// Cores that a rank has to itself, at least 1: a core that n ranks of the host may use counts for 1/n. Right for bound,
// unbound and unevenly bound ranks. all: by rank.
int share_of_cores(const std::vector<RankCores>& all, std::size_t rank);

// One line for each host and kind of trouble, with the ranks' numbers and the remedy: ranks bound to a single core
// while cores are idle or others have more, and more threads than cores.
std::vector<std::string> core_warnings(const std::vector<RankCores>& all);

}    // namespace blip
