// See device_choice.h.
#include "src/app/device_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "blip/base/error.h"
#include "blip/base/gpu_presence.h"
#include "blip/base/log.h"
#include "blip/comm/nccl/collectives.h"
#include "blip/comm/run_together.h"
#include "blip/device/device.h"
#include "src/app/standalone.h"

namespace blip {
namespace {

constexpr const char* remedy =
    ". Ask the batch system for GPUs on every host (nvidia-smi shows them), or give --device cpu";

// Of a program without CUDA, where there is a GPU.
std::string why_without_cuda() {
    const std::filesystem::path program = program_beside(cuda_program);
    if (::access(program.c_str(), X_OK) == 0)
        return fmt::format("this program was built without CUDA; blip_mpi becomes {}", program.string());
    if (errno == ENOENT)
        return fmt::format("this blip_mpi was built without CUDA: there is no {} (make build CUDA=1, or install both)",
                           program.string());
    return fmt::format("{} cannot be started: {}", program.string(), std::generic_category().message(errno));
}

// Empty if one of so many will do.
std::string problem_of_all_gpus(int count) {
    for (int gpu = count - 1; gpu > 0; --gpu)
        if (gpu_problem(gpu).empty()) return "";
    return gpu_problem(0);
}

}    // namespace

DeviceChoice choose_device(Options& options) {
    RuntimeOptions& runtime = options.runtime;
    DeviceChoice choice;
    const bool demanded = runtime.device == "cuda";
    bool on_gpu = runtime.device != "cpu";
    if (on_gpu) {
        const GpuPresence gpus = find_gpus();
        choice.no_gpu = gpus.reason;
        if (choice.no_gpu.empty()) {
            choice.no_gpu = built_with_cuda() ? problem_of_all_gpus(gpus.count) : why_without_cuda();
            if (!choice.no_gpu.empty() && !demanded)
                choice.warning = "there is a GPU, but it computes on the CPU: " + choice.no_gpu;
        }
        if (choice.no_gpu.empty() && runtime.deterministic) choice.remarks = set_deterministic_environment();
        if (demanded) choice.problem = choice.no_gpu;
        on_gpu = demanded || choice.no_gpu.empty();
    }
    runtime.device = on_gpu ? "cuda" : "cpu";
    if (runtime.precision == "auto") runtime.precision = on_gpu ? "bf16" : "fp32";
    return choice;
}

void agree_on_device(const Options& options, const DeviceChoice& choice, HostMessages& communicator) {
    const nlohmann::json own = {{"device", options.runtime.device},
                                {"host", host_name()},
                                {"problem", choice.problem},
                                {"no_gpu", choice.no_gpu}};
    const auto all = all_gather_json(communicator, own, "agreement on the device");
    std::map<std::string, std::vector<std::size_t>> without;    // "on HOST: reason" -> ranks
    bool demanded = false, some_with = false;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const nlohmann::json& report = all[rank];
        const std::string problem = report.at("problem"), no_gpu = report.at("no_gpu"), host = report.at("host");
        demanded |= !problem.empty();
        some_with |= report.at("device") == "cuda" && problem.empty();
        if (!no_gpu.empty()) without[fmt::format("on {}: {}", host, no_gpu)].push_back(rank);
    }
    if (demanded || (some_with && !without.empty())) {
        std::string text = demanded ? "--device cuda, but no GPU for" : "some ranks have a GPU, but there is none for";
        for (const auto& [where, ranks] : without)
            text += fmt::format("{} rank {} {}", text.ends_with("for") ? "" : ";", fmt::join(ranks, ", "), where);
        throw AgreedError(ExitCode::missing_input, text + remedy);
    }
    if (communicator.rank() == 0 && !choice.warning.empty()) log_warning("{}", choice.warning);
    for (const std::string& remark : choice.remarks)
        if (communicator.rank() == 0) log_warning("{}", remark);
}

void require_device(const DeviceChoice& choice) {
    if (!choice.problem.empty())
        throw Error(ExitCode::missing_input, "--device cuda, but no GPU on {}: {}{}", host_name(), choice.problem,
                    remedy);
    if (!choice.warning.empty()) log_warning("{}", choice.warning);    // one process has nothing to sum over
}

ArenaPlacement open_device(const RuntimeOptions& options, int local_rank, int local_size) {
    ArenaPlacement placement;
    if (options.device == "cuda") {
        const int gpu = choose_gpu(local_rank, local_size, find_gpus().count);
        if (const std::string problem = gpu_problem(gpu); !problem.empty())
            throw Error(ExitCode::missing_input, "rank {} on {}: {}; CUDA_VISIBLE_DEVICES can leave it out{}",
                        launcher_rank(), host_name(), problem, remedy);
        placement.device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu));
    }
    if (options.precision == "bf16") placement.dtype = at::kBFloat16;
    use_device(placement.device);
    set_numerics({options.allow_tf32, options.deterministic,
                  placement.device.is_cuda() && cudnn_attention_is_best(gpu_generation(placement.device.index()))});
    return placement;
}

std::string describe_device(const ArenaPlacement& placement) {
    if (!placement.device.is_cuda()) return "cpu";
    return fmt::format("{} (attention by {})", gpu_name(placement.device.index()), attention_order(placement.dtype));
}

}    // namespace blip
