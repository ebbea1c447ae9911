// See pickle_machine.h: input, values, stack, and the loop over the opcodes.
#include "src/weights/pickle/machine.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "blip/base/error.h"
#include "blip/weights/element_type.h"

namespace blip {
namespace {

// Values, elements and memo entries of one pickle: published checkpoints with optimizer state stay below 200,000.
constexpr std::size_t max_cells = 4'000'000;

}    // namespace

void PickleMachine::bad(const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: its pickle is damaged or none of PyTorch's: {}, at byte {}", file_, what, at_);
}

std::string_view PickleMachine::take(std::uint64_t count) {
    if (count > pickle_.bytes_.size() - at_)
        bad(fmt::format("{} bytes are needed, {} are left", count, pickle_.bytes_.size() - at_));
    const std::string_view taken(pickle_.bytes_.data() + at_, count);
    at_ += count;
    return taken;
}

std::string_view PickleMachine::take_line() {
    const std::string_view rest(pickle_.bytes_.data() + at_, pickle_.bytes_.size() - at_);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) bad("a line has no end");
    at_ += end + 1;
    return rest.substr(0, end);
}

std::uint64_t PickleMachine::take_number(int bytes) {
    std::uint64_t number = 0;
    std::memcpy(&number, take(static_cast<std::uint64_t>(bytes)).data(), static_cast<std::size_t>(bytes));
    return number;
}

void PickleMachine::spend(std::size_t count) {
    spent_ += count;
    if (spent_ > max_cells) bad(fmt::format("more than {} values", max_cells));
}

PickleMachine::Value& PickleMachine::make(PickleKind kind) {
    spend(1);
    Value& value = pickle_.values_.emplace_back();
    value.kind = kind;
    return value;
}

PickleMachine::Value& PickleMachine::make_text(PickleKind kind, std::string_view text) {
    Value& value = make(kind);
    value.text = text;
    return value;
}

PickleMachine::Value& PickleMachine::make_owned_text(PickleKind kind, std::string text) {
    return make_text(kind, pickle_.texts_.emplace_back(std::move(text)));
}

PickleMachine::Value& PickleMachine::make_integer(std::int64_t integer) {
    Value& value = make(PickleKind::integer);
    value.integer = integer;
    return value;
}

PickleMachine::Value& PickleMachine::make_long(std::string_view digits) {
    if (digits.size() > 8) return make_text(PickleKind::opaque, "builtins.int");
    const bool negative = !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80U) != 0;
    std::int64_t integer = negative ? -1 : 0;
    if (!digits.empty()) std::memcpy(&integer, digits.data(), digits.size());
    return make_integer(integer);
}

// 'I' and 'L' lines of protocols 0 and 1: digits, an L behind longs, 00 and 01 for False and True.
PickleMachine::Value& PickleMachine::make_number_line(std::string_view line) {
    if (line == "00") return *false_;
    if (line == "01") return *true_;
    if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
    std::int64_t integer = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), integer);
    if (error == std::errc::result_out_of_range) return make_text(PickleKind::opaque, "builtins.int");
    if (error != std::errc() || end != line.data() + line.size()) bad("a line that is no number");
    return make_integer(integer);
}

PickleMachine::Value& PickleMachine::make_global(std::string_view module, std::string_view name) {
    return make_owned_text(PickleKind::global, fmt::format("{}.{}", module, name));
}

void PickleMachine::append(Value& container, const Value* item) {
    spend(1);
    container.items.push_back(item);
}

PickleMachine::Value& PickleMachine::pop() {
    Value& value = top();
    stack_.pop_back();
    return value;
}

PickleMachine::Value& PickleMachine::top() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) bad("nothing is on the stack");
    return *stack_.back();
}

std::vector<PickleMachine::Value*> PickleMachine::pop_mark() {
    if (marks_.empty()) bad("no mark is on the stack");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Value*> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
}

void PickleMachine::remember(std::uint64_t index) {
    spend(1);
    memo_[index] = &top();
}

void PickleMachine::recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) bad(fmt::format("it has no memo {}", index));
    push(*found->second);
}

void PickleMachine::run() {
    none_ = &make(PickleKind::none);
    false_ = &make(PickleKind::boolean);
    true_ = &make(PickleKind::boolean);
    true_->integer = 1;
    empty_tuple_ = &make(PickleKind::tuple);
    while (true) {
        const auto opcode = static_cast<unsigned char>(take(1)[0]);
        if (opcode == '.') break;
        step(opcode);
    }
    pickle_.root_ = &pop();
    stack_.clear();
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
