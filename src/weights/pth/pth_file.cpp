// See pth_file.h. Layout of the zip: ROOT/data.pkl, ROOT/data/KEY for each storage, ROOT/byteorder.
#include "blip/weights/pth_file.h"

#include <fmt/format.h>

#include <set>
#include <string_view>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/weights/element_type.h"
#include "src/weights/pth/zip_archive.h"
#include "src/weights/tensor_view.h"

namespace blip {
namespace {

[[noreturn]] void bad(const std::string& file, const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: {}", file, what);
}

bool holds_tensors(const PickleValue& value) {
    if (value.kind != PickleKind::dict) return false;
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
        if (value.items[i]->kind == PickleKind::text && value.items[i + 1]->kind == PickleKind::tensor) return true;
    return false;
}

std::string in_words(const PickleValue& value) {
    if (value.kind == PickleKind::opaque) return fmt::format("an object of the class {}", printable(value.text));
    if (value.kind == PickleKind::tensor) return "a single tensor";
    if (value.kind == PickleKind::list || value.kind == PickleKind::tuple) return "a list";
    if (value.kind != PickleKind::dict) return "a single value";
    std::string keys;
    for (std::size_t i = 0, shown = 0; i + 1 < value.items.size() && shown < 8; i += 2) {
        if (value.items[i]->kind != PickleKind::text) continue;
        keys += fmt::format("{}'{}'", shown++ == 0 ? "" : ", ", printable(value.items[i]->text));
    }
    return keys.empty() ? "a dict without names" : fmt::format("a dict of {}", keys);
}

// The folder within the zip: that of the one data.pkl.
std::string find_root(const ZipArchive& archive, const std::string& file) {
    std::string root;
    for (const auto& [name, entry] : archive.entries()) {
        const std::size_t slash = name.find('/');
        if (slash == std::string::npos || name.substr(slash) != "/data.pkl") continue;
        if (!root.empty()) bad(file, "it holds more than one data.pkl");
        root = name.substr(0, slash + 1);
    }
    if (root.empty()) bad(file, "a zip file, but none of PyTorch's: it has no data.pkl");
    const auto after = archive.entries().lower_bound(root + "code/");
    const bool code = after != archive.entries().end() && after->first.starts_with(root + "code/");
    if (code || archive.entries().contains(root + "constants.pkl")) {
        bad(file,
            "a TorchScript program, not a checkpoint: save the weights alone in Python: "
            "torch.save({'model': model.state_dict()}, FILE)");
    }
    return root;
}

class PthFile : public WeightFile {
  public:
    PthFile(ZipArchive archive, std::filesystem::path path)
        : WeightFile(std::move(path)), archive_(std::move(archive)) {
        const std::string file = path_.string();
        root_ = find_root(archive_, file);
        check_byte_order(file);
        const Pickle pickle = Pickle::parse(archive_.read_whole(root_ + "data.pkl", max_pickle_bytes), file);
        const PickleValue& state = find_state_dict(pickle, file);
        for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
            if (state.items[i]->kind != PickleKind::text || state.items[i + 1]->kind != PickleKind::tensor) continue;
            add(std::string(state.items[i]->text), pickle, pickle.tensor(*state.items[i + 1]));
        }
    }

    std::uint64_t stored_bytes() const override;
    void read_bytes(const std::string& name, const ByteSink& sink) const override;

  private:
    struct Place {
        std::string entry;
        TensorView view;
    };

    void check_byte_order(const std::string& file) const {
        if (!archive_.entries().contains(root_ + "byteorder")) return;    // older writers: little
        const std::vector<char> text = archive_.read_whole(root_ + "byteorder", 16);
        const std::string order(text.begin(), text.end());
        if (order == "big") bad(file, "written on a big-endian machine: load and save it again on another one");
        if (order != "little") bad(file, fmt::format("its byte order is '{}', not 'little'", printable(order)));
    }

