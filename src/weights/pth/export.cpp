// The reference's .pth: what torch.save({'model': state_dict}) writes. A zip archive of stored entries, made by libzip
// straight from the weights' memory: data.pkl, a pickle of protocol 2 that names the tensors; data/N, their storages,
// each at a multiple of 64 bytes, so that readers may map them; byteorder; version.
#include <ATen/ops/arange.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/weights/export.h"
#include "src/weights/pickle/writer.h"
#include "src/weights/stored_names.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

constexpr const char* position_embeddings = "text_decoder.bert.embeddings.position_embeddings.weight";
constexpr const char* position_ids = "text_decoder.bert.embeddings.position_ids";

struct StateEntry {
    std::string key;
    at::Tensor values;
    std::size_t storage = 0;    // number of the data file
};

// The state dict in the order of the parameters, with the keys that are not parameters.
std::vector<StateEntry> state_dict(const ExportedWeights& weights) {
    std::vector<StateEntry> entries;
    const auto add = [&](const std::string& key, const at::Tensor& values) {
        entries.push_back({key, values, entries.size()});
    };
    for (const auto& [name, values] : named_tensors(weights.layout, weights.values)) {
        if (name == position_embeddings) add(position_ids, at::arange(values.size(0), at::kLong).unsqueeze(0));
        add(name, values);
    }
    for (const TiedPair& pair : kTied) {
        const auto tied = std::find_if(entries.begin(), entries.end(),
                                       [&](const StateEntry& entry) { return entry.key == pair.ours; });
        if (tied != entries.end()) entries.push_back({std::string(pair.twin), tied->values, tied->storage});
    }
    return entries;
}

// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks), all contiguous
void put_tensor(PickleWriter& pickle, const StateEntry& entry) {
    const auto numbers = [&](at::IntArrayRef values) {
        pickle.mark();
        for (const std::int64_t value : values) pickle.integer(value);
        pickle.tuple();
    };
    pickle.global("torch._utils", "_rebuild_tensor_v2");
    pickle.mark();
    pickle.mark();
    pickle.text("storage");
    pickle.global("torch", fmt::format("{}Storage", c10::toString(entry.values.scalar_type())));
    pickle.text(std::to_string(entry.storage));
    pickle.text("cpu");
    pickle.integer(entry.values.numel());
    pickle.tuple();
    pickle.persistent_id();
    pickle.integer(0);
    numbers(entry.values.sizes());
    numbers(entry.values.strides());
    pickle.boolean(false);
    pickle.empty_ordered_dict();
    pickle.tuple();
    pickle.reduce();
}

std::string make_pickle(const std::vector<StateEntry>& entries) {
    PickleWriter pickle;
    pickle.empty_dict();
    pickle.mark();
    pickle.text("model");
    pickle.empty_ordered_dict();
    pickle.mark();
    for (const StateEntry& entry : entries) {
        pickle.text(entry.key);
        put_tensor(pickle, entry);
    }
    pickle.set_items();
    pickle.set_items();
    return pickle.finish();
}

struct ArchiveTraits {
    using value_type = zip_t*;
    static zip_t* invalid() { return nullptr; }
    static void close(zip_t* archive) noexcept { zip_discard(archive); }
};

