// The options of a program: each is declared once, with what it is called, means, accepts and fills, and what another
// value does to a resumed run. Parsing, help, the printed configuration, a run's identity and the comparison of ranks
// all walk the table. parse.h has the one of blip_mpi; small programs (coco_pack, make_sample) declare their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace blip {

// What is said of an option beside its value.
enum Traits : unsigned {
    // What another value does to a run that goes on from a checkpoint; every option of training says one (a test asks).
    another_run = 1,     // refused by name
    other_bits = 2,      // goes on and says so: equal within rounding
    other_scores = 4,    // goes on and says so: evaluations do not compare with earlier ones, weights are the same
    same_run = 8,
    // others
    often = 16,                // people set it: the short help shows it
    command_line_only = 32,    // not for a config file
    own_of_rank = 64,          // may differ between the ranks of a run
    repeatable = 128           // each time that it is given counts
};

// Numbers that an option accepts.
struct Bounds {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool low_open = false, high_open = false;    // the bound itself is excluded

    bool holds(double value) const {
        return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
    }
    std::string text() const;        // "at least 1, at most 16"
    std::string notation() const;    // "1..16", ">= 1"
};
inline Bounds any_number() { return {}; }
inline Bounds at_least(double low) { return {.low = low}; }
inline Bounds above(double low) { return {.low = low, .low_open = true}; }
inline Bounds between(double low, double high) { return {.low = low, .high = high}; }
inline Bounds share() { return {.low = 0, .high = 1, .high_open = true}; }    // [0, 1)

struct OptionSpec {
    std::string name;          // without the dashes
    std::string group;         // heading in the help
    std::string value_name;    // "N", "FILE", ...; empty: a switch
    std::string meaning;       // with unit
    std::string range;         // what is accepted, for the help; may be empty
    unsigned verbs = 0;        // a bit for each that uses it
    unsigned shown_by = 0;     // those whose short help shows it
    unsigned traits = 0;
    bool given = false;    // read_words found it
    // text -> field; throws BadValue
    std::function<void(std::string_view)> set;
    // field -> text that set() accepts; empty: nothing was given
    std::function<std::string()> get;
    // what the value comes to in this run, where that is less than the value: for its identity
    std::function<std::string()> effect;

    bool is_switch() const { return value_name.empty(); }
    bool used_by(unsigned verb) const { return (verbs & verb) != 0; }
    bool shapes_model() const { return group == "Model"; }

    bool is(Traits trait) const { return (traits & trait) != 0; }

    OptionSpec& only_for(unsigned used_by) {
        verbs = used_by;
        return *this;
    }
    // as the trait, for some of its verbs
    OptionSpec& often_for(unsigned some) {
        shown_by = some;
        return *this;
    }
    OptionSpec& comes_to(std::function<std::string()> text) {
        effect = std::move(text);
        return *this;
    }
};

class OptionTable {
  public:
    // What is declared next belongs there.
    void group(std::string title, unsigned verbs = ~0U);

    // Each declares --name. field holds the default, receives the value and outlives the table.
    template <class Number>    // int, std::int64_t, std::uint64_t, double
    OptionSpec& number(std::string name, std::string value_name, std::string meaning, const Bounds& range,
                       Number& field, unsigned traits = 0);
    OptionSpec& path(std::string name, std::string value_name, std::string meaning, std::filesystem::path& field,
                     unsigned traits = 0);
    OptionSpec& text(std::string name, std::string value_name, std::string meaning, std::string& field,
                     unsigned traits = 0);
    // one of choices
    OptionSpec& choice(std::string name, std::vector<std::string> choices, std::string meaning, std::string& field,
                       unsigned traits = 0);
    // different ones of choices, with commas between them
    OptionSpec& list(std::string name, std::string value_name, std::vector<std::string> choices, std::string meaning,
                     std::vector<std::string>& field, unsigned traits = 0);
    OptionSpec& on_off(std::string name, std::string meaning, bool& field, unsigned traits = 0);
    // a switch: field becomes when_given
    OptionSpec& flag(std::string name, std::string meaning, bool& field, unsigned traits = 0, bool when_given = true);
    // with set and get of its own
    OptionSpec& own(std::string name, std::string value_name, std::string meaning,
                    std::function<void(std::string_view)> set, std::function<std::string()> get, unsigned traits = 0);

    const std::vector<OptionSpec>& specs() const { return specs_; }
    // The verb's; without one, of any verb. nullptr if there is none.
    const OptionSpec* find(std::string_view name, unsigned verb = ~0U) const;
    bool given(std::string_view name) const;

    // A small program's whole command line: sets what the words say. Returns false if --help was among them. Throws
    // usage naming the word that is unknown (and the one that was probably meant), without a value, or not accepted.
    // Of an option that is given twice the last counts.
    // loose: words that are neither options nor their values go there; without it, they are not accepted.
    bool read_words(const std::vector<std::string>& words, std::vector<std::string>* loose = nullptr);
    // intro, the options with their defaults as they are now, and --help.
    std::string help(const std::string& intro) const;

  private:
    std::vector<OptionSpec> specs_;
    std::string group_;
    unsigned verbs_ = ~0U;
};

}    // namespace blip
