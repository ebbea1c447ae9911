// How the GPUs of all ranks are, in the run's log: when a run starts, once a minute, and when it ends. A thread of each
// rank reads its GPU's sensors; the ranks send what it found when a step's decision asks for it. Used by the trainer.
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/device/gpu_sensors.h"
#include "blip/report/run_log.h"

namespace blip {

class GpuHealth {
  public:
    GpuHealth(c10::Device device, HostMessages& communicator);
    GpuHealth(const GpuHealth&) = delete;

    // On rank 0: a minute has passed, and a rank has something to tell.
    bool due() const;
    // A record "gpus" goes into log (rank 0; else nullptr), and warnings of what has become worse. Nothing where no
    // rank has sensors. at_end: read once more; else what the thread has read since the last call. Collective.
    void tell(std::int64_t step, RunLog* log, bool at_end = false);
    // When the run fails: warns of errors of this rank's GPU since it was read last, which may be why. Takes a second
    // at most. Not collective.
    void warn_of_errors();

  private:
    void follow(const std::stop_token& end);
    void look();
    // Errors that are not told yet; mutex_ is held.
    std::vector<std::uint64_t> keep(GpuReading read);
    nlohmann::json named(const GpuReading& reading) const;
    nlohmann::json own(bool anew);

    HostMessages& communicator_;
    std::optional<GpuSensors> sensors_;
    bool any_ = true;    // a rank has sensors, as far as is known
    std::chrono::steady_clock::time_point told_at_;
    nlohmann::json before_ = nlohmann::json::array();    // on rank 0

    std::mutex mutex_;    // of what follows
    std::condition_variable_any told_;
    GpuReading read_;    // the newest, with the most heat, all reasons and all errors since they were told
    bool look_now_ = false;
    std::jthread thread_;
};

}    // namespace blip
