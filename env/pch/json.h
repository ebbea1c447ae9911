// Precompiled header of files that use JSON. Built by the Makefile.
#include <nlohmann/json.hpp>

#include "env/pch/plain.h"

// Compiled once, in src/base/json.cpp: a fifth of the time of a file that uses it.
extern template class nlohmann::basic_json<>;
