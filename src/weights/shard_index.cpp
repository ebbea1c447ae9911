// An index over several weight files in one folder: JSON with "weight_map", tensor names to file names.
#include <fmt/format.h>

#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/printable.h"
#include "src/weights/file_forms.h"

namespace blip {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t max_index_bytes = 10'000'000;    // 100,000 tensors

[[noreturn]] void bad(const fs::path& path, const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: {}", path.string(), what);
}

class IndexedWeights : public WeightFile {
  public:
    explicit IndexedWeights(const fs::path& path) : WeightFile(path) {
        const json index = parse_strictly(read_regular_file(path, max_index_bytes),
                                          path.string() + ": neither weights nor an index of weights", 64);
        const auto map = index.is_object() ? index.find("weight_map") : index.end();
        if (map == index.end() || !map->is_object() || map->empty()) {
            bad(path,
                "JSON, but no index of weights (\"weight_map\"): give the weights themselves, such as a "
                "model.safetensors beside it");
        }
        for (const auto& [name, shard] : map->items()) {
            if (!shard.is_string()) bad(path, fmt::format("'{}' has no file's name", printable(name)));
            add(name, shard.get<std::string>());
        }
        refuse_doubles();
    }

    std::uint64_t stored_bytes() const override {
        std::uint64_t bytes = 0;
        for (const auto& [name, file] : shards_) bytes += file->stored_bytes();
        return bytes;
    }
    void read_bytes(const std::string& name, const ByteSink& sink) const override {
        (void)tensor(name);    // throws
        shards_.at(shard_names_.at(name))->read_bytes(name, sink);
    }

  private:
    void add(const std::string& name, const std::string& shard) {
        if (shard.empty() || shard.front() == '.' ||
            shard.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
            bad(path_,
                fmt::format("'{}' is in '{}': a file beside the index is needed", printable(name), printable(shard)));
        }
        auto file = shards_.find(shard);
        if (file == shards_.end()) file = shards_.emplace(shard, open_shard(shard)).first;
        const auto found = file->second->tensors().find(name);
        if (found == file->second->tensors().end()) {
            bad(file->second->path(),
                fmt::format("it has no tensor '{}', which {} says is there", printable(name), path_.string()));
        }
        tensors_[name] = found->second;
        shard_names_[name] = shard;
    }

    std::unique_ptr<WeightFile> open_shard(const std::string& shard) const {
        const fs::path file = path_.parent_path() / shard;
        std::error_code ignored;
        if (!fs::exists(file, ignored)) {
            throw Error(ExitCode::missing_input, "{} is missing: {} says that part of the weights is in it",
                        file.string(), path_.string());
        }
        return open_single(file);
    }

    // A tensor that two files hold: which one would count? What the index does not know is left out, as tied tensors
    // are.
    void refuse_doubles() const {
        for (const auto& [shard, file] : shards_) {
            for (const auto& [name, tensor] : file->tensors()) {
                const auto known = shard_names_.find(name);
                if (known == shard_names_.end() || known->second == shard) continue;
                bad(path_,
                    fmt::format("'{}' is in two of its files, {} and {}", printable(name), shard, known->second));
            }
        }
    }

    std::map<std::string, std::unique_ptr<WeightFile>> shards_;
    std::map<std::string, std::string> shard_names_;    // by tensor
};

}    // namespace

std::unique_ptr<WeightFile> open_index(const fs::path& path) { return std::make_unique<IndexedWeights>(path); }

}    // namespace blip
