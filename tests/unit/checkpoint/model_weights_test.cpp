// Model-only weights and the forms that --init may take.
#include <ATen/ops/arange.h>
#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/full.h>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/weights/safetensors.h"
#include "tests/support/paths.h"
#include "tests/support/said.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

// An arena of the toy layout filled with a version of its values.
struct Filled {
    Arena arena{toy_layout(), 1, 1 << 20, host_allocator(), false};
    explicit Filled(int version) {
        if (version > 0) fill_toy(arena, {0, arena.length()}, arena.weight_data(), version);
    }
    bool holds(int version) const { return arena.flat_weights().equal(Filled(version).arena.flat_weights()); }
};

// The parameters as a foreign program might store them.
std::vector<NamedTensor> as_tensors(const Arena& arena) {
    std::vector<NamedTensor> tensors;
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        tensors.push_back({arena.layout().spec(id).name, arena.weights()[static_cast<std::size_t>(id)].clone()});
    }
    return tensors;
}

void save_checkpoint(const fs::path& run, int version) {
    run_ranks(2, [&](Communicator& comm) {
        CheckpointWriter writer(run, 5, comm);
        ToyRun toy(comm, 700);
        toy.fill(version);
        writer.start_save(toy_manifest(100 * version), toy.arena, toy.optimizer.state());
        if (!writer.finish_save()) throw std::runtime_error("save failed");
    });
}

BOOST_AUTO_TEST_SUITE(model_weights)

BOOST_AUTO_TEST_CASE(saved_models_come_back_and_replace_each_other) {
    const TempDir dir;
    for (const int version : {1, 2}) {
        save_whole(dir / "best", Filled(version).arena, toy_model(), R"({"epoch": 3, "prompt": "a photo of "})");
        Filled back(0);
        load_model(dir / "best", back.arena);
        BOOST_TEST(back.holds(version));
        Filled from_file(0);
        load_model(dir / "best" / "model.safetensors", from_file.arena);
        BOOST_TEST(from_file.holds(version));
    }
    BOOST_TEST((read_model_options(dir / "best") == toy_model()));
    BOOST_TEST((read_model_options(dir / "best" / "model.safetensors") == toy_model()));
    const auto config = read_json(dir / "best" / "config.json");
    BOOST_TEST(config.at("note").at("epoch") == 3);
    BOOST_TEST(config.at("prompt") == "a photo of ");
    BOOST_TEST(config.at("model").at("patch_size") == 4);
    BOOST_TEST(std::distance(fs::directory_iterator(dir / "best"), fs::directory_iterator()) == 2);
}

// best/ of a bf16 run holds the masters of all ranks, and a bf16 run that starts from it has them again.
BOOST_AUTO_TEST_CASE(bf16_runs_save_and_load_fp32_masters) {
    const ArenaPlacement bf16{at::kCPU, at::kBFloat16};
    const TempDir dir;
    for (const int size : {1, 2, 3}) {
        for (const ArenaPlacement placement : {bf16, ArenaPlacement{}}) {
            run_ranks(size, [&](Communicator& comm) {
                ToyRun toy(comm, 700, placement);
                toy.fill(size);
                save_model(dir / "best", toy.arena, toy.optimizer.state(), comm, toy_model(), "");
                comm.barrier("test");
                ToyRun back(comm, 300, bf16), expected(comm, 300, bf16);
                load_model(dir / "best", back.arena, back.optimizer.weight_sink());
                expected.fill(size);
                for (std::size_t b = 0; b < back.arena.buckets().size(); ++b)
                    if (!back.optimizer.masters()[b].equal(expected.optimizer.masters()[b]))
                        throw std::runtime_error("masters differ");
                if (!back.arena.flat_weights().equal(expected.arena.flat_weights()))
                    throw std::runtime_error("weights differ");
            });
            Filled back(0);
            load_model(dir / "best", back.arena);
            BOOST_TEST(back.holds(size));
        }
    }
    Arena evaluated = weights_only_arena(toy_layout(), bf16);
    load_model(dir / "best", evaluated);
    for (std::size_t i = 0; i < evaluated.weights().size(); ++i)
        BOOST_TEST(evaluated.weights()[i].equal(Filled(3).arena.weights()[i].to(at::kBFloat16)));
}

