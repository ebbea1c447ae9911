// See pickle_machine.h: the opcodes, by what they deal with.
#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "src/weights/pickle/machine.h"

namespace blip {

bool PickleMachine::step_constant(unsigned char opcode) {
    switch (opcode) {
        case 'N':
            push(*none_);
            return true;
        case 0x88:
            push(*true_);
            return true;
        case 0x89:
            push(*false_);
            return true;
        case 'K':
            push(make_integer(static_cast<std::int64_t>(take_number(1))));
            return true;
        case 'M':
            push(make_integer(static_cast<std::int64_t>(take_number(2))));
            return true;
        case 'J':
            push(make_long(take(4)));
            return true;
        case 0x8a:
            push(make_long(take_text(1)));
            return true;
        case 0x8b:
            push(make_long(take_text(4)));
            return true;
        case 'I':
        case 'L':
            push(make_number_line(take_line()));
            return true;
        case 'G': {
            std::uint64_t bits = 0;    // big-endian, alone among pickle's numbers
            for (const char byte : take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
            Value& value = make(PickleKind::real);
            value.real = std::bit_cast<double>(bits);
            push(value);
            return true;
        }
        case 'F': {
            const std::string_view line = take_line();
            Value& value = make(PickleKind::real);
            const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value.real);
            if (error == std::errc::invalid_argument || end != line.data() + line.size())
                bad("a line that is no number");
            push(value);
            return true;
        }
        default:
            return false;
    }
}

bool PickleMachine::step_text(unsigned char opcode) {
    using enum PickleKind;
    switch (opcode) {
        case 'X':
            push(make_text(text, take_text(4)));
            return true;
        case 0x8c:
            push(make_text(text, take_text(1)));
            return true;
        case 0x8d:
            push(make_text(text, take_text(8)));
            return true;
        case 'U':
            push(make_text(text, take_text(1)));
            return true;
        case 'T':
            push(make_text(text, take_text(4)));
            return true;
        case 'C':
            push(make_text(bytes, take_text(1)));
            return true;
        case 'B':
            push(make_text(bytes, take_text(4)));
            return true;
        case 0x8e:
            push(make_text(bytes, take_text(8)));
            return true;
        case 0x96:
            push(make_text(bytes, take_text(8)));
            return true;
        case 'S':
        case 'V': {
            std::string_view line = take_line();
            if (line.find('\\') != std::string_view::npos) bad("a text with escapes, of the oldest protocol");
            if (opcode == 'S' && line.size() >= 2) line = line.substr(1, line.size() - 2);    // its quotes
            push(make_text(text, line));
            return true;
        }
        default:
            return false;
    }
}

bool PickleMachine::step_stack(unsigned char opcode) {
    switch (opcode) {
        case '(':
            spend(1);
            marks_.push_back(stack_.size());
            return true;
        case '0':
            if (!marks_.empty() && marks_.back() == stack_.size())
                marks_.pop_back();
            else
                (void)pop();
            return true;
        case '1':
            (void)pop_mark();
            return true;
        case '2':
            push(top());
            return true;
        case 'p':
            remember(static_cast<std::uint64_t>(make_number_line(take_line()).integer));
            return true;
        case 'q':
            remember(take_number(1));
            return true;
        case 'r':
            remember(take_number(4));
            return true;
        case 0x94:
            remember(memo_.size());
            return true;
        case 'g':
            recall(static_cast<std::uint64_t>(make_number_line(take_line()).integer));
            return true;
        case 'h':
            recall(take_number(1));
            return true;
        case 'j':
            recall(take_number(4));
            return true;
        case 0x80:
            if (const std::uint64_t protocol = take_number(1); protocol > 5) bad(fmt::format("protocol {}", protocol));
            return true;
        case 0x95:
            if (take_number(8) > pickle_.bytes_.size() - at_) bad("a frame is cut short");
            return true;
        default:
            return false;
    }
}

// Appends to a list or set. Objects of other classes take what they are given and keep nothing.
void PickleMachine::fill(Value& container, const std::vector<Value*>& items) {
    if (container.kind == PickleKind::opaque) return;
    if (container.kind != PickleKind::list && container.kind != PickleKind::set) bad("elements for what is no list");
    for (const Value* item : items) append(container, item);
}

void PickleMachine::set_items(Value& container, const std::vector<Value*>& items) {
    if (items.size() % 2 != 0) bad("a key without a value");
    if (container.kind == PickleKind::opaque) return;
    if (container.kind != PickleKind::dict) bad("a key and a value for what is no dict");
    for (const Value* item : items) append(container, item);
}

bool PickleMachine::step_container(unsigned char opcode) {
    const auto collect = [&](PickleKind kind, const std::vector<Value*>& items) {
        Value& value = make(kind);
        for (const Value* item : items) append(value, item);
        push(value);
    };
    const auto last = [&](std::size_t count) {
        std::vector<Value*> items(count);
        while (count > 0) items[--count] = &pop();
        return items;
    };
    switch (opcode) {
        case ')':
            push(*empty_tuple_);
            return true;
        case ']':
            push(make(PickleKind::list));
            return true;
        case '}':
            push(make(PickleKind::dict));
            return true;
        case 0x8f:
            push(make(PickleKind::set));
            return true;
        case 't':
            collect(PickleKind::tuple, pop_mark());
            return true;
        case 'l':
            collect(PickleKind::list, pop_mark());
            return true;
        case 0x91:
            collect(PickleKind::set, pop_mark());
            return true;
        case 0x85:
        case 0x86:
        case 0x87:
            collect(PickleKind::tuple, last(opcode - 0x84U));
            return true;
        case 'd': {
            const std::vector<Value*> items = pop_mark();
            push(make(PickleKind::dict));
            set_items(top(), items);
            return true;
        }
        case 'a': {
            Value& item = pop();
            fill(top(), {&item});
            return true;
        }
        case 'e':
        case 0x90: {
            const std::vector<Value*> items = pop_mark();
            fill(top(), items);
            return true;
        }
        case 's': {
            const std::vector<Value*> items = last(2);
            set_items(top(), items);
            return true;
        }
        case 'u': {
            const std::vector<Value*> items = pop_mark();
            set_items(top(), items);
            return true;
        }
        default:
            return false;
    }
}

bool PickleMachine::step_object(unsigned char opcode) {
    const auto call_on_stack = [&](Value& arguments) {
        Value& callee = pop();
        push(call(callee, arguments));
    };
    const auto gathered = [&](const std::vector<Value*>& items, std::size_t from) -> Value& {
        Value& arguments = make(PickleKind::tuple);
        for (std::size_t i = from; i < items.size(); ++i) append(arguments, items[i]);
        return arguments;
    };
    switch (opcode) {
        case 'c': {
            const std::string_view module = take_line();
            push(make_global(module, take_line()));
            return true;
        }
        case 0x93: {
            const Value& name = pop();
            const Value& module = pop();
            if (name.kind != PickleKind::text || module.kind != PickleKind::text) bad("a class whose name is no text");
            push(make_global(module.text, name.text));
            return true;
        }
        case 'R':
        case 0x81:
            call_on_stack(pop());
            return true;    // a class is made as it is called
        case 0x92:
            (void)pop();    // its named arguments
            call_on_stack(pop());
            return true;
        case 'i': {
            const std::string_view module = take_line();
            const Value& callee = make_global(module, take_line());
            push(call(callee, gathered(pop_mark(), 0)));
            return true;
        }
        case 'o': {
            const std::vector<Value*> items = pop_mark();
            if (items.empty()) bad("an object of no class");
            push(call(*items[0], gathered(items, 1)));
            return true;
        }
        case 'b':    // attributes, which nothing here has
            (void)pop();
            (void)top();
            return true;
        case 'Q':
            push(load_storage(pop()));
            return true;
        case 'P':
            bad("a storage in the form of protocol 0");
        case 0x82:
        case 0x83:
        case 0x84:
            bad("an extension that only its writer's Python knows");
        default:
            return false;
    }
}

}    // namespace blip
