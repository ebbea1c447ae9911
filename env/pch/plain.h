// Precompiled header of the layers without LibTorch: what most of their files include anyway. Built by the Makefile;
// a file must still include what it uses.
#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

// Compiled once, in src/base/json.cpp: a fifth of the time of a file that uses it.
extern template class nlohmann::basic_json<>;
