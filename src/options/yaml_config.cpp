// See yaml_config.h. What a key means in the reference job stands in one table here; defaults, ranges and types are
// those of the options it names.
#include "src/options/yaml_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cctype>
#include <map>
#include <optional>
#include <sstream>

#include "blip/base/error.h"
#include "blip/base/number.h"
#include "src/options/config_file.h"
#include "src/options/suggestion.h"

namespace blip {
namespace {

// The reference's --nproc_per_node: its batch_size is one accelerator's.
constexpr int reference_accelerators = 8;

enum class Kind { option, on_off, batch, weights, in_packed_file };

struct Key {
    const char* name;
    const char* option;    // null: none
    Kind kind = Kind::option;
};
constexpr Key keys[] = {
    {"image_root", nullptr, Kind::in_packed_file},
    {"ann_root", nullptr, Kind::in_packed_file},
    {"coco_gt_root", nullptr, Kind::in_packed_file},
    {"pretrained", "init", Kind::weights},
    {"vit", "model"},
    {"vit_grad_ckpt", "vit-grad-ckpt", Kind::on_off},
    {"vit_ckpt_layer", "vit-ckpt-layer"},
    {"batch_size", "micro-batch", Kind::batch},
    {"init_lr", "init-lr"},
    {"image_size", "image-size"},
    {"max_length", "max-length"},
    {"min_length", "min-length"},
    {"num_beams", "num-beams"},
    {"prompt", "prompt"},
    {"weight_decay", "weight-decay"},
    {"min_lr", "min-lr"},
    {"max_epoch", "epochs"},
};

// Where the contents of a document begin, if it has any.
struct Contents : YAML::EventHandler {
    using Style = YAML::EmitterStyle::value;
    std::optional<YAML::Mark> begin;

    void starts(const YAML::Mark& mark) {
        if (!begin) begin = mark;
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { starts(mark); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
        starts(mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, Style) override { starts(mark); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, Style) override { starts(mark); }
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnSequenceEnd() override {}
    void OnMapEnd() override {}
};

class Reader {
  public:
    explicit Reader(const std::filesystem::path& path) : path_(path.string()) {}

    YamlConfig read(const std::string& text) {
        text_ = text;
        const YAML::Node root = load(text);
        if (root.IsNull()) return {};    // comments only
        if (!root.IsMap()) refuse(root, "`key: value` lines are expected");
        for (const auto& entry : root) read_entry(entry.first, entry.second);
        if (!in_packed_file_.empty())
            config_.notes.push_back(
                fmt::format("{}: {} without effect: the packed file (--data) holds pictures, captions and references",
                            path_, fmt::join(in_packed_file_, ", ")));
        return std::move(config_);
    }

  private:
    static int line_of(const YAML::Mark& mark) { return mark.line + 1; }

    [[noreturn]] void refuse(const YAML::Mark& at, const std::string& what) const {
        throw Error(ExitCode::usage, "{}:{}: {}", path_, line_of(at), what);
    }
    [[noreturn]] void refuse(const YAML::Node& at, const std::string& what) const { refuse(at.Mark(), what); }

    // Not LoadAll, which goes on for ever, taking memory, at texts like `a{[{[ b: c`.
    YAML::Node load(const std::string& text) const try {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        Contents first, next;
        parser.HandleNextDocument(first);
        for (int count = 2; parser.HandleNextDocument(next); ++count)    // documents of nothing may follow
            if (next.begin || count > 100)
                refuse(next.begin.value_or(YAML::Mark()), "a second document begins here; one is expected");
        return YAML::Load(text);
    } catch (const YAML::Exception& problem) {
        throw Error(ExitCode::usage, "{}:{}: is no YAML: {}", path_, line_of(problem.mark), problem.msg);
    }

    const Key& find_key(const YAML::Node& at) const {
        if (!at.IsScalar()) refuse(at, "a key is expected");
        std::vector<std::string> names;
        for (const Key& key : keys) {
            if (at.Scalar() == key.name) return key;
            names.emplace_back(key.name);
        }
        refuse(at, fmt::format("there is no key '{}' in the reference's configuration{}", at.Scalar(),
                               did_you_mean(at.Scalar(), names)));
    }

    void read_entry(const YAML::Node& name, const YAML::Node& value) {
        const Key& key = find_key(name);
        const int line = line_of(name.Mark());
        const auto [first, is_new] = lines_.emplace(key.name, line);
        if (!is_new) refuse(name, fmt::format("{} is given twice, first in line {}", key.name, first->second));
        if (value.IsNull() && key.kind == Kind::weights) return;    // the reference's way to say: none
        if (!value.IsScalar())
            refuse(name, fmt::format("{}: {}", key.name,
                                     value.IsNull() ? "needs a value" : "one value is expected, not a list or map"));
        check_quotes(name, value);
        std::string text = value.Scalar();
        if (text.size() > 1 && text[0] == '+' && (text[1] == '.' || std::isdigit(static_cast<unsigned char>(text[1]))))
            text.erase(0, 1);    // YAML's numbers may have it
        const auto set = [&](const char* option, std::string as) {
            config_.settings.push_back({line, key.name, option, std::move(as)});
        };
        switch (key.kind) {
            case Kind::option:
                return set(key.option, text);
            case Kind::on_off: {
                bool on = false;
                if (!YAML::convert<bool>::decode(value, on))
                    refuse(name, fmt::format("{}: '{}' is neither True nor False", key.name, text));
                return set(key.option, on ? "on" : "off");
            }
            case Kind::batch:
                set(key.option, text);
                return read_batch(text, set);
            case Kind::weights:
                return read_weights(line, key, text, set);
            case Kind::in_packed_file:
                in_packed_file_.emplace_back(key.name);
        }
    }

    // yaml-cpp lets a quoted value run over the lines that follow, and end with the file.
    void check_quotes(const YAML::Node& name, const YAML::Node& value) const {
        if (value.Mark().pos < 0 || static_cast<std::size_t>(value.Mark().pos) >= text_.size()) return;
        const auto begin = static_cast<std::size_t>(value.Mark().pos);
        const char quote = text_[begin];
        if (quote != '\'' && quote != '"') return;
        if (text_.find(quote, begin + 1) > text_.find('\n', begin))
            refuse(name, fmt::format("{}: is no YAML: the closing {} is missing", name.Scalar(), quote));
    }

    // A value that is no number is refused by micro-batch, which is set first.
    template <class Set>
    void read_batch(const std::string& text, const Set& set) {
        const std::int64_t each = number_in<std::int32_t>(text).value_or(0);
        if (each == 0) return;
        set("global-batch", std::to_string(each * reference_accelerators));
        config_.notes.push_back(
            fmt::format("{}: batch_size {} is that of each of the reference job's {} accelerators: "
                        "global-batch {}, micro-batch {}",
                        path_, each, reference_accelerators, each * reference_accelerators, each));
    }

    template <class Set>
    void read_weights(int line, const Key& key, const std::string& text, const Set& set) {
        if (text.empty()) return;    // none, too
        if (!text.starts_with("http://") && !text.starts_with("https://")) return set(key.option, text);
        config_.download =
            fmt::format("{}:{}: {} is {}: download it and give the file with --init PATH", path_, line, key.name, text);
    }

    std::string path_, text_;
    YamlConfig config_;
    std::map<std::string, int> lines_;
    std::vector<std::string> in_packed_file_;
};

}    // namespace

YamlConfig read_yaml_config(const std::filesystem::path& path) { return Reader(path).read(read_config_text(path)); }

bool is_yaml(const std::filesystem::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

}    // namespace blip
