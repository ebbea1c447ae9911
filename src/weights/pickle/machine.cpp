// The machine behind Pickle::parse: a stack, marks, a memo, and a budget. Nothing is called: tensors and containers are
// put together from the arguments, what only makes an object of some class becomes opaque, and the rest is refused by
// name.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/weights/pickle.h"
#include "src/weights/pickle/names.h"

namespace blip {

class PickleMachine {
  public:
    PickleMachine(Pickle& pickle, const std::string& file) : pickle_(pickle), file_(file) {}

    void run();

  private:
    using Value = PickleValue;
    using Values = std::vector<Value*>;

    // Values, elements and memo entries of one pickle: published checkpoints with optimizer state stay below 200,000.
    static constexpr std::size_t max_cells = 4'000'000;

    struct Step {
        unsigned char opcode;
        void (*run)(PickleMachine&);
    };
    static const Step steps[];

    [[noreturn]] void bad(const std::string& what) {
        throw Error(ExitCode::bad_data, "{}: its pickle is damaged or none of PyTorch's: {}, at byte {}", file_, what,
                    at_);
    }

    // ---- input ----
    std::string_view take(std::uint64_t count) {
        if (count > pickle_.bytes_.size() - at_)
            bad(fmt::format("{} bytes are needed, {} are left", count, pickle_.bytes_.size() - at_));
        const std::string_view taken(pickle_.bytes_.data() + at_, count);
        at_ += count;
        return taken;
    }
    // Without its newline.
    std::string_view take_line() {
        const std::string_view rest(pickle_.bytes_.data() + at_, pickle_.bytes_.size() - at_);
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) bad("a line has no end");
        at_ += end + 1;
        return rest.substr(0, end);
    }
    // Little-endian.
    std::uint64_t take_number(int bytes) {
        std::uint64_t number = 0;
        std::memcpy(&number, take(static_cast<std::uint64_t>(bytes)).data(), static_cast<std::size_t>(bytes));
        return number;
    }
    std::string_view take_text(int length_bytes) { return take(take_number(length_bytes)); }
    void check_protocol(std::uint64_t protocol) {
        if (protocol > 5) bad(fmt::format("protocol {}", protocol));
    }
    void check_frame(std::uint64_t frame_bytes) {
        if (frame_bytes > pickle_.bytes_.size() - at_) bad("a frame is cut short");
    }

