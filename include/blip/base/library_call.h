// Functions of libraries that are looked for at run time. Used for NVIDIA's, of which neither headers nor files are
// needed to build.
#pragma once

#include <dlfcn.h>

#include <optional>

namespace blip {

// What the function of this name returned; nullopt if the library (null: it was not opened) has none. Arguments: the
// types that the function is declared with.
template <class... Arguments>
std::optional<int> library_call(void* library, const char* name, Arguments... arguments) {
    const auto function =
        reinterpret_cast<int (*)(Arguments...)>(library == nullptr ? nullptr : ::dlsym(library, name));
    return function == nullptr ? std::nullopt : std::optional(function(arguments...));
}

}    // namespace blip
