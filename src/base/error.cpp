// Error and the facts about this process that it carries (rank, host). Used by every layer.
#include "blip/base/error.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

#include "blip/base/number.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

// The first of the variables that holds a whole number >= smallest.
int number_from_environment(std::initializer_list<const char*> names, int smallest, int otherwise) {
    for (const char* name : names) {
        const char* text = std::getenv(name);
        if (text == nullptr) continue;
        if (const auto value = number_in<int>(text); value && *value >= smallest) return *value;
    }
    return otherwise;
}

}    // namespace

// A Slurm batch script's own environment (one task, SLURM_PROCID 0) is the right answer there, too.
int launcher_rank() {
    return number_from_environment({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}, 0, 0);
}

// SLURM_NTASKS alone does not mean that srun started us (sbatch sets it for its script): only with a step does it
// count.
int launcher_size() {
    const int size =
        number_from_environment({"OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}, 1, 1);
    return size > launcher_rank() ? size : launcher_rank() + 1;
}

const std::string& host_name() {
    static const std::string name = [] {
        char text[256] = {};
        return std::string(gethostname(text, sizeof text - 1) == 0 ? text : "unknown-host");
    }();
    return name;
}

Error::Error(CodeAndPlace code, const std::string& message)
    : std::runtime_error(printable_message(message)),
      code_(code.code),
      rank_(launcher_rank()),
      host_(host_name()),
      where_(code.where) {}

std::string Error::location() const { return fmt::format("{}:{}", where_.file_name(), where_.line()); }

}    // namespace blip
