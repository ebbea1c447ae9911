// What the names in a pickle stand for, and which of these classes and functions may be called. Internal to pickle.
#pragma once

#include <string>
#include <string_view>

namespace blip {

// Of "torch.float32", and of a storage's class "torch.FloatStorage", the type as safetensors calls it. Of unknown names
// what follows the last period.
std::string dtype_of_name(std::string_view name);
std::string dtype_of_storage(std::string_view name);

// "builtins.set" -> "set", in Python 2's spelling, too; empty for other modules.
std::string_view builtin_name(std::string_view name);

// Whether only an object would come of a call: judged by the name alone.
bool makes_an_object(std::string_view name);

}    // namespace blip
