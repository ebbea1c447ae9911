// The restricted pickle machine: plain values come out, nothing is ever run, and what was asked for is named.
#include "blip/weights/pickle.h"

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

#include "blip/weights/weight_file.h"
#include "tests/support/paths.h"
#include "tests/unit/weights/made_files.h"

namespace blip::test {
namespace {

Pickle parse(std::string_view bytes) { return Pickle::parse({bytes.begin(), bytes.end()}, "x.pth"); }
std::string problem_of(std::string_view bytes) {
    return problem_in([&] { parse(bytes); });
}
// module.name('argument') by the opcode REDUCE
std::string call_of(const std::string& module, const std::string& name, const std::string& argument = "a") {
    return "\x80\x02" + global(module, name) + pickled(argument) + "\x85R.";
}

BOOST_AUTO_TEST_SUITE(pickle)

BOOST_AUTO_TEST_CASE(a_command_is_not_run) {
    const TempDir dir;
    const std::string command = fmt::format("touch '{}'", (dir / "marker").string());
    const std::vector<std::string> pickles = {
        model_of(global("os", "system") + pickled(command) + "\x85R"),
        "(S\"" + command + "\"\nios\nsystem\n.",
        "(" + global("posix", "system") + pickled(command) + "o.",
        "\x80\x04" + pickled("os") + pickled("system") + "\x93" + pickled(command) + "\x85R.",
    };
    for (const std::string& pickle : pickles) {
        write_zip(dir / "x.pth", pth_content(pickle));
        const std::string problem = problem_in([&] { WeightFile::open(dir / "x.pth"); });
        expect_says(problem, "asks to call ");
        expect_says(problem, ".system('touch ");
        expect_says(problem, "refused, nothing was run");
        expect_says(problem, (dir / "x.pth").string());
        BOOST_TEST(!std::filesystem::exists(dir / "marker"));
    }
    // The check can fail: run by a shell, the command does leave its marker.
    BOOST_TEST(std::system(command.c_str()) == 0);
    BOOST_TEST(std::filesystem::exists(dir / "marker"));
}

BOOST_AUTO_TEST_CASE(functions_are_refused_by_name) {
    const std::vector<std::pair<const char*, const char*>> functions = {
        {"os", "system"},
        {"os", "popen"},
        {"posix", "system"},
        {"nt", "system"},
        {"subprocess", "run"},
        {"subprocess", "Popen"},
        {"builtins", "eval"},
        {"builtins", "exec"},
        {"builtins", "getattr"},
        {"builtins", "open"},
        {"builtins", "__import__"},
        {"__builtin__", "eval"},
        {"runpy", "run_path"},
        {"shutil", "rmtree"},
        {"socket", "create_connection"},
        {"pty", "spawn"},
        {"webbrowser", "open"},
        {"importlib", "import_module"},
        {"ctypes", "CDLL"},
        {"types", "FunctionType"},
        {"torch", "load"},
        {"torch.hub", "load"},
        {"torch.storage", "_load_from_bytes"},
        {"pickle", "loads"},
        {"_pickle", "Unpickler"},
        {"numpy", "load"},
        {"numpy", "fromfile"},
        {"operator", "attrgetter"},
        {"multiprocessing.context", "Process"},
        {"my_module", "do_something"},
        {"numpy.testing._private.utils", "runstring"},
        {"builtins", "print"},
        {"asyncio", "Runner"},
    };
    for (const auto& [module, name] : functions) {
        const std::string asked = fmt::format("asks to call {}.{}('a')", module, name);
        expect_says(problem_of(call_of(module, name)), asked);
        const std::string callee = global(module, name);
        expect_says(problem_of("\x80\x02" + callee + pickled("a") + "\x85\x81."), asked, "NEWOBJ");
        expect_says(problem_of("\x80\x04" + callee + pickled("a") + "\x85}\x92."), asked, "NEWOBJ_EX");
        expect_says(problem_of("(" + callee + pickled("a") + "o."), asked, "OBJ");
        expect_says(problem_of("(" + pickled("a") + "i" + callee.substr(1) + "."), asked, "INST");
        // named only, it does nothing
        BOOST_TEST((parse("\x80\x02" + callee + ".").root().kind == PickleKind::global));
    }
    // through what calls for others
    const std::string system = global("os", "system");
    expect_says(problem_of("\x80\x02" + global("copyreg", "_reconstructor") + system + global("builtins", "object") +
                           "N\x87R."),
                "os.system");
    expect_says(problem_of("\x80\x02" + global("torch._tensor", "_rebuild_from_type_v2") + "(" + system +
                           global("torch", "Tensor") + pickled("true") + "\x85NtR."),
                "os.system('true')");
    // objects do not become functions
    expect_says(problem_of("\x80\x02" + global("a", "Klass") + ")R)R."), "an object of a.Klass");
    expect_says(problem_of("\x80\x02" + pickled("os.system") + ")R."), "what is no function");
    // nor do control characters reach a terminal
    expect_says(problem_of(call_of("os\x1b[2J", "system")), "os\\u001b[2J.system");
}

BOOST_AUTO_TEST_CASE(objects_of_other_classes_are_opaque) {
    const std::vector<std::pair<const char*, const char*>> classes = {
        {"ruamel.yaml.comments", "CommentedMap"},
        {"ruamel.yaml.scalarfloat", "ScalarFloat"},
        {"argparse", "Namespace"},
        {"yacs.config", "CfgNode"},
        {"numpy.core.multiarray", "scalar"},
        {"numpy", "float64"},
        {"datetime", "datetime"},
        {"pathlib", "PosixPath"},
        {"__main__", "_Config"},
        {"torch._utils", "_rebuild_sparse_tensor"},
        {"_codecs", "encode"},
        {"builtins", "bytearray"},
    };
    for (const auto& [module, name] : classes) {
        // made, given attributes, items and elements, as a dict's or a list's subclass is
        const std::string object = global(module, name) + pickled("a") + "\x85R";
        const Pickle pickle = parse("\x80\x02" + object + "}b" + pickled("k") + "Ns" + "Na" + "(NNu(Ne.");
        BOOST_TEST((pickle.root().kind == PickleKind::opaque), name);
        BOOST_TEST(pickle.root().text == fmt::format("{}.{}", module, name));
        BOOST_TEST(pickle.root().items.empty());
    }
}

BOOST_AUTO_TEST_CASE(plain_values) {
    const auto integer = [](std::string_view opcodes) {
        const Pickle pickle = parse(std::string(opcodes) + ".");
        BOOST_TEST((pickle.root().kind == PickleKind::integer));
        return pickle.root().integer;
    };
    BOOST_TEST(integer("K\xff") == 255);
    BOOST_TEST(integer(std::string_view("M\x00\xff", 3)) == 65280);
    BOOST_TEST(integer("J\xff\xff\xff\xff") == -1);
    BOOST_TEST(integer(std::string_view("\x8a\x00", 2)) == 0);
    BOOST_TEST(integer(std::string_view("\x8a\x02\x00\x80", 4)) == -32768);
    BOOST_TEST(integer("I-17\n") == -17);
    BOOST_TEST(integer("L123456789012L\n") == 123456789012);
    BOOST_TEST((parse("\x8a\x09"
                      "123456789.")
                    .root()
                    .kind == PickleKind::opaque));    // beyond 64 bits
    BOOST_TEST(parse(std::string_view("G\x3f\xf8\0\0\0\0\0\0.", 10)).root().real == 1.5);
    BOOST_TEST(parse("F-2.25\n.").root().real == -2.25);
    BOOST_TEST(parse("U\x03"
                     "abc.")
                   .root()
                   .text == "abc");
    BOOST_TEST(parse("\x8c\x02hi.").root().text == "hi");
    BOOST_TEST((parse("I01\n.").root().kind == PickleKind::boolean));
    const Pickle dict = parse("(" + pickled("a") + "K\x01" + pickled("b") + "]" + "(K\x02K\x03" + "e" + "d.");
    BOOST_TEST((dict.root().kind == PickleKind::dict));
    BOOST_TEST(find_key(dict.root(), "a")->integer == 1);
    BOOST_TEST(find_key(dict.root(), "b")->items.size() == 2U);
    BOOST_TEST(find_key(dict.root(), "c") == nullptr);
    const Pickle twice = parse("}" + pickled("a") + "K\x01s" + pickled("a") + "K\x02s.");
    BOOST_TEST(find_key(twice.root(), "a")->integer == 2);    // the last one, as in Python
    const Pickle memo = parse(
        "]q\x07(h\x07h\x07"
        "e.");    // a list that holds itself
    BOOST_TEST(memo.root().items.size() == 2U);
    BOOST_TEST(memo.root().items[0] == &memo.root());
}

BOOST_AUTO_TEST_CASE(damaged_pickles_are_refused) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "bytes are needed"},
        {"N", "bytes are needed"},
        {".", "nothing is on the stack"},
        {"(.", "nothing is on the stack"},
        {"X\xff\xff\xff\xff"
         "abc.",
         "bytes are needed"},
        {std::string("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", 10), "bytes are needed"},
        {"t.", "no mark"},
        {"h\x05.", "no memo 5"},
        {"NR.", "nothing is on the stack"},
        {"\x80\x07N.", "protocol 7"},
        {"\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "a frame is cut short"},
        {"\xffN.", "unknown opcode 0xff"},
        {"\x82\x01.", "an extension"},
        {"N(NNu.", "for what is no dict"},
        {"}(Nu.", "a key without a value"},
        {"N(Ne.", "for what is no list"},
        {"cos", "a line has no end"},
        {"Iabc\n.", "no number"},
        {"NQ.", "a storage that is no tuple"},
        {"(" + pickled("storage") + "tQ.", "without its storage's class"},
        {"S'\\x41'\n.", "escapes"},
        {global("torch._utils", "_rebuild_tensor_v2") + ")R.", "a tensor without a storage"},
        {pickled(MadeTensor{{2}, {1, 1}}) + ".", "other numbers of extents and strides"},
        {pickled(MadeTensor{{-2}, {1}}) + ".", "an odd shape"},
        {pickled(MadeTensor{{2}, {-1}}) + ".", "an odd stride"},
        {pickled(MadeTensor{{2}, {1}, -1}) + ".", "an odd offset"},
        {pickled(MadeTensor{{2}, {1}, 0, "FloatStorage", "0", -1}) + ".", "negative size"},
        {global("collections", "OrderedDict") + "](K\x01"
                                                "e\x85R.",
         "no pairs"},
    };
    for (const auto& [bytes, expected] : cases) expect_says(problem_of(bytes), expected, bytes);
}

