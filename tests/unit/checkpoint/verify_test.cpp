// verify: what is whole is good; each kind of damage is bad with its file named, at the depth that can see it.
#include <boost/test/unit_test.hpp>
#include <set>

#include "blip/base/error.h"
#include "blip/checkpoint/verify.h"
#include "tests/support/paths.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

// Two checkpoints of two ranks, and best weights.
void write_run(const fs::path& run) {
    save_twice(run, 2);
    run_ranks(2, [&](Communicator& comm) {
        ToyRun toy(comm, 700);
        toy.fill(2);
        save_model(run / "best", toy.arena, toy.optimizer.state(), comm, {}, R"({"step": 200})");
    });
}

std::vector<std::string> states(const std::vector<VerifiedItem>& items) {
    std::vector<std::string> texts;
    for (const VerifiedItem& item : items) texts.emplace_back(to_text(item.state));
    return texts;
}
using States = std::vector<std::string>;

void flip_byte(const fs::path& file, std::size_t position) {
    std::string bytes = read_bytes(file);
    bytes.at(position) = static_cast<char>(bytes.at(position) ^ 0x10);
    write_bytes(file, bytes);
}
void replace_text(const fs::path& file, const std::string& from, const std::string& to) {
    std::string bytes = read_bytes(file);
    bytes.replace(bytes.find(from), from.size(), to);
    write_bytes(file, bytes);
}

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(a_whole_run_is_good_from_wherever_one_looks) {
    const TempDir dir;
    const fs::path run = dir / "run";
    write_run(run);
    for (const bool deep : {false, true}) {
        const auto items = verify_outputs(run, deep);
        BOOST_TEST(states(items) == States({"good", "good", "good"}), boost::test_tools::per_element());
        BOOST_TEST(items[0].step == 200);
        BOOST_TEST(items[0].text.find("after step 200, epoch 3, written by 2 ranks") == 0U, items[0].text);
        BOOST_TEST(items[0].bytes > 0U);
        BOOST_TEST(items[1].step == 100);
        BOOST_TEST(items[2].kind == "weights");
        BOOST_TEST(items[2].step == 200);
        BOOST_TEST(verify_outputs(run / "checkpoints", deep).size() == 2U);
        BOOST_TEST(verify_outputs(run / "checkpoints" / "step-00000100", deep).at(0).step == 100);
        BOOST_TEST(to_text(verify_outputs(run / "best", deep).at(0).state) == "good");
        BOOST_TEST(to_text(verify_outputs(run / "best" / "model.safetensors", deep).at(0).state) == "good");
    }
}

struct Damage {
    std::string what, named;
    bool shallow;    // seen without --deep
    std::function<void(const fs::path& step)> apply;
};

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_is_bad_and_names_the_file) {
    const std::string name = "shard-00001-of-00002.safetensors";
    const auto other = [](const fs::path& step) { return step.parent_path() / "step-00000100"; };
    const std::vector<Damage> damages = {
        {"manifest flipped", "manifest.json", true, [](const fs::path& s) { flip_byte(s / "manifest.json", 200); }},
        {"manifest cut", "manifest.json is damaged: parse error at line", true,
         [](const fs::path& s) { fs::resize_file(s / "manifest.json", 50); }},
        {"shard missing", name + " is missing", true, [&](const fs::path& s) { fs::remove(s / name); }},
        {"shard cut", name + " has", true,
         [&](const fs::path& s) { fs::resize_file(s / name, fs::file_size(s / name) - 1); }},
        {"shard of another step", "belongs to another checkpoint: its step is 100 instead of 200", true,
         [&](const fs::path& s) { fs::copy_file(other(s) / name, s / name, fs::copy_options::overwrite_existing); }},
        {"header flipped", name, true, [&](const fs::path& s) { flip_byte(s / name, 3); }},
        {"a parameter of another name", "its header does not fit its digest", true,
         [&](const fs::path& s) { replace_text(s / name, "master/second", "master/sezond"); }},
        {"data flipped", name + " is damaged", false,
         [&](const fs::path& s) { flip_byte(s / name, fs::file_size(s / name) - 9); }},
        {"a folder in the shard's place", name + " is not a regular file", true,
         [&](const fs::path& s) {
             fs::remove(s / name);
             fs::create_directory(s / name);
         }},
    };
    const TempDir dir;
    write_run(dir / "whole");
    for (const Damage& damage : damages) {
        const TempDir copy;
        fs::copy(dir / "whole", copy / "run", fs::copy_options::recursive);
        damage.apply(copy / "run" / "checkpoints" / "step-00000200");
        for (const bool deep : {false, true}) {
            const auto items = verify_outputs(copy / "run", deep);
            const bool seen = deep || damage.shallow;
            BOOST_TEST(states(items) == States({seen ? "bad" : "good", "good", "good"}),
                       damage.what << ": " << items.at(0).text);
            const bool named = items.at(0).text.find(deep && damage.shallow ? "" : damage.named) != std::string::npos;
            BOOST_TEST((!seen || named), damage.what << ": " << items.at(0).text);
            BOOST_TEST(items.at(0).text.find('\n') == std::string::npos);
        }
    }
}

BOOST_AUTO_TEST_CASE(what_has_no_manifest_or_no_weights_is_unfinished) {
    const TempDir dir;
    write_run(dir / "run");
    fs::remove(dir / "run" / "checkpoints" / "step-00000200" / "manifest.json");
    fs::remove(dir / "run" / "best" / "model.safetensors");
    BOOST_TEST(states(verify_outputs(dir / "run", true)) == States({"unfinished", "good", "unfinished"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(damaged_best_weights_are_bad) {
    const std::vector<Damage> damages = {
        {"cut", "model.safetensors", true,
         [](const fs::path& b) {
             fs::resize_file(b / "model.safetensors", fs::file_size(b / "model.safetensors") - 1);
         }},
        {"no digest", "its header does not fit its digest", true,
         [](const fs::path& b) { replace_text(b / "model.safetensors", "\"xxh3\"", "\"xxh4\""); }},
        {"data flipped", "do not fit their digest", false,
         [](const fs::path& b) { flip_byte(b / "model.safetensors", fs::file_size(b / "model.safetensors") - 9); }},
        {"config of another", "config.json is not what", true,
         [](const fs::path& b) { replace_text(b / "config.json", "\"patch_size\": 16", "\"patch_size\": 17"); }},
        {"config cut", "config.json", true, [](const fs::path& b) { fs::resize_file(b / "config.json", 9); }},
    };
    const TempDir dir;
    write_run(dir / "whole");
    for (const Damage& damage : damages) {
        const TempDir copy;
        fs::copy(dir / "whole", copy / "run", fs::copy_options::recursive);
        damage.apply(copy / "run" / "best");
        for (const bool deep : {false, true}) {
            const auto items = verify_outputs(copy / "run", deep);
            const bool seen = deep || damage.shallow;
            BOOST_TEST(states(items) == States({"good", "good", seen ? "bad" : "good"}),
                       damage.what << ": " << items.at(2).text);
            BOOST_TEST((!seen || items.at(2).text.find(damage.named) != std::string::npos), items.at(2).text);
        }
    }
}

BOOST_AUTO_TEST_CASE(nothing_there_is_missing_input) {
    const TempDir dir;
    const auto missing = [](const Error& error) { return error.code() == ExitCode::missing_input; };
    BOOST_CHECK_EXCEPTION(verify_outputs(dir / "nowhere", false), Error, missing);
    BOOST_CHECK_EXCEPTION(verify_outputs(dir.path(), false), Error, missing);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
