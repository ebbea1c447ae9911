// See names.h.
#include "src/weights/pickle/names.h"

#include <algorithm>
#include <iterator>

namespace blip {
namespace {

struct ElementName {
    std::string_view storage, dtype, ours;    // the storage's class, torch's name, safetensors'
};
constexpr ElementName element_names[] = {
    {"FloatStorage", "float32", "F32"},
    {"HalfStorage", "float16", "F16"},
    {"BFloat16Storage", "bfloat16", "BF16"},
    {"DoubleStorage", "float64", "F64"},
    {"LongStorage", "int64", "I64"},
    {"IntStorage", "int32", "I32"},
    {"ShortStorage", "int16", "I16"},
    {"CharStorage", "int8", "I8"},
    {"ByteStorage", "uint8", "U8"},
    {"BoolStorage", "bool", "BOOL"},
    {"", "uint16", "U16"},
    {"", "uint32", "U32"},
    {"", "uint64", "U64"},
    {"", "float8_e4m3fn", "F8_E4M3"},
    {"", "float8_e5m2", "F8_E5M2"},
};

std::string our_name(std::string_view ElementName::*theirs, std::string_view name) {
    const std::string_view last = name.substr(name.rfind('.') + 1);
    for (const ElementName& known : element_names)
        if (known.*theirs == last) return std::string(known.ours);
    return std::string(last);
}

// What a class or function may do is judged by its name alone. These top-level modules reach beyond the values of a
// checkpoint (processes, files, code, the network), so that none of their classes is harmless either.
constexpr std::string_view reaching_modules[] = {
    "_io",         "_pickle",    "_posixsubprocess",
    "asyncio",     "bdb",        "builtins",
    "__builtin__", "cPickle",    "cProfile",
    "cloudpickle", "code",       "codeop",
    "commands",    "concurrent", "ctypes",
    "dill",        "distutils",  "doctest",
    "ftplib",      "http",       "imp",
    "importlib",   "inspect",    "io",
    "joblib",      "marshal",    "multiprocessing",
    "nt",          "operator",   "os",
    "pdb",         "pickle",     "pip",
    "pkgutil",     "platform",   "popen2",
    "posix",       "profile",    "pty",
    "requests",    "runpy",      "setuptools",
    "shutil",      "signal",     "site",
    "smtplib",     "socket",     "subprocess",
    "sys",         "telnetlib",  "tempfile",
    "threading",   "timeit",     "trace",
    "types",       "urllib",     "urllib2",
    "webbrowser",  "xmlrpc",     "zipimport",
};
// Names that do not look like a class, and classes of the modules above, that only make an object.
constexpr std::string_view makers[] = {
    "_codecs.encode",
    "array._array_reconstructor",
    "array.array",
    "copy_reg._reconstructor",
    "copyreg.__newobj__",
    "copyreg.__newobj_ex__",
    "copyreg._reconstructor",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "functools.partial",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.bool_",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "re._compile",
    "ruamel.ordereddict.ordereddict",
    "ruamel.yaml.compat.ordereddict",
    "torch.device",
    "torch.serialization._get_layout",
    "types.SimpleNamespace",
};
constexpr std::string_view plain_builtins[] = {"bool", "bytearray", "bytes", "complex", "float",   "int",
                                               "long", "object",    "range", "slice",   "unicode", "str"};

template <class Range>
bool holds(const Range& names, std::string_view name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}    // namespace

std::string dtype_of_name(std::string_view name) { return our_name(&ElementName::dtype, name); }
std::string dtype_of_storage(std::string_view name) { return our_name(&ElementName::storage, name); }

std::string_view builtin_name(std::string_view name) {
    for (const std::string_view module : {"builtins.", "__builtin__."})
        if (name.starts_with(module)) return name.substr(module.size());
    return {};
}

bool makes_an_object(std::string_view name) {
    if (holds(makers, name) || holds(plain_builtins, builtin_name(name))) return true;
    if (name.starts_with("torch._utils._rebuild_")) return true;    // sparse, quantised and other tensors
    const std::string_view module = name.substr(0, name.find('.'));
    if (holds(reaching_modules, module)) return false;
    std::string_view last = name.substr(name.rfind('.') + 1);
    if (module == "numpy" && name.size() == 6 + last.size()) {    // numpy.float64, numpy.int64
        return (last.starts_with("float") || last.starts_with("int") || last.starts_with("uint")) &&
               last.back() >= '0' && last.back() <= '9';
    }
    last.remove_prefix(std::min(last.find_first_not_of('_'), last.size()));
    return !last.empty() && last[0] >= 'A' && last[0] <= 'Z';    // named like a class
}

}    // namespace blip
