// See gpu_health.h.
#include "src/train/gpu_health.h"

#include <algorithm>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/comm/run_together.h"

namespace blip {

using nlohmann::json;

namespace {

constexpr auto between_reads = std::chrono::seconds(10);
constexpr auto between_records = std::chrono::minutes(1);

}    // namespace

GpuHealth::GpuHealth(c10::Device device, HostMessages& communicator) : communicator_(communicator) {
    if (device.is_cuda()) sensors_ = GpuSensors::open(device.index());
    if (!sensors_) return;
    read_ = sensors_->read();
    thread_ = std::thread([this] { follow(); });
}

GpuHealth::~GpuHealth() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        end_ = true;
    }
    told_.notify_one();
    thread_.join();
}

void GpuHealth::follow() {
    std::unique_lock lock(mutex_);
    while (!told_.wait_for(lock, between_reads, [this] { return end_; })) {
        lock.unlock();
        const GpuReading read = sensors_->read();
        lock.lock();
        keep(read);
    }
}

void GpuHealth::keep(GpuReading read) {
    if (read_.temperature_c) read.temperature_c = std::max(read.temperature_c, read_.temperature_c);
    if (read_.slowed_by) read.slowed_by = read.slowed_by.value_or(0) | *read_.slowed_by;
    read_ = read;
}

json GpuHealth::own(bool anew) {
    if (!sensors_) return {};
    const GpuReading fresh = anew ? sensors_->read() : GpuReading{};
    json members;
    {
        const std::lock_guard lock(mutex_);
        if (anew) keep(fresh);
        members = to_json(read_);
        read_.temperature_c.reset();
        read_.slowed_by.reset();
    }
    members["rank"] = communicator_.rank();
    members["host"] = host_name();
    members["gpu"] = sensors_->address();
    return members;
}

bool GpuHealth::due() const { return any_ && std::chrono::steady_clock::now() - told_at_ >= between_records; }

void GpuHealth::tell(std::int64_t step, RunLog* log, bool at_end) {
    if (!any_) return;
    told_at_ = std::chrono::steady_clock::now();
    json gpus = json::array();
    for (const json& of_rank : all_gather_json(communicator_, own(at_end), "health of the GPUs"))
        if (!of_rank.is_null()) gpus.push_back(of_rank);
    any_ = !gpus.empty();
    if (!any_ || log == nullptr) return;
    const std::vector<std::string> warnings = gpu_warnings(gpus, before_);
    for (const std::string& warning : warnings) log_warning("{}", warning);
    json members = {{"step", step}, {"gpus", gpus}};
    if (!warnings.empty()) members["warnings"] = warnings;
    log->event("gpus", members);
    before_ = std::move(gpus);
}

}    // namespace blip
