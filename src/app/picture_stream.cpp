// See picture_stream.h.
#include "src/app/picture_stream.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "blip/image/augment.h"
#include "src/app/caption_inputs.h"

namespace blip {

struct PictureStream::Impl {
    std::vector<std::filesystem::path> files;
    ExifOrientation orientation;
    int image_size;
    std::size_t ahead;

    std::mutex mutex;
    std::condition_variable changed;
    std::size_t claimed = 0, taken = 0;
    std::map<std::size_t, StreamedPicture> ready;    // by place in the list
    std::exception_ptr failure;
    bool stopping = false;
    std::vector<std::thread> threads;

    StreamedPicture read(const std::filesystem::path& file) const {
        StreamedPicture picture{file, {}, {}, ExitCode::ok};
        try {
            if (std::error_code unknown; !std::filesystem::exists(file, unknown) && !unknown)
                throw Error(ExitCode::missing_input, describe_missing(file));
            const Image image = decode_picture_file(file, orientation);
            const auto side = static_cast<std::size_t>(image_size);
            picture.pixels_3SS.resize(3 * side * side);
            apply_plan(image, evaluation_plan(image.height, image.width), image_size, picture.pixels_3SS.data());
        } catch (const Error& error) {
            picture.problem = error.what();
            picture.code = error.code();
        }
        return picture;
    }

    void work() {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock,
                         [&] { return stopping || failure || claimed == files.size() || claimed < taken + ahead; });
            if (stopping || failure || claimed == files.size()) return;
            const std::size_t place = claimed++;
            lock.unlock();
            StreamedPicture picture;
            std::exception_ptr problem;
            try {
                picture = read(files[place]);
            } catch (...) {
                problem = std::current_exception();
            }
            lock.lock();
            if (problem)
                failure = problem;
            else
                ready.emplace(place, std::move(picture));
            changed.notify_all();
        }
    }

    void stop() {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        changed.notify_all();
        for (auto& thread : threads) thread.join();
        threads.clear();
    }
};

PictureStream::PictureStream(std::vector<std::filesystem::path> files, ExifOrientation orientation, int image_size,
                             int threads, std::size_t ahead)
    : impl_(new Impl{}) {
    impl_->files = std::move(files);
    impl_->orientation = orientation;
    impl_->image_size = image_size;
    impl_->ahead = std::max<std::size_t>(ahead, 1);
    try {
        for (int i = 0; i < std::max(threads, 1); ++i) impl_->threads.emplace_back([this] { impl_->work(); });
    } catch (...) {
        impl_->stop();
        throw;
    }
}

PictureStream::~PictureStream() { impl_->stop(); }

std::optional<StreamedPicture> PictureStream::next() {
    Impl& impl = *impl_;
    std::unique_lock lock(impl.mutex);
    if (impl.taken == impl.files.size()) return std::nullopt;
    impl.changed.wait(lock, [&] { return impl.failure || impl.ready.contains(impl.taken); });
    if (impl.failure) std::rethrow_exception(impl.failure);
    auto found = impl.ready.extract(impl.taken++);
    impl.changed.notify_all();
    return std::move(found.mapped());
}

}    // namespace blip
