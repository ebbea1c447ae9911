// See step_profile.h.
#include "src/train/step_profile.h"

#include <ATen/record_function.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"

namespace blip {

namespace {

namespace kineto = torch::autograd::profiler;
using Activities = std::set<torch::profiler::impl::ActivityType>;

constexpr std::int64_t warm_up_steps = 2;

torch::profiler::impl::ProfilerConfig settings() {
    return torch::profiler::impl::ProfilerConfig(torch::profiler::impl::ProfilerState::KINETO,
                                                 /*report_input_shapes=*/true);
}

// Kineto tells nobody of a write that fails, so that the end of the file has to say it.
bool ends_as_json(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!in || in.tellg() < 16) return false;
    in.seekg(-16, std::ios::end);
    std::string end(16, ' ');
    in.read(end.data(), 16);
    const auto last = end.find_last_not_of(" \n");
    return in && last != std::string::npos && end[last] == '}';
}

}    // namespace

struct StepProfile::Recording {
    std::int64_t first, last;
    std::optional<at::RecordFunction> mark;    // of the step under way

    Recording(std::int64_t step, c10::Device device) : first(step), last(step) {
        Activities activities{torch::profiler::impl::ActivityType::CPU};
        if (device.is_cuda()) activities.insert(torch::profiler::impl::ActivityType::CUDA);
        kineto::prepareProfiler(settings(), activities);
        kineto::enableProfiler(settings(), activities);
        running_ = true;
    }
    ~Recording() {
        try {
            end();
        } catch (const std::exception&) {    // whatever ends the run has its own message
        }
    }
    // The name is one by which trace viewers know a step.
    void begin_step(std::int64_t step) {
        mark.reset();
        mark.emplace(at::RecordScope::USER_SCOPE);
        mark->before(fmt::format("ProfilerStep#{}", step));
        last = step;
    }
    std::unique_ptr<kineto::ProfilerResult> end() {
        mark.reset();
        if (!std::exchange(running_, false)) return nullptr;
        return kineto::disableProfiler();
    }

  private:
    bool running_ = false;
};

StepProfile::StepProfile(int steps, std::filesystem::path file, c10::Device device)
    : wanted_(steps), file_(std::move(file)), device_(device) {
    // Without a GPU Kineto says on stderr that it finds none. Read when it starts; a level that the user set stays.
    if (wanted_ > 0 && !device.is_cuda()) setenv("KINETO_LOG_LEVEL", "5", 0);
}

StepProfile::~StepProfile() = default;

void StepProfile::before_step(std::int64_t step, const std::function<void()>& settle) {
    if (wanted_ == 0) return;
    ++begun_;
    if (begun_ == warm_up_steps + 1) {
        settle();
        recording_ = std::make_unique<Recording>(step, device_);
    } else if (recording_ && step == recording_->first + wanted_) {
        settle();
        finish();
    }
    if (recording_) recording_->begin_step(step);
}

void StepProfile::finish() {
    if (!recording_) return;
    const std::unique_ptr<Recording> recording = std::move(recording_);
    const std::string temporary = fmt::format("{}.tmp.{}", file_.string(), getpid());
    try {
        recording->end()->save(temporary);
        if (!ends_as_json(temporary)) throw Error(ExitCode::io, "it could not be written whole");
        publish_file(temporary, file_);
        log_info("--profile-steps: steps {}-{}: {}, each rank's in a file of its own", recording->first,
                 recording->last, file_.string());
    } catch (const std::exception& failure) {
        std::error_code ignored;
        for (const std::string& left : {temporary, temporary + ".tmp"})    // Kineto's own, until all is written
            std::filesystem::remove(left, ignored);
        log_warning("--profile-steps: no profile in {}: {}", file_.string(), failure.what());
    }
}

void StepProfile::end_of_run() {
    finish();
    if (wanted_ > 0 && begun_ <= warm_up_steps)
        log_info("--profile-steps: no profile, as the run had {} steps and the first {} are left out", begun_,
                 warm_up_steps);
}

}    // namespace blip
