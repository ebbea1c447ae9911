// The machine behind Pickle::parse: a stack, marks, a memo, and a budget. The opcodes are in
// pickle_steps.cpp, what a call gives in pickle_calls.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "blip/weights/pickle.h"

namespace blip {

class PickleMachine {
  public:
    PickleMachine(Pickle& pickle, const std::string& file) : pickle_(pickle), file_(file) {}
    void run();

  private:
    using Value = PickleValue;

    // ---- input ----
    std::string_view take(std::uint64_t count);
    std::string_view take_line();            // without its newline
    std::uint64_t take_number(int bytes);    // little-endian
    std::string_view take_text(int length_bytes) { return take(take_number(length_bytes)); }

    // ---- values ----
    Value& make(PickleKind kind);
    Value& make_text(PickleKind kind, std::string_view text);    // a view of the input
    Value& make_owned_text(PickleKind kind, std::string text);
    Value& make_integer(std::int64_t integer);
    Value& make_long(std::string_view digits);    // two's complement, little-endian
    Value& make_number_line(std::string_view line);
    Value& make_real(std::string_view big_endian);
    Value& make_real_line(std::string_view line);
    Value& make_text_line(std::string_view line, bool quoted);
    Value& make_global(std::string_view module, std::string_view name);
    Value& make_global_of(const std::vector<Value*>& module_and_name);
    Value& take_global();    // two lines
    Value& make_of(PickleKind kind, const std::vector<Value*>& items);
    Value& make_dict(const std::vector<Value*>& items);
    void append(Value& container, const Value* item);
    void spend(std::size_t count);    // of the budget

    // ---- stack ----
    void push(Value& value) {
        spend(1);
        stack_.push_back(&value);
    }
    Value& pop();
    Value& top();
    std::vector<Value*> pop_mark();
    std::vector<Value*> pop_last(std::size_t count);
    void remember(std::uint64_t index);
    void recall(std::uint64_t index);

    // ---- steps ----
    struct Step {
        unsigned char opcode;
        void (*run)(PickleMachine&);
    };
    static const Step steps[];
    void step(unsigned char opcode);
    void put_mark();
    void drop();
    void check_protocol(std::uint64_t protocol);
    void check_frame(std::uint64_t frame_bytes);
    void fill(const std::vector<Value*>& items);
    void set_items(const std::vector<Value*>& items);
    void call_on_stack(const Value& arguments);
    void call_named(const Value& callee);
    void call_marked(std::vector<Value*> items);    // the class, then the arguments

    // ---- calls: what a class or a known function gives; nullptr if it is not one of those ----
    Value& call(const Value& callee, const Value& arguments);
    Value* call_container(std::string_view name, const Value& arguments);
    Value* call_tensor(std::string_view name, const Value& arguments);
    Value& copy_items(PickleKind kind, const Value& arguments, std::size_t position);
    Value& copy_dict(const Value& arguments, std::size_t position);
    Value& make_tensor(const Value& arguments, bool has_dtype);
    Value& load_storage(const Value& identity);
    std::vector<std::int64_t> integers(const Value& value, const char* what);
    const Value& argument(const Value& arguments, std::size_t index, PickleKind kind, const char* what);
    [[noreturn]] void refuse(const Value& callee, const Value& arguments);
    [[noreturn]] void bad(const std::string& what);

    Pickle& pickle_;
    const std::string& file_;
    std::size_t at_ = 0;    // byte of the next opcode
    std::size_t spent_ = 0;
    std::vector<Value*> stack_;
    std::vector<std::size_t> marks_;
    std::map<std::uint64_t, Value*> memo_;    // a tree: no index can be chosen to make it slow or large
    Value* none_ = nullptr;
    Value* true_ = nullptr;
    Value* false_ = nullptr;
    Value* empty_tuple_ = nullptr;
};

}    // namespace blip