    // ---- values ----
    void spend(std::size_t count) {    // of the budget
        spent_ += count;
        if (spent_ > max_cells) bad(fmt::format("more than {} values", max_cells));
    }
    Value& make(PickleKind kind) {
        spend(1);
        Value& value = pickle_.values_.emplace_back();
        value.kind = kind;
        return value;
    }
    // A view of the input, or of a text that is kept.
    Value& make_text(PickleKind kind, std::string_view text) {
        Value& value = make(kind);
        value.text = text;
        return value;
    }
    // Or a value of another kind that has such a number.
    Value& make_integer(std::int64_t integer, PickleKind kind = PickleKind::integer) {
        Value& value = make(kind);
        value.integer = integer;
        return value;
    }
    // Two's complement, little-endian.
    Value& make_long(std::string_view digits) {
        if (digits.size() > 8) return make_text(PickleKind::opaque, "builtins.int");
        const bool negative = !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80U) != 0;
        std::int64_t integer = negative ? -1 : 0;
        if (!digits.empty()) std::memcpy(&integer, digits.data(), digits.size());
        return make_integer(integer);
    }
    // 'I' and 'L' lines of protocols 0 and 1: digits, an L behind longs, 00 and 01 for False and True.
    Value& make_number_line(std::string_view line) {
        if (line == "00") return *false_;
        if (line == "01") return *true_;
        if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
        std::int64_t integer = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), integer);
        if (error == std::errc::result_out_of_range) return make_text(PickleKind::opaque, "builtins.int");
        if (error != std::errc() || end != line.data() + line.size()) bad("a line that is no number");
        return make_integer(integer);
    }
    Value& make_real(std::string_view big_endian) {    // alone among pickle's numbers
        std::uint64_t bits = 0;
        for (const char byte : big_endian) bits = bits << 8 | static_cast<unsigned char>(byte);
        Value& value = make(PickleKind::real);
        value.real = std::bit_cast<double>(bits);
        return value;
    }
    Value& make_real_line(std::string_view line) {
        Value& value = make(PickleKind::real);
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value.real);
        if (error == std::errc::invalid_argument || end != line.data() + line.size()) bad("a line that is no number");
        return value;
    }
    Value& make_text_line(std::string_view line, bool quoted) {
        if (line.find('\\') != std::string_view::npos) bad("a text with escapes, of the oldest protocol");
        if (quoted && line.size() >= 2) line = line.substr(1, line.size() - 2);
        return make_text(PickleKind::text, line);
    }
    Value& make_global(std::string_view module, std::string_view name) {
        return make_text(PickleKind::global, pickle_.texts_.emplace_back(fmt::format("{}.{}", module, name)));
    }
    Value& make_global_of(const Values& module_and_name) {
        const Value &module = *module_and_name[0], &name = *module_and_name[1];
        if (name.kind != PickleKind::text || module.kind != PickleKind::text) bad("a class whose name is no text");
        return make_global(module.text, name.text);
    }
    // Takes two lines: module and name.
    Value& take_global() {
        const std::string_view module = take_line();
        return make_global(module, take_line());
    }
    template <class Items>
    void append(Value& container, const Items& items) {
        spend(items.size());
        container.items.insert(container.items.end(), items.begin(), items.end());
    }
    template <class Items>
    Value& make_of(PickleKind kind, const Items& items) {
        Value& value = make(kind);
        append(value, items);
        return value;
    }
    const Values& in_pairs(const Values& items) {
        if (items.size() % 2 != 0) bad("a key without a value");
        return items;
    }

    // ---- stack ----
    void push(Value& value) {
        spend(1);
        stack_.push_back(&value);
    }
    Value& top() {
        const std::size_t floor = marks_.empty() ? 0 : marks_.back();
        if (stack_.size() <= floor) bad("nothing is on the stack");
        return *stack_.back();
    }
    Value& pop() {
        Value& value = top();
        stack_.pop_back();
        return value;
    }
    Values pop_last(std::size_t count) {
        Values items(count);
        while (count > 0) items[--count] = &pop();
        return items;
    }
    void put_mark() {
        spend(1);
        marks_.push_back(stack_.size());
    }
    Values pop_mark() {
        if (marks_.empty()) bad("no mark is on the stack");
        const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        Values items(begin, stack_.end());
        stack_.erase(begin, stack_.end());
        marks_.pop_back();
        return items;
    }
    void drop() {
        if (!marks_.empty() && marks_.back() == stack_.size())
            marks_.pop_back();
        else
            (void)pop();
    }
    void remember(std::uint64_t index) {
        spend(1);
        memo_[index] = &top();
    }
    void recall(std::uint64_t index) {
        const auto found = memo_.find(index);
        if (found == memo_.end()) bad(fmt::format("it has no memo {}", index));
        push(*found->second);
    }
    // Appends to the list or set on top. Objects of other classes take what they are given and keep nothing.
    void fill(const Values& items) {
        Value& container = top();
        if (container.kind == PickleKind::opaque) return;
        if (container.kind != PickleKind::list && container.kind != PickleKind::set)
            bad("elements for what is no list");
        append(container, items);
    }
    void set_items(const Values& items) {
        Value& container = top();
        in_pairs(items);
        if (container.kind == PickleKind::opaque) return;
        if (container.kind != PickleKind::dict) bad("a key and a value for what is no dict");
        append(container, items);
    }
    void call_named(const Value& callee) { push(call(callee, make_of(PickleKind::tuple, pop_mark()))); }
    void call_on_stack(const Value& arguments) {
        const Value& callee = pop();
        push(call(callee, arguments));
    }
    // The class, then the arguments.
    void call_marked(Values items) {
        if (items.empty()) bad("an object of no class");
        const Value& callee = *items.front();
        items.erase(items.begin());
        push(call(callee, make_of(PickleKind::tuple, items)));
    }

    // ---- calls: what a class or a known function gives ----
    [[noreturn]] void refuse(const Value& callee, const Value& arguments) {
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
    Value& call(const Value& callee, const Value& arguments) {
        const Value* what = &callee;
        const Value* with = &arguments;
        // A subclass of a tensor: (function, class, arguments, attributes). Arguments are older than what they are part
        // of, so that this ends.
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
            if (made.kind != PickleKind::global || (!makes_an_object(made.text) && builtin_name(made.text).empty()))
                refuse(made, *with);
        }
        return make_text(PickleKind::opaque, what->text);
    }
    // nullptr if it is none.
    Value* call_container(std::string_view name, const Value& arguments) {
        const std::string_view builtin = builtin_name(name);
        if (builtin == "dict" || name == "collections.OrderedDict" || name == "collections.Counter")
            return &copy_dict(arguments, 0);
        if (name == "collections.defaultdict") return &copy_dict(arguments, 1);    // behind the maker of new values
        if (builtin == "list" || name == "collections.deque") return &copy_items(PickleKind::list, arguments);
        if (builtin == "set" || builtin == "frozenset") return &copy_items(PickleKind::set, arguments);
        if (builtin == "tuple" || name == "torch.Size") return &copy_items(PickleKind::tuple, arguments);
        return nullptr;
    }
    Value& copy_items(PickleKind kind, const Value& arguments) {
        if (arguments.items.empty()) return make(kind);
        const Value& from = *arguments.items[0];
        const bool has_items =
            from.kind == PickleKind::list || from.kind == PickleKind::tuple || from.kind == PickleKind::set;
        return has_items ? make_of(kind, from.items) : make(kind);
    }
    // From a dict, or from a list of pairs.
    Value& copy_dict(const Value& arguments, std::size_t position) {
        Value& made = make(PickleKind::dict);
        if (position >= arguments.items.size()) return made;
        const Value& from = *arguments.items[position];
        if (from.kind == PickleKind::dict) append(made, from.items);
        if (from.kind != PickleKind::list && from.kind != PickleKind::tuple) return made;
        for (const Value* pair : from.items) {
            if ((pair->kind != PickleKind::tuple && pair->kind != PickleKind::list) || pair->items.size() != 2)
                bad("a dict of what are no pairs");
            append(made, pair->items);
        }
        return made;
    }
    // nullptr if it is none.
    Value* call_tensor(std::string_view name, const Value& arguments) {
        constexpr std::string_view module = "torch._utils.";
        if (!name.starts_with(module)) return nullptr;
        name.remove_prefix(module.size());
        if (name == "_rebuild_tensor" || name == "_rebuild_tensor_v2") return &make_tensor(arguments, false);
        if (name == "_rebuild_tensor_v3") return &make_tensor(arguments, true);
        if (name != "_rebuild_parameter" && name != "_rebuild_parameter_with_state") return nullptr;
        if (arguments.items.empty()) bad("a parameter of nothing");
        const Value& data = *arguments.items[0];
        if (data.kind != PickleKind::tensor && data.kind != PickleKind::opaque) bad("a parameter that is no tensor");
        Value& made = make_text(data.kind, data.text);
        made.integer = data.integer;
        return &made;
    }
    const Value& argument(const Value& arguments, std::size_t index, PickleKind kind, const char* what) {
        if (index >= arguments.items.size() || arguments.items[index]->kind != kind)
            bad(fmt::format("a tensor without {}", what));
        return *arguments.items[index];
    }
    std::vector<std::int64_t> integers(const Value& value, const char* what) {
        spend(value.items.size());
        std::vector<std::int64_t> numbers;
        for (const Value* item : value.items) {
            if (item->kind != PickleKind::integer || item->integer < 0)
                bad(fmt::format("a tensor with an odd {}", what));
            numbers.push_back(item->integer);
        }
        return numbers;
    }
    // (storage, offset, shape, strides, requires_grad, hooks[, dtype])
    Value& make_tensor(const Value& arguments, bool has_dtype) {
        PickledTensor tensor;
        tensor.storage = static_cast<std::size_t>(argument(arguments, 0, PickleKind::storage, "a storage").integer);
        tensor.offset = argument(arguments, 1, PickleKind::integer, "an offset").integer;
        tensor.shape = integers(argument(arguments, 2, PickleKind::tuple, "a shape"), "shape");
        tensor.strides = integers(argument(arguments, 3, PickleKind::tuple, "strides"), "stride");
        if (tensor.offset < 0) bad("a tensor with an odd offset");
        if (tensor.shape.size() != tensor.strides.size()) bad("a tensor with other numbers of extents and strides");
        tensor.dtype = pickle_.storages_[tensor.storage].dtype;
        if (has_dtype) tensor.dtype = dtype_of_name(argument(arguments, 6, PickleKind::global, "a dtype").text);
        pickle_.tensors_.push_back(std::move(tensor));
        return make_integer(std::ssize(pickle_.tensors_) - 1, PickleKind::tensor);
    }
    // ('storage', class, key, device, number of elements[, ...])
    Value& load_storage(const Value& identity) {
        if (identity.kind != PickleKind::tuple) bad("a storage that is no tuple");
        if (argument(identity, 0, PickleKind::text, "its kind of storage").text != "storage") bad("what is no storage");
        const std::string type =
            dtype_of_storage(argument(identity, 1, PickleKind::global, "its storage's class").text);
        PickledStorage storage;
        if (type != "UntypedStorage") storage.dtype = printable(type);
        storage.key = argument(identity, 2, PickleKind::text, "its storage's key").text;
        storage.count = argument(identity, 4, PickleKind::integer, "its storage's size").integer;
        if (storage.count < 0) bad("a storage of negative size");
        pickle_.storages_.push_back(std::move(storage));
        return make_integer(std::ssize(pickle_.storages_) - 1, PickleKind::storage);
    }

    Pickle& pickle_;
    const std::string& file_;
    std::size_t at_ = 0;    // byte of the next opcode
    std::size_t spent_ = 0;
    Values stack_;
    std::vector<std::size_t> marks_;
    std::map<std::uint64_t, Value*> memo_;    // a tree: no index can be chosen to make it slow or large
    Value *none_ = nullptr, *true_ = nullptr, *false_ = nullptr, *empty_tuple_ = nullptr;
};

