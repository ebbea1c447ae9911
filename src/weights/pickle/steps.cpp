// See machine.h: the opcodes, by what they deal with.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>

#include "src/weights/pickle/machine.h"

namespace blip {

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
    {'d', [](M& m) { m.push(m.make_dict(m.pop_mark())); }},
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

void PickleMachine::step(unsigned char opcode) {
    const Step* const known =
        std::find_if(std::begin(steps), std::end(steps), [&](const Step& one) { return one.opcode == opcode; });
    if (known == std::end(steps)) bad(fmt::format("the unknown opcode {:#04x}", opcode));
    known->run(*this);
}

PickleMachine::Value& PickleMachine::make_real(std::string_view big_endian) {    // alone among pickle's numbers
    std::uint64_t bits = 0;
    for (const char byte : big_endian) bits = bits << 8 | static_cast<unsigned char>(byte);
    Value& value = make(real);
    value.real = std::bit_cast<double>(bits);
    return value;
}

PickleMachine::Value& PickleMachine::make_real_line(std::string_view line) {
    Value& value = make(real);
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value.real);
    if (error == std::errc::invalid_argument || end != line.data() + line.size()) bad("a line that is no number");
    return value;
}

PickleMachine::Value& PickleMachine::make_text_line(std::string_view line, bool quoted) {
    if (line.find('\\') != std::string_view::npos) bad("a text with escapes, of the oldest protocol");
    if (quoted && line.size() >= 2) line = line.substr(1, line.size() - 2);
    return make_text(text, line);
}

void PickleMachine::put_mark() {
    spend(1);
    marks_.push_back(stack_.size());
}

void PickleMachine::drop() {
    if (!marks_.empty() && marks_.back() == stack_.size())
        marks_.pop_back();
    else
        (void)pop();
}

void PickleMachine::check_protocol(std::uint64_t protocol) {
    if (protocol > 5) bad(fmt::format("protocol {}", protocol));
}

void PickleMachine::check_frame(std::uint64_t frame_bytes) {
    if (frame_bytes > pickle_.bytes_.size() - at_) bad("a frame is cut short");
}

std::vector<PickleMachine::Value*> PickleMachine::pop_last(std::size_t count) {
    std::vector<Value*> items(count);
    while (count > 0) items[--count] = &pop();
    return items;
}

PickleMachine::Value& PickleMachine::make_of(PickleKind kind, const std::vector<Value*>& items) {
    Value& value = make(kind);
    for (const Value* item : items) append(value, item);
    return value;
}

// Appends to the list or set on top. Objects of other classes take what they are given and keep nothing.
void PickleMachine::fill(const std::vector<Value*>& items) {
    Value& container = top();
    if (container.kind == opaque) return;
    if (container.kind != list && container.kind != set) bad("elements for what is no list");
    for (const Value* item : items) append(container, item);
}

PickleMachine::Value& PickleMachine::make_dict(const std::vector<Value*>& items) {
    if (items.size() % 2 != 0) bad("a key without a value");
    return make_of(dict, items);
}

void PickleMachine::set_items(const std::vector<Value*>& items) {
    Value& container = top();
    if (items.size() % 2 != 0) bad("a key without a value");
    if (container.kind == opaque) return;
    if (container.kind != dict) bad("a key and a value for what is no dict");
    for (const Value* item : items) append(container, item);
}

PickleMachine::Value& PickleMachine::take_global() {
    const std::string_view module = take_line();
    return make_global(module, take_line());
}

PickleMachine::Value& PickleMachine::make_global_of(const std::vector<Value*>& module_and_name) {
    const Value &module = *module_and_name[0], &name = *module_and_name[1];
    if (name.kind != text || module.kind != text) bad("a class whose name is no text");
    return make_global(module.text, name.text);
}

void PickleMachine::call_on_stack(const Value& arguments) {
    const Value& callee = pop();
    push(call(callee, arguments));
}

void PickleMachine::call_named(const Value& callee) { push(call(callee, make_of(tuple, pop_mark()))); }

void PickleMachine::call_marked(std::vector<Value*> items) {
    if (items.empty()) bad("an object of no class");
    const Value& callee = *items.front();
    items.erase(items.begin());
    push(call(callee, make_of(tuple, items)));
}

}    // namespace blip
