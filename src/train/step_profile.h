// A Chrome trace of some steps of this rank by LibTorch's own profiler, Kineto (--profile-steps): every operator, on a
// GPU every kernel and copy too. Used by the trainer.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace blip {

class StepProfile {
  public:
    // steps: how many; 0: none, and nothing here does anything. file: where the trace goes; an older one is replaced.
    StepProfile(int steps, std::filesystem::path file, c10::Device device);
    ~StepProfile();    // a trace that is not finished is lost

    // Called before each step, which has this number in the run. The first two of a process are left out: they
    // allocate, and libraries choose their algorithms. settle: waits until all steps so far are through; called before
    // the first step of the trace, so that it begins with an idle device, and after the last one, as Kineto's own wait
    // for the device has no deadline. A collective, if settle is one.
    void before_step(std::int64_t step, const std::function<void()>& settle);
    // Writes the trace, if one is being made, with the steps that it has. All steps must be through. A file that cannot
    // be written is told, and the run goes on.
    void finish();
    // Finishes, and tells if no step was left to be profiled.
    void end_of_run();

  private:
    struct Recording;

    int wanted_;
    std::filesystem::path file_;
    c10::Device device_;
    std::int64_t begun_ = 0;    // steps of this process
    std::unique_ptr<Recording> recording_;
};

}    // namespace blip