BOOST_AUTO_TEST_CASE(init_may_be_a_checkpoint_or_a_run) {
    const TempDir dir;
    const fs::path run = dir / "run";
    save_checkpoint(run, 1);
    save_checkpoint(run, 2);
    const auto version_in = [](const fs::path& init) {
        Filled back(0);
        load_model(init, back.arena);
        return back.holds(1) ? 1 : back.holds(2) ? 2 : back.holds(3) ? 3 : 0;
    };
    BOOST_TEST(version_in(run / "checkpoints" / "step-00000100") == 1);
    BOOST_TEST(version_in(run) == 2);
    BOOST_TEST((read_model_options(run) == toy_manifest(1).model));
    std::string shard = read_bytes(run / "checkpoints" / "step-00000200" / "shard-00000-of-00002.safetensors");
    shard.back() = static_cast<char>(shard.back() ^ 1);
    write_bytes(run / "checkpoints" / "step-00000200" / "shard-00000-of-00002.safetensors", shard);
    BOOST_TEST(version_in(run) == 1);    // the newest is damaged: a run falls back, a named checkpoint does not
    BOOST_TEST(contains(problem_in([&] { version_in(run / "checkpoints" / "step-00000200"); }), "is damaged"));
    save_whole(run / "best", Filled(3).arena, toy_model(), "");
    BOOST_TEST(version_in(run) == 3);    // best/ comes before checkpoints
}

BOOST_AUTO_TEST_CASE(absent_inputs_are_named) {
    const TempDir dir;
    BOOST_TEST(contains(problem_in([&] { read_model_options(dir / "none"); }, ExitCode::missing_input), "none"));
    BOOST_TEST(
        contains(problem_in([&] { read_model_options(dir.path()); }, ExitCode::missing_input), "holds no weights"));
    write_safetensors(dir / "bare.safetensors", as_tensors(Filled(1).arena), {});
    BOOST_TEST(contains(problem_in([&] { read_model_options(dir / "bare.safetensors"); }), "holds no BLIP captioner"));
    Filled back(0);
    load_model(dir / "bare.safetensors", back.arena);    // the shape was given otherwise
    BOOST_TEST(back.holds(1));
}

BOOST_AUTO_TEST_CASE(missing_and_misshapen_parameters_are_all_listed) {
    const TempDir dir;
    auto tensors = as_tensors(Filled(1).arena);
    tensors.erase(tensors.begin() + 1);
    tensors.back().tensor = tensors.back().tensor.reshape({1, 401});
    write_safetensors(dir / "x.safetensors", tensors, {});
    Filled back(0);
    const std::string problem = problem_in([&] { load_model(dir / "x.safetensors", back.arena); });
    BOOST_TEST(contains(problem, "2 of 5 parameters"));
    BOOST_TEST(contains(problem, "first.bias is missing"));
    BOOST_TEST(contains(problem, "second.bias is [1, 401], needed [401]"));
    BOOST_TEST(back.arena.flat_weights().count_nonzero().item<std::int64_t>() == 0);
}

