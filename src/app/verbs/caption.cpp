// blip_mpi caption: a caption for each picture given, without a data file; by one process without MPI, or by the ranks
// of mpirun together.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/checkpoint/init.h"
#include "blip/comm/run_together.h"
#include "blip/data/prefetcher.h"
#include "blip/device/device.h"
#include "blip/image/augment.h"
#include "blip/image/picture.h"
#include "blip/params/arena.h"
#include "blip/report/progress.h"
#include "blip/tasks/caption/caption_images.h"
#include "blip/tasks/caption/picture_prompts.h"
#include "src/app/caption_inputs.h"
#include "src/app/caption_outputs.h"
#include "src/app/device_choice.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"
#include "src/app/vocabulary_file.h"

namespace blip {

namespace {

namespace fs = std::filesystem;

// Read, decoded and squashed ahead of the computation. Legend: S image size.
struct LoadedPicture {
    std::filesystem::path file;
    std::vector<std::uint8_t> pixels_3SS;    // evaluation transform; empty if the picture could not be read
    std::string problem;                     // why, naming the file
    ExitCode code = ExitCode::ok;

    bool readable() const { return problem.empty(); }
};

// A part is a picture; one that cannot be read is no failure.
struct PictureBatch : Prefetcher::Job {
    std::vector<LoadedPicture> pictures;
    ExifOrientation orientation;
    int image_size;

    PictureBatch(ExifOrientation turned, int side) : orientation(turned), image_size(side) {}
    std::size_t parts() const override { return pictures.size(); }
    void load(std::size_t part) override {
        LoadedPicture& picture = pictures[part];
        try {
            if (is_missing(picture.file)) throw Error(ExitCode::missing_input, describe_missing(picture.file));
            const Image image = decode_picture_file(picture.file, orientation);
            const auto side = static_cast<std::size_t>(image_size);
            picture.pixels_3SS.resize(3 * side * side);
            apply_plan(image, evaluation_plan(image.height, image.width), image_size, picture.pixels_3SS.data());
        } catch (const Error& error) {
            picture.pixels_3SS.clear();
            picture.problem = error.what();
            picture.code = error.code();
        }
    }
};

struct CaptionRun {
    const Options& options;
    ArenaPlacement placement;
    HostMessages* ranks;    // nullptr for a process by itself
    Captioner captioner{options.model};
    Arena arena = weights_only_arena(captioner.layout(), placement);
    Vocabulary vocabulary = read_vocabulary(options.init);
    WordPieceTokenizer tokenizer{vocabulary};
    PicturePrompts prompts{options.generate, tokenizer};

    // All ranks together: the pictures are dealt to them a batch at a time, and rank 0 writes what comes back. Returns
    // the code of the last picture that could not be read; stopped if a signal left pictures over.
    ExitCode run(const std::vector<fs::path>& files, CaptionOutput* output) {
        if (output != nullptr) warn_of_unknown(files);
        const std::size_t size = ranks == nullptr ? 1 : static_cast<std::size_t>(ranks->size());
        // few pictures are shared, too
        const std::size_t batch =
            std::min(static_cast<std::size_t>(options.evaluate.batch), (files.size() + size - 1) / size);
        Prefetcher batches(
            [this, own = dealt(files, size, batch), batch, next = std::size_t{0}]() mutable {
                auto job = std::make_unique<PictureBatch>(
                    options.exif_orientation ? ExifOrientation::applied : ExifOrientation::ignored,
                    options.model.image_size);
                while (next < own.size() && job->pictures.size() < batch)
                    job->pictures.push_back({std::move(own[next++]), {}, {}, ExitCode::ok});
                return job->pictures.empty() ? nullptr : std::move(job);
            },
            options.data.prefetch_batches, options.data.loader_threads);
        Progress progress("captions", std::ssize(files),
                          output != nullptr && options.runtime.progress && files.size() > size * batch, -1);
        std::size_t done = 0, unreadable = 0;
        ExitCode code = ExitCode::ok;
        bool stopped = false;
        for (const nlohmann::json& of_rank : gathered(stop_requested())) stopped |= of_rank.get<bool>();
        progress.update(0);
        while (done < files.size() && !stopped) {
            // in the last round some ranks have none
            const std::unique_ptr<Prefetcher::Job> job = batches.next();
            nlohmann::json own = {
                {"pictures", job ? caption(static_cast<PictureBatch&>(*job).pictures) : nlohmann::json::array()}};
            own["stop"] = stop_requested();
            std::vector<CaptionedPicture> pictures;
            for (const nlohmann::json& of_rank : gathered(own)) {
                stopped |= of_rank["stop"].get<bool>();
                for (const nlohmann::json& picture : of_rank["pictures"]) {
                    pictures.push_back({files[done++], {}, picture["problem"]});
                    for (const nlohmann::json& one : picture["captions"])
                        pictures.back().captions.push_back({one[0], one[1]});
                    if (pictures.back().problem.empty()) continue;
                    code = picture["code"];
                    ++unreadable;
                    if (output != nullptr) log_error_text(pictures.back().problem);
                }
            }
            if (output == nullptr) continue;
            if (isatty(STDOUT_FILENO)) progress.clear();    // the lines would begin behind it
            output->write(pictures);
            progress.update(static_cast<std::int64_t>(done));
        }
        progress.clear();
        if (output != nullptr && !options.write.form.empty())
            log_info("{} of {} pictures have their captions{}", done - unreadable, files.size(), place());
        if (done == files.size()) return code;
        if (output != nullptr)
            log_warning(
                "stopped by a signal: {} of {} pictures were captioned{}", done, files.size(),
                options.write.form.empty() ? "" : "; the same command" + output->to_go_on() + " does the others");
        return ExitCode::stopped;
    }

