// What the calls that a pickle asks for give. Nothing is called: tensors and containers are put together from the
// arguments, what only makes an object of some class becomes opaque, and the rest is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "src/weights/pickle/machine.h"

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

// What follows the last period of "torch.float32" or "torch.FloatStorage", as we call it; unknown names stay.
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

// "builtins.set" -> "set", in Python 2's spelling, too; empty for other modules.
std::string_view builtin_name(std::string_view name) {
    for (const std::string_view module : {"builtins.", "__builtin__."})
        if (name.starts_with(module)) return name.substr(module.size());
    return {};
}

// Only an object would come of it.
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

}    // namespace

void PickleMachine::refuse(const Value& callee, const Value& arguments) {
    std::string asked = callee.kind == PickleKind::global   ? printable(callee.text)
                        : callee.kind == PickleKind::opaque ? "an object of " + printable(callee.text)
                                                            : "what is no function";
    if (callee.kind == PickleKind::global && !arguments.items.empty()) {
        const Value& first = *arguments.items[0];
        asked += first.kind == PickleKind::text
                     ? fmt::format("('{}'{})", printable(first.text), arguments.items.size() > 1 ? ", ..." : "")
                     : "(...)";
    }
    throw Error(ExitCode::bad_data,
                "{}: its pickle asks to call {}: refused, nothing was run. A checkpoint needs no such call; if "
                "you trust its source, load it in Python and save the weights alone: torch.save({{'model': "
                "model.state_dict()}}, FILE)",
                file_, asked);
}

PickleMachine::Value& PickleMachine::call(const Value& callee, const Value& arguments) {
    const Value* what = &callee;
    const Value* with = &arguments;
    // A subclass of a tensor: (function, class, arguments, attributes). Arguments are older than what they are part of,
    // so that this ends.
    while (what->kind == PickleKind::global && what->text == "torch._tensor._rebuild_from_type_v2" &&
           with->kind == PickleKind::tuple && with->items.size() >= 3) {
        spend(1);
        what = with->items[0];
        with = with->items[2];
    }
    if (what->kind != PickleKind::global) refuse(*what, *with);
    if (with->kind != PickleKind::tuple) bad("arguments that are no tuple");
    if (Value* made = call_container(what->text, *with)) return *made;
    if (Value* made = call_tensor(what->text, *with)) return *made;
    if (!makes_an_object(what->text)) refuse(*what, *with);
    // These make an object of the class that they are given.
    if (what->text.starts_with("copy") && !with->items.empty()) {
        const Value& made = *with->items[0];
        if (made.kind != PickleKind::global || !makes_an_object(made.text)) {
            if (made.kind != PickleKind::global || builtin_name(made.text).empty()) refuse(made, *with);
        }
    }
    return make_text(PickleKind::opaque, what->text);
}

PickleMachine::Value* PickleMachine::call_container(std::string_view name, const Value& arguments) {
    const std::string_view builtin = builtin_name(name);
    if (builtin == "dict" || name == "collections.OrderedDict" || name == "collections.Counter") {
        return &copy_dict(arguments, 0);
    }
    if (name == "collections.defaultdict") return &copy_dict(arguments, 1);    // behind the maker of new values
    if (builtin == "list" || name == "collections.deque") return &copy_items(PickleKind::list, arguments, 0);
    if (builtin == "set" || builtin == "frozenset") return &copy_items(PickleKind::set, arguments, 0);
    if (builtin == "tuple" || name == "torch.Size") return &copy_items(PickleKind::tuple, arguments, 0);
    return nullptr;
}

PickleMachine::Value& PickleMachine::copy_items(PickleKind kind, const Value& arguments, std::size_t position) {
    Value& made = make(kind);
    if (position >= arguments.items.size()) return made;
    const Value& from = *arguments.items[position];
    if (from.kind == PickleKind::list || from.kind == PickleKind::tuple || from.kind == PickleKind::set) {
        for (const Value* item : from.items) append(made, item);
    }
    return made;
}

