// A thread that ends this process when its main thread is stuck: in an MPI or NCCL call, in a file system that no
// longer answers, in a start-up to which another rank never comes. Never calls MPI. Its pulse in the phase slot tells
// other ranks that the process is not stopped. SIGUSR2 makes it print what the rank is doing. Made by src/app/main.cpp.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace blip {

class Watchdog {
  public:
    // Stuck: for timeout_s and a little, the main thread (the one that makes the watchdog) entered no phase and looked
    // at no request, and the process did not compute either; or it computed, but in one phase, ten times as long. Waits
    // for other ranks have deadlines of their own, which come first.
    // on_stuck: what to do with the message, instead of printing it and ending the process with ExitCode::internal.
    explicit Watchdog(double timeout_s, std::function<void(const std::string& message)> on_stuck = {});
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;

  private:
    void run();
    void look(double passed_s);
    // Says it, in its own time, and ends the process.
    void end_with(const std::function<std::string()>& message);

    double timeout_s_;
    std::function<void(const std::string&)> on_stuck_;
    struct State;
    std::unique_ptr<State> state_;
    std::mutex mutex_;
    std::condition_variable ending_;
    bool ended_ = false;
    std::thread thread_;
};

// Runs work in a thread of its own and returns when it is done, or after so many seconds: for what may not return, or
// may get neither memory nor standard error any more. What work captures is copied.
void try_for(double seconds, const std::function<void()>& work);

// From now on the steps' work is only queued on a device: a main thread that spins in forward, backward or update,
// where the queue is full, waits for the device and does not compute. false: no longer.
void expect_device_steps(bool queued);

// From now on the main thread is on its way out, with this message for a person. If the way takes more than a few
// seconds (it may wait for a thread that hangs in a file), the process' watchdog tells the message and ends the
// process. Without a watchdog nothing happens. Empty: no longer.
void expect_end(const std::string& message);

// Ends the process with this code if it is still there after so many seconds: for a way out that may hang itself.
void end_process_after(double seconds, int exit_code, const std::string& message);

}    // namespace blip