// A shape that a file merely tells of must not be what memory is taken for.
BOOST_AUTO_TEST_CASE(shapes_with_more_values_than_their_files_hold_are_refused) {
    const TempDir dir;
    using Dimension = int ModelOptions::*;
    for (const Dimension dimension :
         {&ModelOptions::text_hidden, &ModelOptions::text_intermediate, &ModelOptions::text_layers,
          &ModelOptions::text_positions, &ModelOptions::vision_width, &ModelOptions::vision_depth,
          &ModelOptions::image_size, &ModelOptions::patch_size}) {
        ModelOptions forged = toy_model();
        forged.*dimension = 1 << 20;
        save_whole(dir / "best", Filled(1).arena, forged, "");
        BOOST_TEST(contains(problem_in([&] { read_model_options(dir / "best"); }), "hold at most"));
    }
    ModelOptions all = toy_model();
    all.text_layers = all.text_hidden = all.text_intermediate = all.vision_depth = all.vision_width = 1 << 20;
    save_whole(dir / "best", Filled(1).arena, all, "");
    BOOST_TEST(contains(problem_in([&] { read_model_options(dir / "best"); }), "hold at most"));

    save_checkpoint(dir / "run", 1);
    const fs::path file = dir / "run" / "checkpoints" / "step-00000100" / "manifest.json";
    Manifest manifest = Manifest::from_json(read_bytes(file), file.string());
    manifest.model.vision_depth = 1 << 20;
    write_bytes(file, manifest.to_json());
    const std::string problem = problem_in([&] { read_model_options(file.parent_path()); });
    BOOST_TEST(contains(problem, "step-00000100"));
    BOOST_TEST(contains(problem, "hold at most"));
}

BOOST_AUTO_TEST_CASE(a_flipped_weight_is_refused) {
    const TempDir dir;
    save_whole(dir / "best", Filled(1).arena, toy_model(), "");
    std::string bytes = read_bytes(dir / "best" / "model.safetensors");
    bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
    write_bytes(dir / "best" / "model.safetensors", bytes);
    Filled back(0);
    BOOST_TEST(contains(problem_in([&] { load_model(dir / "best", back.arena); }), "is damaged"));
}

BOOST_AUTO_TEST_CASE(other_precisions_are_converted) {
    const TempDir dir;
    auto tensors = as_tensors(Filled(1).arena);
    tensors[0].tensor = tensors[0].tensor.to(at::kBFloat16);
    tensors[1].tensor = tensors[1].tensor.to(at::kDouble);
    write_safetensors(dir / "x.safetensors", tensors, {});
    Filled back(0);
    load_model(dir / "x.safetensors", back.arena);
    BOOST_TEST(back.arena.weights()[0].equal(Filled(1).arena.weights()[0].to(at::kBFloat16).to(at::kFloat)));
    BOOST_TEST(back.arena.weights()[1].equal(Filled(1).arena.weights()[1]));
}

BOOST_AUTO_TEST_CASE(the_tied_head_may_have_either_name_and_extras_are_counted) {
    const TempDir dir;
    const std::string words = "text_decoder.bert.embeddings.word_embeddings.weight",
                      head = "text_decoder.cls.predictions.";
    Layout layout;
    layout.declare(words, {3, 2}, Init::zeros());
    layout.declare(head + "bias", {3}, Init::zeros());
    const at::Tensor weight = at::arange(6, at::kFloat).reshape({3, 2}), bias = at::arange(3, at::kFloat);
    const auto load = [&](const std::vector<NamedTensor>& tensors) {
        write_safetensors(dir / "x.safetensors", tensors, {});
        Arena arena(layout, 1, 1 << 20, host_allocator(), false);
        load_model(dir / "x.safetensors", arena);
        return arena.weights()[0].equal(weight) && arena.weights()[1].equal(bias);
    };
    init_log(0);
    add_log_file(dir / "log");
    BOOST_TEST(load({{words, weight}, {head + "bias", bias}}));
    BOOST_TEST(load({{head + "decoder.weight", weight}, {head + "decoder.bias", bias}}));
    BOOST_TEST(load({{words, weight},
                     {head + "bias", bias},
                     {head + "decoder.weight", weight.clone()},
                     {head + "decoder.bias", bias.clone()},
                     {"text_decoder.bert.embeddings.position_ids", at::arange(512, at::kLong)}}));
    BOOST_TEST(!contains(read_bytes(dir / "log"), "left aside"));
    BOOST_TEST(load(
        {{words, weight}, {head + "bias", bias}, {"text_encoder.a", bias}, {"text_encoder.b", bias}, {"queue", bias}}));
    BOOST_TEST(contains(read_bytes(dir / "log"), "left aside: 1 x queue, 2 x text_encoder"));
    init_log(0);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
