// Weight files put together by hand, sound and damaged: safetensors containers, zip files, and PyTorch's pickles from
// their opcodes.
#pragma once

#include <zip.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/said.h"

namespace blip::test {

template <class Number>
std::string raw(const std::vector<Number>& numbers) {
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

// ---- safetensors ----
inline std::string container(const std::string& header, const std::string& data) {
    return raw(std::vector<std::uint64_t>{header.size()}) + header + data;
}

// ---- zip ----
using ZipContent = std::vector<std::pair<std::string, std::string>>;    // names and contents, in this order

inline void write_zip(const std::filesystem::path& path, const ZipContent& content, int method = ZIP_CM_STORE) {
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    BOOST_REQUIRE(archive != nullptr);
    for (const auto& [name, bytes] : content) {
        zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
        const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
        BOOST_REQUIRE(index >= 0);
        BOOST_REQUIRE(zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0) == 0);
    }
    BOOST_REQUIRE(zip_close(archive) == 0);
}

// ---- pickles, protocol 2 ----
inline std::string pickled(std::string_view text) {
    return "X" + raw(std::vector<std::uint32_t>{static_cast<std::uint32_t>(text.size())}) + std::string(text);
}
inline std::string pickled(std::int64_t number) { return "\x8a\x08" + raw(std::vector<std::int64_t>{number}); }
inline std::string pickled(const std::vector<std::int64_t>& numbers) {
    std::string tuple = "(";
    for (const std::int64_t number : numbers) tuple += pickled(number);
    return tuple + "t";
}
inline std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n";
}

struct MadeTensor {
    std::vector<std::int64_t> shape, strides;
    std::int64_t offset = 0;
    std::string storage = "FloatStorage", key = "0";
    std::int64_t count = 6;    // elements of the storage
};

inline std::string pickled_storage(const MadeTensor& tensor) {
    return "(" + pickled("storage") + global("torch", tensor.storage) + pickled(tensor.key) + pickled("cpu") +
           pickled(tensor.count) + "tQ";
}
inline std::string pickled(const MadeTensor& tensor) {
    return global("torch._utils", "_rebuild_tensor_v2") + "(" + pickled_storage(tensor) + pickled(tensor.offset) +
           pickled(tensor.shape) + pickled(tensor.strides) + "\x89" + global("collections", "OrderedDict") + ")RtR";
}
// {'model': {'weight': value}} of a value's opcodes
inline std::string model_of(const std::string& value) {
    return "\x80\x02}" + pickled("model") + "}" + pickled("weight") + value + "ss.";
}
// The sound file of one storage with the floats 0 to 5.
inline ZipContent pth_content(const std::string& pickle,
                              const std::string& storage = raw(std::vector<float>{0, 1, 2, 3, 4, 5})) {
    return {{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}, {"archive/data/0", storage}};
}

inline void expect_says(const std::string& problem, const std::string& words, const std::string& context = "") {
    BOOST_TEST(problem.find(words) != std::string::npos, context << " gave: '" << problem << "', not: " << words);
}

}    // namespace blip::test