    void add(const std::string& name, const Pickle& pickle, const PickledTensor& tensor) {
        const std::string file = path_.string(), shown = printable(name);
        const PickledStorage& storage = pickle.storage(tensor.storage);
        tensors_[name] = {tensor.dtype, tensor.shape};
        Place place{root_ + "data/" + std::string(storage.key), {tensor.shape, tensor.strides}};
        place.view.element_bytes = element_bytes(tensor.dtype);
        const auto found = archive_.entries().find(place.entry);
        if (found == archive_.entries().end()) {
            bad(file,
                fmt::format("the values of '{}' are missing: it has no entry '{}'", shown, printable(place.entry)));
        }
        const std::uint64_t each = storage.dtype.empty() ? 1 : element_bytes(storage.dtype);
        // A storage of a type unknown to us has a size unknown to us: the tensor is listed, reading it is refused.
        std::uint64_t bytes = 0;
        if (each > 0 && (!size_of_shape({storage.count}, each, bytes) || bytes != found->second.bytes)) {
            bad(file,
                fmt::format("the values of '{}': '{}' has {} bytes, {} of {} bytes each are promised (truncated?)",
                            shown, printable(place.entry), found->second.bytes, storage.count, each));
        }
        if (!place_in_storage(place.view, tensor.offset, found->second.bytes)) {
            bad(file, fmt::format("'{}' reaches beyond the {} bytes of its storage '{}', or is too large", shown,
                                  found->second.bytes, printable(place.entry)));
        }
        places_[name] = std::move(place);
    }

    ZipArchive archive_;
    std::string root_;    // with its slash
    std::map<std::string, Place> places_;
};

std::uint64_t PthFile::stored_bytes() const {
    std::set<std::string_view> storages;
    std::uint64_t bytes = 0;
    for (const auto& [name, place] : places_)
        if (storages.insert(place.entry).second) bytes += archive_.entries().at(place.entry).bytes;
    return bytes;
}

void PthFile::read_bytes(const std::string& name, const ByteSink& sink) const {
    const StoredTensor& stored = tensor(name);
    const auto& [entry, view] = places_.at(name);
    if (view.element_bytes == 0) {
        bad(path_.string(), fmt::format("'{}' holds {}, which cannot be read", printable(name), stored.dtype));
    }
    if (view.contiguous) {
        archive_.read(entry, view.begin, view.end, sink);
        return;
    }
    std::vector<std::byte> part;
    part.reserve(view.end - view.begin);
    archive_.read(entry, view.begin, view.end,
                  [&](std::span<const std::byte> piece) { part.insert(part.end(), piece.begin(), piece.end()); });
    gather(view, part, sink);
}

}    // namespace

const PickleValue& find_state_dict(const Pickle& pickle, const std::string& file) {
    const PickleValue& root = pickle.root();
    if (root.kind == PickleKind::dict) {
        for (const char* key : {"model", "state_dict", "model_state_dict"}) {
            const PickleValue* inner = find_key(root, key);
            if (inner == nullptr) continue;
            if (holds_tensors(*inner)) return *inner;
            bad(file, fmt::format("its '{}' is {}, not a state dict of tensors: save {{'model': model.state_dict()}}",
                                  key, in_words(*inner)));
        }
        if (holds_tensors(root)) return root;
        std::vector<const PickleValue*> others;    // "net", "ema", ...
        for (std::size_t i = 0; i + 1 < root.items.size(); i += 2)
            if (holds_tensors(*root.items[i + 1])) others.push_back(root.items[i + 1]);
        if (others.size() == 1) return *others.front();
    }
    bad(file,
        fmt::format("it holds no weights but {}: needed is {{'model': state dict}} or a state dict", in_words(root)));
}

std::unique_ptr<WeightFile> open_pth(const std::filesystem::path& path) {
    return std::make_unique<PthFile>(ZipArchive::open(path), path);
}

std::unique_ptr<WeightFile> open_pth(std::span<const std::byte> bytes, const std::string& name) {
    return std::make_unique<PthFile>(ZipArchive::of_memory(bytes, name), name);
}

}    // namespace blip
