// See lock_holder.h.
#include "src/checkpoint/lock_holder.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/process.h"

namespace blip {
namespace {

constexpr const char* lock_kind = "blip_mpi run lock";
constexpr const char* kNotReleased = "\"released\": false";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string first_line(const char* file) {
    std::string line;
    std::ifstream stream(file);
    std::getline(stream, line);
    return line;
}

std::string link_target(const char* path) {
    std::error_code ignored;
    return std::filesystem::read_symlink(path, ignored).string();
}

std::string batch_job() {
    constexpr std::array systems = {std::pair{"SLURM_JOB_ID", "Slurm"}, std::pair{"FLUX_JOB_ID", "Flux"},
                                    std::pair{"PBS_JOBID", "PBS"}, std::pair{"LSB_JOBID", "LSF"}};
    for (const auto& [variable, name] : systems) {
        const std::string id = environment(variable);
        if (id.empty()) continue;
        const std::string cluster = std::string(name) == "Slurm" ? environment("SLURM_CLUSTER_NAME") : "";
        return fmt::format("{} job {}{}", name, id, cluster.empty() ? "" : " of " + cluster);
    }
    return "";
}

}    // namespace

LockHolder LockHolder::self() {
    LockHolder self;
    self.host = host_name();
    self.boot = first_line("/proc/sys/kernel/random/boot_id");
    self.pid_namespace = link_target("/proc/self/ns/pid");
    self.pid = ::getpid();
    if (const auto stat = process_stat(self.pid)) self.pid_start = stat->start;
    self.job = batch_job();
    self.restart = std::strtol(environment("SLURM_RESTART_COUNT").c_str(), nullptr, 10);
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    self.since = text.data();
    return self;
}

std::string LockHolder::to_json() const {
    nlohmann::json object = {
        {"kind", lock_kind}, {"host", host},           {"boot", boot}, {"pid_namespace", pid_namespace},
        {"pid", pid},        {"pid_start", pid_start}, {"job", job},   {"restart", restart},
        {"since", since},    {"released", released}};
    return to_line(object, 2) + "\n";
}

std::optional<LockHolder> LockHolder::from_json(const std::string& text) {
    const std::string origin = "run lock";
    try {
        const auto object = parse_object(text, origin);
        if (text_field(object, "kind", origin) != lock_kind) return std::nullopt;
        LockHolder holder;
        holder.host = text_field(object, "host", origin);
        holder.boot = text_field(object, "boot", origin);
        holder.pid_namespace = text_field(object, "pid_namespace", origin);
        holder.pid = integer_field(object, "pid", origin, 1, INT32_MAX);
        holder.pid_start = unsigned_field(object, "pid_start", origin);
        holder.job = text_field(object, "job", origin);
        holder.restart = integer_field(object, "restart", origin, 0, INT32_MAX);
        holder.since = text_field(object, "since", origin);
        const auto& released = field(object, "released", origin);
        if (!released.is_boolean()) return std::nullopt;
        holder.released = released.get<bool>();
        return holder;
    } catch (const Error&) {
        return std::nullopt;
    }
}

bool LockHolder::same_machine(const LockHolder& other) const {
    return host == other.host && boot == other.boot && !boot.empty() && pid_namespace == other.pid_namespace;
}

std::string LockHolder::describe() const {
    return fmt::format("process {} on {}{} since {}", pid, host, job.empty() ? "" : fmt::format(" ({})", job), since);
}

std::size_t released_position(const std::string& json) {
    const std::size_t start = json.find(kNotReleased);
    return start == std::string::npos ? start : start + std::char_traits<char>::length("\"released\": ");
}

Life process_life(std::int64_t pid, std::uint64_t start) {
    if (const auto stat = process_stat(pid)) {
        const bool ended = stat->state == 'Z' || stat->state == 'X';
        const bool other = start != 0 && stat->start != 0 && stat->start != start;
        return ended || other ? Life::dead : Life::alive;
    }
    // /proc may hide the processes of other people
    return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM ? Life::alive : Life::dead;
}

}    // namespace blip
