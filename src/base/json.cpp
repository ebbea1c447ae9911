// JSON's class, compiled once for all files: env/pch/json.h.
#include <nlohmann/json.hpp>

template class nlohmann::basic_json<>;
