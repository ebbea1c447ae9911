// Where an export may go: nothing that is there is lost, and the source is never written to.
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "src/app/export_target.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

ExportOptions to(const Path& path, const char* names = "reference", bool overwrite = false) {
    ExportOptions options;
    options.from = "random";
    options.to = path;
    options.names = names;
    options.overwrite = overwrite;
    return options;
}

void refused(const ExportOptions& options, const std::string& part, ExitCode code = ExitCode::usage) {
    BOOST_CHECK_EXCEPTION(choose_export_target(options), Error, [&](const Error& error) {
        BOOST_TEST_MESSAGE(error.what());
        return error.code() == code && std::string(error.what()).find(part) != std::string::npos;
    });
}

}    // namespace

BOOST_AUTO_TEST_SUITE(export_target)

BOOST_AUTO_TEST_CASE(form_by_name) {
    const TempDir dir;
    BOOST_TEST((choose_export_target(to(dir / "a.pth")).form == ExportForm::reference_pth));
    BOOST_TEST((choose_export_target(to(dir / "a.safetensors")).form == ExportForm::reference_safetensors));
    BOOST_TEST((choose_export_target(to(dir / "a.PTH")).form == ExportForm::reference_pth));
    BOOST_TEST((choose_export_target(to(dir / "a")).form == ExportForm::reference_folder));
    BOOST_TEST((choose_export_target(to(dir / "v1.5")).form == ExportForm::reference_folder));
    BOOST_TEST((choose_export_target(to(dir / "a", "huggingface")).form == ExportForm::huggingface_folder));
    BOOST_TEST(choose_export_target(to(dir / "a/")).path == fs::canonical(dir.path()) / "a");
    refused(to(dir / "a.bin"), "NAME.pth");
    refused(to(dir / "a.pt", "huggingface"), "name a folder");
    refused(to(dir / "a.pth", "huggingface"), "--names reference");
    refused(to(dir / "none" / "a"), "create it first", ExitCode::missing_input);
}

BOOST_AUTO_TEST_CASE(what_is_there_stays) {
    const TempDir dir;
    write_file_durably(dir / "a.pth", "x");
    refused(to(dir / "a.pth"), "--overwrite");
    BOOST_TEST((choose_export_target(to(dir / "a.pth", "reference", true)).form == ExportForm::reference_pth));
    fs::create_directories(dir / "b.pth");
    refused(to(dir / "b.pth", "reference", true), "a folder already");
    fs::create_directories(dir / "empty");
    choose_export_target(to(dir / "empty"));
    fs::create_directories(dir / "full");
    write_file_durably(dir / "full" / "model.safetensors", "x");
    refused(to(dir / "full"), "--overwrite");
    choose_export_target(to(dir / "full", "huggingface", true));
    write_file_durably(dir / "full" / "thesis.tex", "x");
    refused(to(dir / "full", "huggingface", true), "thesis.tex");
    write_file_durably(dir / "plain", "x");
    refused(to(dir / "plain", "reference", true), "a file already");
    fs::create_symlink("full", dir / "link");    // what it points at counts
    refused(to(dir / "link", "huggingface", true), "thesis.tex");
    refused(to("/dev/null", "reference", true), "a file already");
}

BOOST_AUTO_TEST_CASE(never_onto_the_source) {
    const TempDir dir;
    fs::create_directories(dir / "run" / "best");
    write_file_durably(dir / "run" / "best" / "model.safetensors", "x");
    const auto from = [&](const char* source, const char* target) {
        ExportOptions options = to(dir / target, "reference", true);
        options.from = dir / source;
        return options;
    };
    refused(from("run", "run"), "lies in --from");
    refused(from("run", "run/best"), "lies in --from");
    refused(from("run", "run/best/x.pth"), "lies in --from");
    refused(from("run/best", "run/best/../best/y"), "lies in --from");
    refused(from("run/best/model.safetensors", "run/best/model.safetensors"), "lies in --from");
    refused(from("run/best/model.safetensors", "run/best"), "holds --from");
    fs::create_directory_symlink(dir / "run", dir / "alias");
    refused(from("run/best", "alias/best/x.pth"), "lies in --from");
    fs::create_hard_link(dir / "run" / "best" / "model.safetensors", dir / "hard.safetensors");
    refused(from("run/best/model.safetensors", "hard.safetensors"), "lies in --from");
    refused(from("nothing", "run2"), "--from", ExitCode::missing_input);
    BOOST_TEST(choose_export_target(from("run/best", "run2")).path == fs::canonical(dir.path()) / "run2");
    BOOST_TEST(choose_export_target(from("run/best/model.safetensors", "run/best/y.pth")).path.filename() == "y.pth");
}

BOOST_AUTO_TEST_CASE(space_is_asked_for_before) {
    const TempDir dir;
    const ExportTarget target = choose_export_target(to(dir / "a.pth"));
    check_space_for(target, 1);
    BOOST_CHECK_EXCEPTION(check_space_for(target, std::uint64_t{1} << 62), Error, [](const Error& error) {
        return error.code() == ExitCode::io && std::string(error.what()).find("free some space") != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