using M = PickleMachine;
using enum PickleKind;

const M::Step M::steps[] = {
    // constants and numbers
    {'N', [](M& m) { m.push(*m.none_); }},
    {0x88, [](M& m) { m.push(*m.true_); }},
    {0x89, [](M& m) { m.push(*m.false_); }},
    {'K', [](M& m) { m.push(m.make_integer(static_cast<std::int64_t>(m.take_number(1)))); }},
    {'M', [](M& m) { m.push(m.make_integer(static_cast<std::int64_t>(m.take_number(2)))); }},
    {'J', [](M& m) { m.push(m.make_long(m.take(4))); }},
    {0x8a, [](M& m) { m.push(m.make_long(m.take_text(1))); }},
    {0x8b, [](M& m) { m.push(m.make_long(m.take_text(4))); }},
    {'I', [](M& m) { m.push(m.make_number_line(m.take_line())); }},
    {'L', [](M& m) { m.push(m.make_number_line(m.take_line())); }},
    {'G', [](M& m) { m.push(m.make_real(m.take(8))); }},
    {'F', [](M& m) { m.push(m.make_real_line(m.take_line())); }},
    // texts and bytes
    {'X', [](M& m) { m.push(m.make_text(text, m.take_text(4))); }},
    {0x8c, [](M& m) { m.push(m.make_text(text, m.take_text(1))); }},
    {0x8d, [](M& m) { m.push(m.make_text(text, m.take_text(8))); }},
    {'U', [](M& m) { m.push(m.make_text(text, m.take_text(1))); }},
    {'T', [](M& m) { m.push(m.make_text(text, m.take_text(4))); }},
    {'S', [](M& m) { m.push(m.make_text_line(m.take_line(), true)); }},
    {'V', [](M& m) { m.push(m.make_text_line(m.take_line(), false)); }},
    {'C', [](M& m) { m.push(m.make_text(bytes, m.take_text(1))); }},
    {'B', [](M& m) { m.push(m.make_text(bytes, m.take_text(4))); }},
    {0x8e, [](M& m) { m.push(m.make_text(bytes, m.take_text(8))); }},
    {0x96, [](M& m) { m.push(m.make_text(bytes, m.take_text(8))); }},
    // stack and memo
    {'(', [](M& m) { m.put_mark(); }},
    {'0', [](M& m) { m.drop(); }},
    {'1', [](M& m) { (void)m.pop_mark(); }},
    {'2', [](M& m) { m.push(m.top()); }},
    {'p', [](M& m) { m.remember(static_cast<std::uint64_t>(m.make_number_line(m.take_line()).integer)); }},
    {'q', [](M& m) { m.remember(m.take_number(1)); }},
    {'r', [](M& m) { m.remember(m.take_number(4)); }},
    {0x94, [](M& m) { m.remember(m.memo_.size()); }},
    {'g', [](M& m) { m.recall(static_cast<std::uint64_t>(m.make_number_line(m.take_line()).integer)); }},
    {'h', [](M& m) { m.recall(m.take_number(1)); }},
    {'j', [](M& m) { m.recall(m.take_number(4)); }},
    {0x80, [](M& m) { m.check_protocol(m.take_number(1)); }},
    {0x95, [](M& m) { m.check_frame(m.take_number(8)); }},
    // containers
    {')', [](M& m) { m.push(*m.empty_tuple_); }},
    {']', [](M& m) { m.push(m.make(list)); }},
    {'}', [](M& m) { m.push(m.make(dict)); }},
    {0x8f, [](M& m) { m.push(m.make(set)); }},
    {'t', [](M& m) { m.push(m.make_of(tuple, m.pop_mark())); }},
    {'l', [](M& m) { m.push(m.make_of(list, m.pop_mark())); }},
    {0x91, [](M& m) { m.push(m.make_of(set, m.pop_mark())); }},
    {0x85, [](M& m) { m.push(m.make_of(tuple, m.pop_last(1))); }},
    {0x86, [](M& m) { m.push(m.make_of(tuple, m.pop_last(2))); }},
    {0x87, [](M& m) { m.push(m.make_of(tuple, m.pop_last(3))); }},
    {'d', [](M& m) { m.push(m.make_of(dict, m.in_pairs(m.pop_mark()))); }},
    {'a', [](M& m) { m.fill(m.pop_last(1)); }},
    {'e', [](M& m) { m.fill(m.pop_mark()); }},
    {0x90, [](M& m) { m.fill(m.pop_mark()); }},
    {'s', [](M& m) { m.set_items(m.pop_last(2)); }},
    {'u', [](M& m) { m.set_items(m.pop_mark()); }},
    // classes, calls and objects, which are made as their class is called
    {'c', [](M& m) { m.push(m.take_global()); }},
    {0x93, [](M& m) { m.push(m.make_global_of(m.pop_last(2))); }},
    {'R', [](M& m) { m.call_on_stack(m.pop()); }},
    {0x81, [](M& m) { m.call_on_stack(m.pop()); }},
    {0x92,
     [](M& m) {
         (void)m.pop();    // the named arguments
         m.call_on_stack(m.pop());
     }},
    {'i', [](M& m) { m.call_named(m.take_global()); }},
    {'o', [](M& m) { m.call_marked(m.pop_mark()); }},
    {'b',
     [](M& m) {
         (void)m.pop();    // attributes, which nothing here has
         (void)m.top();
     }},
    {'Q', [](M& m) { m.push(m.load_storage(m.pop())); }},
    {'P', [](M& m) { m.bad("a storage in the form of protocol 0"); }},
    {0x82, [](M& m) { m.bad("an extension that only its writer's Python knows"); }},
    {0x83, [](M& m) { m.bad("an extension that only its writer's Python knows"); }},
    {0x84, [](M& m) { m.bad("an extension that only its writer's Python knows"); }},
};