// From a dict, or from a list of pairs.
PickleMachine::Value& PickleMachine::copy_dict(const Value& arguments, std::size_t position) {
    Value& made = make(PickleKind::dict);
    if (position >= arguments.items.size()) return made;
    const Value& from = *arguments.items[position];
    if (from.kind == PickleKind::dict) {
        for (const Value* item : from.items) append(made, item);
    } else if (from.kind == PickleKind::list || from.kind == PickleKind::tuple) {
        for (const Value* pair : from.items) {
            if ((pair->kind != PickleKind::tuple && pair->kind != PickleKind::list) || pair->items.size() != 2) {
                bad("a dict of what are no pairs");
            }
            append(made, pair->items[0]);
            append(made, pair->items[1]);
        }
    }
    return made;
}

PickleMachine::Value* PickleMachine::call_tensor(std::string_view name, const Value& arguments) {
    constexpr std::string_view module = "torch._utils.";
    if (!name.starts_with(module)) return nullptr;
    name.remove_prefix(module.size());
    if (name == "_rebuild_tensor" || name == "_rebuild_tensor_v2") return &make_tensor(arguments, false);
    if (name == "_rebuild_tensor_v3") return &make_tensor(arguments, true);
    if (name == "_rebuild_parameter" || name == "_rebuild_parameter_with_state") {
        if (arguments.items.empty()) bad("a parameter of nothing");
        const Value& data = *arguments.items[0];
        Value& made = make(data.kind);
        made.integer = data.integer;
        made.text = data.text;
        if (data.kind != PickleKind::tensor && data.kind != PickleKind::opaque) bad("a parameter that is no tensor");
        return &made;
    }
    return nullptr;
}

const PickleMachine::Value& PickleMachine::argument(const Value& arguments, std::size_t index, PickleKind kind,
                                                    const char* what) {
    if (index >= arguments.items.size() || arguments.items[index]->kind != kind)
        bad(fmt::format("a tensor without {}", what));
    return *arguments.items[index];
}

std::vector<std::int64_t> PickleMachine::integers(const Value& value, const char* what) {
    spend(value.items.size());
    std::vector<std::int64_t> numbers;
    for (const Value* item : value.items) {
        if (item->kind != PickleKind::integer || item->integer < 0) bad(fmt::format("a tensor with an odd {}", what));
        numbers.push_back(item->integer);
    }
    return numbers;
}

// (storage, offset, shape, strides, requires_grad, hooks[, dtype])
PickleMachine::Value& PickleMachine::make_tensor(const Value& arguments, bool has_dtype) {
    PickledTensor tensor;
    tensor.storage = static_cast<std::size_t>(argument(arguments, 0, PickleKind::storage, "a storage").integer);
    tensor.offset = argument(arguments, 1, PickleKind::integer, "an offset").integer;
    tensor.shape = integers(argument(arguments, 2, PickleKind::tuple, "a shape"), "shape");
    tensor.strides = integers(argument(arguments, 3, PickleKind::tuple, "strides"), "stride");
    if (tensor.offset < 0) bad("a tensor with an odd offset");
    if (tensor.shape.size() != tensor.strides.size()) bad("a tensor with other numbers of extents and strides");
    tensor.dtype = pickle_.storages_[tensor.storage].dtype;
    if (has_dtype)
        tensor.dtype = our_name(&ElementName::dtype, argument(arguments, 6, PickleKind::global, "a dtype").text);
    Value& made = make(PickleKind::tensor);
    made.integer = static_cast<std::int64_t>(pickle_.tensors_.size());
    pickle_.tensors_.push_back(std::move(tensor));
    return made;
}

// ('storage', class, key, device, number of elements[, ...])
PickleMachine::Value& PickleMachine::load_storage(const Value& identity) {
    if (identity.kind != PickleKind::tuple) bad("a storage that is no tuple");
    if (argument(identity, 0, PickleKind::text, "its kind of storage").text != "storage") bad("what is no storage");
    const std::string type =
        our_name(&ElementName::storage, argument(identity, 1, PickleKind::global, "its storage's class").text);
    PickledStorage storage;
    if (type != "UntypedStorage") storage.dtype = printable(type);
    storage.key = argument(identity, 2, PickleKind::text, "its storage's key").text;
    storage.count = argument(identity, 4, PickleKind::integer, "its storage's size").integer;
    if (storage.count < 0) bad("a storage of negative size");
    Value& made = make(PickleKind::storage);
    made.integer = static_cast<std::int64_t>(pickle_.storages_.size());
    pickle_.storages_.push_back(std::move(storage));
    return made;
}

}    // namespace blip