    std::string place() const {
        const fs::path& output = options.write.output;
        return output.empty() ? " beside them" : fmt::format(" in {}", output.string());
    }

    // This rank's: every size-th batch.
    std::vector<fs::path> dealt(const std::vector<fs::path>& files, std::size_t size, std::size_t batch) const {
        const std::size_t own = ranks == nullptr ? 0 : static_cast<std::size_t>(ranks->rank());
        std::vector<fs::path> part;
        for (std::size_t i = 0; i < files.size(); ++i)
            if (i / batch % size == own) part.push_back(files[i]);
        return part;
    }

    std::vector<nlohmann::json> gathered(const nlohmann::json& own) const {
        if (ranks == nullptr) return {own};
        return all_gather_json(*ranks, own, "captions of the ranks");
    }

    // A picture goes by its name as given (in a folder: as printed), then by its base name.
    static std::vector<std::string> names_of(const fs::path& file) { return {file.string(), file.filename().string()}; }

    void warn_of_unknown(const std::vector<fs::path>& files) const {
        std::set<std::string> known;
        for (const fs::path& file : files)
            for (const std::string& name : names_of(file)) known.insert(name);
        std::vector<std::string> unknown;
        for (const auto& [name, prompt] : prompts.own())
            if (!known.contains(name)) unknown.push_back(name);
        if (!unknown.empty()) log_warning("{}", prompts.describe_unknown(unknown));
    }

    // Drawn captions depend on the picture as the model sees it, so that its name and place do not matter.
    PictureRequest request_of(const LoadedPicture& picture) const {
        return {prompts.of(names_of(picture.file)), digest_value(std::as_bytes(std::span(picture.pixels_3SS)))};
    }

    // [{"captions": [[text, log-probability], ...], "problem": why there are none, "code": its exit code}, ...]
    nlohmann::json caption(const std::vector<LoadedPicture>& pictures) {
        const std::int64_t size = options.model.image_size, picture_bytes = 3 * size * size;
        const std::int64_t readable =
            std::count_if(pictures.begin(), pictures.end(), std::mem_fn(&LoadedPicture::readable));
        std::vector<std::vector<Caption>> captions;
        if (readable > 0) {
            const at::Tensor images_I3SS = staging_tensor({readable, 3, size, size}, at::kByte, placement.device);
            std::vector<PictureRequest> requests;
            auto* place = static_cast<std::uint8_t*>(images_I3SS.data_ptr());
            for (const LoadedPicture& picture : pictures) {
                if (!picture.readable()) continue;
                std::memcpy(place, picture.pixels_3SS.data(), static_cast<std::size_t>(picture_bytes));
                place += picture_bytes;
                requests.push_back(request_of(picture));
            }
            captions = caption_images(captioner, arena.weights(), to_device(images_I3SS, placement.device), tokenizer,
                                      options.generate, requests, options.train.seed);
        }
        nlohmann::json told = nlohmann::json::array();
        auto next = captions.begin();
        for (const LoadedPicture& picture : pictures) {
            nlohmann::json texts = nlohmann::json::array();
            if (picture.readable())
                for (const Caption& one : *next++)
                    texts.push_back({options.write.prefix + one.text + options.write.suffix, one.log_probability});
            told.push_back({{"captions", texts}, {"problem", picture.problem}, {"code", picture.code}});
        }
        return told;
    }
};

}    // namespace

ExitCode run_caption(Options options, const MpiSession* session, HostMessages* ranks) {
    const bool first = ranks == nullptr || ranks->rank() == 0;
    std::unique_ptr<CaptionOutput> output;    // on the first rank, which alone has standard input
    const auto list = [&] {
        std::vector<ListedPicture> pictures = list_pictures(options.images, stop_requested);
        if (stop_requested()) return std::string();
        output = open_caption_output(options, pictures);
        output->leave_out_done(pictures);
        std::string names = "+";    // a list, if an empty one
        for (const ListedPicture& picture : pictures) (names += picture.file.string()) += '\0';
        return names;
    };
    const std::string names = ranks == nullptr ? list() : run_on_first_rank(*ranks, list);
    if (names.empty()) return ExitCode::stopped;
    std::vector<fs::path> files;
    for (std::size_t begin = 1, end; begin < names.size(); begin = end + 1) {
        end = names.find('\0', begin);
        files.emplace_back(names.substr(begin, end - begin));
    }
    if (files.empty()) {
        if (first) log_info("no picture is left to caption");
        return ExitCode::ok;
    }
    if (ranks != nullptr) check_same_options(options, *ranks);
    const int own_cores = set_threads(options, ranks);
    set_loader_threads(options, own_cores, /*decodes=*/true);
    set_evaluation_batch(options);
    adopt_model_shape(options, ranks);
    if (first) warn_of_other_prompt(options.init, options.generate.prompt);
    std::optional<CaptionRun> run;
    const auto open = [&] {
        run.emplace(options,
                    open_device(options.runtime, session == nullptr ? 0 : session->local_rank(),
                                session == nullptr ? 1 : session->local_size()),
                    ranks);
    };
    ranks == nullptr ? open() : run_together(*ranks, open);
    load_model(options.init, run->arena, ranks);
    return run->run(files, output.get());
}

}    // namespace blip