// A zip archive that is being written to `path`; nothing of it is left unless close() returned.
class StoredZip {
  public:
    StoredZip(fs::path path, WriteObserver on_written) : path_(std::move(path)), on_written_(std::move(on_written)) {
        int code = 0;
        archive_ = Handle<ArchiveTraits>(zip_open(path_.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
        if (archive_) return;
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        const std::string problem = describe(error);
        zip_error_fini(&error);
        throw Error(ExitCode::io, problem);
    }

    // bytes must stay until close. The data begin at a multiple of 64 bytes within the archive.
    void add(const std::string& name, const void* bytes, std::uint64_t size) {
        zip_source_t* source = zip_source_buffer(archive_.get(), bytes, size, 0);
        const zip_int64_t index =
            source == nullptr ? -1 : zip_file_add(archive_.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8);
        if (index < 0) {
            zip_source_free(source);
            fail();
        }
        constexpr std::uint64_t local_header = 30, extra_header = 4, alignment = 64;
        const std::uint64_t begin = offset_ + local_header + name.size() + extra_header;
        const std::string padding((alignment - begin % alignment) % alignment, 'Z');
        const auto entry = static_cast<zip_uint64_t>(index);
        constexpr zip_uint16_t padding_field = 0x4246, midnight = 0, first_of_1980 = 0x21;
        // a fixed date: the same weights give the same file
        if (zip_set_file_compression(archive_.get(), entry, ZIP_CM_STORE, 0) != 0 ||
            zip_file_set_dostime(archive_.get(), entry, midnight, first_of_1980, 0) != 0 ||
            zip_file_extra_field_set(archive_.get(), entry, padding_field, ZIP_EXTRA_FIELD_NEW,
                                     reinterpret_cast<const zip_uint8_t*>(padding.data()),
                                     static_cast<zip_uint16_t>(padding.size()), ZIP_FL_LOCAL) != 0)
            fail();
        offset_ = begin + padding.size() + size;
    }

    void close() {
        zip_register_progress_callback_with_state(archive_.get(), 0.001, &StoredZip::progress, nullptr, this);
        zip_register_cancel_callback_with_state(archive_.get(), &StoredZip::cancelled, nullptr, this);
        if (zip_close(archive_.get()) != 0) {
            if (thrown_) std::rethrow_exception(thrown_);
            fail();
        }
        archive_.release();
        progress(nullptr, 1, this);
        if (thrown_) std::rethrow_exception(thrown_);
    }

  private:
    // libzip is C: what the observer throws is kept until zip_close, told to cancel, has returned.
    static void progress(zip_t*, double part, void* state) {
        auto& self = *static_cast<StoredZip*>(state);
        const auto done = static_cast<std::uint64_t>(part * static_cast<double>(self.offset_));
        if (!self.on_written_ || self.thrown_ || done <= self.reported_) return;
        try {
            self.on_written_(done - self.reported_);
        } catch (...) {
            self.thrown_ = std::current_exception();
        }
        self.reported_ = done;
    }
    static int cancelled(zip_t*, void* state) { return static_cast<StoredZip*>(state)->thrown_ ? 1 : 0; }

    std::string describe(zip_error_t& error) const {
        const bool full = zip_error_system_type(&error) == ZIP_ET_SYS && zip_error_code_system(&error) == ENOSPC;
        return fmt::format("cannot write {}: {}{}", path_.string(), zip_error_strerror(&error),
                           full ? "; free some space or choose another folder" : "");
    }
    // With what libzip says of the last call.
    [[noreturn]] void fail() { throw Error(ExitCode::io, describe(*zip_get_error(archive_.get()))); }

    fs::path path_;
    WriteObserver on_written_;
    Handle<ArchiveTraits> archive_;
    std::uint64_t offset_ = 0;      // where the next entry's header will stand
    std::uint64_t reported_ = 0;    // bytes
    std::exception_ptr thrown_;
};

}    // namespace

void write_reference_pth(const fs::path& file, const ExportedWeights& weights) {
    const std::vector<StateEntry> entries = state_dict(weights);
    const std::string pickle = make_pickle(entries);
    const fs::path temporary = file.string() + ".tmp." + std::to_string(::getpid());
    try {
        StoredZip zip(temporary, weights.on_written);
        zip.add("archive/data.pkl", pickle.data(), pickle.size());
        zip.add("archive/byteorder", "little", 6);
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (entries[i].storage != i) continue;    // tied: its storage is there already
            const at::Tensor& values = entries[i].values;
            zip.add(fmt::format("archive/data/{}", i), values.const_data_ptr(), values.nbytes());
        }
        zip.add("archive/version", "3\n", 2);
        zip.close();
        publish_file(temporary, file);
    } catch (...) {
        std::error_code ignored;
        fs::remove(temporary, ignored);
        throw;
    }
}

}    // namespace blip
