// JSON's class, compiled once for all files: env/pch/plain.h.
#include <nlohmann/json.hpp>

template class nlohmann::basic_json<>;