// Depth, number and size of what a small input can ask for.
BOOST_AUTO_TEST_CASE(no_input_takes_the_machine_down) {
    constexpr std::size_t deep = 500'000;
    // nested half a million deep: neither building nor freeing it uses the call stack
    BOOST_TEST((parse(std::string(deep, '(') + std::string(deep, 't') + ".").root().kind == PickleKind::tuple));
    BOOST_TEST((parse("N" + std::string(deep, '\x85') + ".").root().kind == PickleKind::tuple));
    expect_says(problem_of(std::string(5'000'000, ']') + "."), "more than");
    expect_says(problem_of("N" + std::string(5'000'000, '2') + "."), "more than");
    // a list of 1,000 copied again and again, six bytes a time
    std::string copies = "](" + std::string(1000, 'N') + "eq\x01";
    for (int i = 0; i < 10'000; ++i) copies += global("builtins", "list") + "h\x01\x85R";
    expect_says(problem_of(copies + "."), "more than");
    // a memo with the largest of indices
    BOOST_TEST((parse("Nr\xff\xff\xff\xff.").root().kind == PickleKind::none));
    expect_says(problem_of(std::string(max_pickle_bytes + 1, 'N')), "larger than any state dict's");
}

BOOST_AUTO_TEST_CASE(newer_and_wrapped_tensors) {
    const MadeTensor made{{2, 3}, {3, 1}};
    // a parameter; a tensor of bare bytes that says its dtype; a subclass of a tensor
    const std::string parameter = global("torch._utils", "_rebuild_parameter") + "(" + pickled(made) + "\x88" + "NtR";
    const std::string bare = global("torch._utils", "_rebuild_tensor_v3") + "(" +
                             pickled_storage({{}, {}, 0, "UntypedStorage", "0", 24}) + pickled(std::int64_t{0}) +
                             pickled(made.shape) + pickled(made.strides) + "\x89N" + global("torch", "bfloat16") + "tR";
    const std::string subclass =
        global("torch._tensor", "_rebuild_from_type_v2") + "(" + global("torch._utils", "_rebuild_tensor_v2") +
        global("mine", "Weight") + "(" + pickled_storage(made) + pickled(std::int64_t{1}) +
        pickled(std::vector<std::int64_t>{5}) + pickled(std::vector<std::int64_t>{1}) + "\x89Nt}tR";
    const Pickle first = parse(parameter + "."), second = parse(bare + "."), third = parse(subclass + ".");
    BOOST_REQUIRE((first.root().kind == PickleKind::tensor && second.root().kind == PickleKind::tensor &&
                   third.root().kind == PickleKind::tensor));
    BOOST_TEST(first.tensor(first.root()).dtype == "F32");
    BOOST_TEST(second.tensor(second.root()).dtype == "BF16");
    BOOST_TEST(second.storage(0).dtype == "");
    BOOST_TEST(third.tensor(third.root()).offset == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
