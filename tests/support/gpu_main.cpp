// main() of build/tests/gpu: CUDA against its CPU twins. Without a GPU every case is skipped, aloud.
#include <cstdio>
#include <cstdlib>

#include "blip/base/gpu_presence.h"
#include "tests/support/outcomes.h"

int main(int argc, char** argv) {
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);    // LibTorch's deterministic mode refuses products without
    blip::test::Outcomes outcomes;
    const blip::GpuPresence gpus = blip::find_gpus();
    if (gpus.count == 0) outcomes.skip_all("no GPU: " + gpus.reason);
    const int code = blip::test::run_cases(outcomes, argc, argv);
    for (const std::string& line : outcomes.skip_lines()) std::printf("%s\n", line.c_str());
    return blip::test::print_summary(outcomes.in_order(), gpus.count == 0 ? 0 : code);
}
