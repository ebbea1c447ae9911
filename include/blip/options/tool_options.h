// Command line of a small program (coco_pack, make_sample): each option declared once with its help, type and check.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace blip {

class ToolOptions {
  public:
    // purpose: the first lines of --help.
    explicit ToolOptions(std::string program, std::string purpose);

    // Each adds --name; the target holds the default and receives the value. value_name: what the help calls the value.
    void add_flag(const std::string& name, bool& target, const std::string& help);
    void add(const std::string& name, const std::string& value_name, std::filesystem::path& target,
             const std::string& help);
    void add(const std::string& name, const std::string& value_name, std::string& target, const std::string& help);
    // accepts low..high
    void add(const std::string& name, const std::string& value_name, std::int64_t& target, std::int64_t low,
             std::int64_t high, const std::string& help);
    // one of choices
    void add_choice(const std::string& name, const std::string& value_name, std::string& target,
                    const std::vector<std::string>& choices, const std::string& help);
    // different ones of choices, with commas between them
    void add_names(const std::string& name, const std::string& value_name, std::vector<std::string>& target,
                   const std::vector<std::string>& choices, const std::string& help);
    // any number of words up to the next option; check throws std::invalid_argument with what is wrong with a word
    void add_list(const std::string& name, const std::string& value_name, std::vector<std::string>& target,
                  const std::function<void(const std::string&)>& check, const std::string& help);

    // argv without the program's name. Returns false if --help was asked for. Throws Error(usage) naming the word that
    // is unknown (and the one that was probably meant), repeated, without a value, of the wrong type or out of range.
    bool parse(const std::vector<std::string>& arguments);
    bool given(const std::string& name) const;
    std::string help() const;

  private:
    struct Option {
        std::string name, value_name, help, default_text;
        bool many = false;
        std::function<void(const std::vector<std::string>&)> set;    // throws std::exception with the reason
        bool given = false;
    };
    void declare(Option option);

    std::string program_, purpose_;
    std::vector<Option> options_;
};

}    // namespace blip