void PickleMachine::run() {
    none_ = &make(PickleKind::none);
    false_ = &make(PickleKind::boolean);
    true_ = &make_integer(1, PickleKind::boolean);
    empty_tuple_ = &make(PickleKind::tuple);
    while (true) {
        const auto opcode = static_cast<unsigned char>(take(1)[0]);
        if (opcode == '.') break;
        const Step* const known =
            std::find_if(std::begin(steps), std::end(steps), [&](const Step& one) { return one.opcode == opcode; });
        if (known == std::end(steps)) bad(fmt::format("the unknown opcode {:#04x}", opcode));
        known->run(*this);
    }
    pickle_.root_ = &pop();
}

Pickle Pickle::parse(std::vector<char> bytes, const std::string& file) {
    if (bytes.size() > max_pickle_bytes) {
        throw Error(ExitCode::bad_data, "{}: its pickle of {} bytes is larger than any state dict's", file,
                    bytes.size());
    }
    Pickle pickle;
    pickle.bytes_ = std::move(bytes);
    PickleMachine(pickle, file).run();
    return pickle;
}

const PickleValue* find_key(const PickleValue& dict, std::string_view key) {
    const PickleValue* found = nullptr;
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2)
        if (dict.items[i]->kind == PickleKind::text && dict.items[i]->text == key) found = dict.items[i + 1];
    return found;
}

}    // namespace blip
