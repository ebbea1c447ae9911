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
constexpr auto for_errors = std::chrono::seconds(1);    // a driver whose GPU is lost may take for ever

}    // namespace

GpuHealth::GpuHealth(c10::Device device, HostMessages& communicator) : communicator_(communicator) {
    if (device.is_cuda()) sensors_ = GpuSensors::open(device.index());
    if (!sensors_) return;
    sensors_->watch_errors();
    look();
    thread_ = std::jthread([this](const std::stop_token& end) { follow(end); });
}

void GpuHealth::warn_of_errors() {
    std::unique_lock lock(mutex_);
    if (!thread_.joinable()) return;
    look_now_ = true;
    told_.notify_all();
    told_.wait_for(lock, for_errors, [this] { return !look_now_; });
}

void GpuHealth::follow(const std::stop_token& end) {
    std::unique_lock lock(mutex_);
    while (true) {
        told_.wait_for(lock, end, between_reads, [this] { return look_now_; });
        if (end.stop_requested()) return;
        lock.unlock();
        look();
        lock.lock();
        look_now_ = false;
        told_.notify_all();
    }
}

void GpuHealth::look() {
    const GpuReading found = sensors_->read();
    GpuReading fresh;
    {
        const std::lock_guard lock(mutex_);
        fresh.xids = keep(found);
    }
    for (const std::string& warning : xid_warnings(named(fresh))) log_warning("{}", warning);
}

std::vector<std::uint64_t> GpuHealth::keep(GpuReading read) {
    if (read_.temperature_c) read.temperature_c = std::max(read.temperature_c, read_.temperature_c);
    if (read_.slowed_by) read.slowed_by = read.slowed_by.value_or(0) | *read_.slowed_by;
    std::vector<std::uint64_t> fresh;
    if (read.xids) {
        std::vector<std::uint64_t> all = read_.xids.value_or(std::vector<std::uint64_t>{});
        for (const std::uint64_t xid : *read.xids)
            if (std::ranges::find(all, xid) == all.end()) fresh.push_back(xid);
        all.insert(all.end(), fresh.begin(), fresh.end());
        read.xids = std::move(all);
    }
    read_ = std::move(read);
    return fresh;
}

json GpuHealth::named(const GpuReading& reading) const {
    json members = to_json(reading);
    members["rank"] = communicator_.rank();
    members["host"] = host_name();
    members["gpu"] = sensors_->address();
    return members;
}

json GpuHealth::own(bool anew) {
    if (!sensors_) return {};
    if (anew) look();
    const std::lock_guard lock(mutex_);
    json members = named(read_);
    read_.temperature_c.reset();
    read_.slowed_by.reset();
    if (read_.xids) read_.xids->clear();
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
    std::vector<std::string> warnings = gpu_warnings(gpus, before_);
    for (const std::string& warning : warnings) log_warning("{}", warning);
    for (const json& gpu : gpus)    // its rank has warned of these
        for (std::string& warning : xid_warnings(gpu)) warnings.push_back(std::move(warning));
    json members = {{"step", step}, {"gpus", gpus}};
    if (!warnings.empty()) members["warnings"] = warnings;
    log->event("gpus", members);
    before_ = std::move(gpus);
}

}    // namespace blip
