// A run with bf16 weights goes on from a checkpoint to the same bits, also on another number of ranks.
#include <boost/test/unit_test.hpp>

#include "blip/optim/grad_reducer.h"
#include "tests/support/paths.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(bf16_resume)

// bf16 weights: four steps, a checkpoint, and on with any number of ranks. One rank holds the gradient, so that sums
// are exact and the number of ranks changes no bit.
BOOST_AUTO_TEST_CASE(a_bf16_run_goes_on_bit_for_bit_on_any_number_of_ranks) {
    struct Training {
        Arena arena;
        GradReducer reducer;
        ShardedAdamW optimizer;
        Communicator& comm;
        explicit Training(Communicator& c)
            : arena(toy_layout(), c.size(), 700, host_allocator(), true, {at::kCPU, at::kBFloat16}),
              reducer(arena, c),
              optimizer(arena, c, {}),
              comm(c) {}
        void steps(int begin, int end) {
            for (int step = begin; step < end; ++step) {
                reducer.begin_step();
                if (comm.rank() == step % comm.size())
                    fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 100 + step);
                reducer.finish();
                optimizer.step(reducer, 1e-4);
            }
        }
    };
    const TempDir dir;
    const auto model_after = [&](Training& training, const std::string& name) {
        save_model(dir / name, training.arena, training.optimizer.state(), training.comm, {}, "");
    };
    run_ranks(2, [&](Communicator& comm) {
        Training training(comm);
        write_toy(training.arena, training.optimizer.weight_sink(), 1);
        training.steps(0, 4);
        CheckpointWriter writer(dir / "run", 2, comm);
        writer.start_save(toy_manifest(400), training.arena, training.optimizer.state());
        writer.wait_for_snapshot();
        training.steps(4, 8);    // while it is written
        if (!writer.finish_save()) throw std::runtime_error("save failed");
        model_after(training, "undisturbed");
    });
    const std::string wanted = read_bytes(dir / "undisturbed" / "model.safetensors");
    for (const int size : {1, 2, 3, 4}) {
        run_ranks(size, [&](Communicator& comm) {
            Training training(comm);
            load_checkpoint(find_newest_checkpoint(dir / "run", comm).value(), training.arena,
                            training.optimizer.state(), training.optimizer.weight_sink());
            training.steps(4, 8);
            model_after(training, std::to_string(size));
        });
        BOOST_TEST((read_bytes(dir / std::to_string(size) / "model.safetensors") == wanted), size << " ranks");
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
