// The loss on a split against the reference's forward pass: from a packed file of its pictures and captions, dealt to
// any number of ranks and in batches of any size. Also which captions each rank computes.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <mutex>
#include <set>

#include "blip/data/packed/writer.h"
#include "blip/tasks/caption/split_loss.h"
#include "tests/support/paths.h"
#include "tests/support/torch_golden_model.h"
#include "tests/support/torch_safetensors.h"
#include "tests/tolerances.h"
#include "tests/unit/comm/thread_world.h"

namespace blip::test {
namespace {

// The golden batch as the split "val": each picture with its caption, which it has `times` times.
void pack_golden_batch(const std::filesystem::path& path, const SafetensorsFile& golden, int times) {
    const at::Tensor pixels_IHWC = golden.tensor("images_u8").permute({0, 2, 3, 1}).contiguous();
    const at::Tensor tokens_CT = golden.tensor("input_ids"), lengths_C = golden.tensor("attention_mask").sum(1);
    SplitTables val;
    val.name = "val";
    std::vector<Image> images;
    for (std::int64_t i = 0; i < pixels_IHWC.size(0); ++i) {
        const auto* from = static_cast<const std::uint8_t*>(pixels_IHWC[i].const_data_ptr());
        Image image;
        image.height = static_cast<int>(pixels_IHWC.size(1));
        image.width = static_cast<int>(pixels_IHWC.size(2));
        image.pixels_HWC.assign(from, from + pixels_IHWC[i].numel());
        add_image(val, i, image.height, image.width);
        const std::vector<std::int64_t> row = to_vector(tokens_CT[i].narrow(0, 0, lengths_C[i].item<std::int64_t>()));
        for (int k = 0; k < times; ++k) add_caption(val, i, std::vector<TokenId>(row.begin(), row.end()), "a caption");
        images.push_back(std::move(image));
    }
    PackedWriter writer(path, {"a picture of ", 4, "[PAD]\nword\n", "a test"}, {val});
    for (std::size_t i = 0; i < images.size(); ++i) writer.write_image(0, static_cast<std::int64_t>(i), images[i]);
    writer.commit();
}

}    // namespace

BOOST_AUTO_TEST_SUITE(split_loss_of_the_reference)

BOOST_AUTO_TEST_CASE(equals_its_forward_pass, *boost::unit_test::precondition(has_golden)) {
    const auto model = load_golden_model();
    const SafetensorsFile golden = SafetensorsFile::open(golden_file("forward.safetensors"));
    const double expected = golden.tensor("loss").item<double>();
    const std::int64_t trained =
        golden.tensor("attention_mask").sum().item<std::int64_t>() - 4 * golden.tensor("input_ids").size(0);
    const TempDir dir;
    double worst = 0, without_smoothing = 0;
    for (const int times : {1, 2, 5}) {
        const std::filesystem::path file = dir / std::to_string(times);
        pack_golden_batch(file, golden, times);
        const PackedDataset dataset = PackedDataset::open(file);
        for (const auto& [ranks, captions] : {std::pair{1, 64}, {1, 1}, {1, 3}, {2, 4}, {3, 3}, {4, 2}}) {
            std::mutex mutex;
            run_ranks(ranks, [&, captions = captions](Communicator& comm) {
                SplitLossOptions options{label_smoothing, captions, 6, 1};
                const auto go_on = [] { return false; };
                const SplitLoss loss = split_loss(model->captioner, model->arena.weights(), c10::kCPU, dataset,
                                                  dataset.split("val"), {}, options, go_on, comm);
                const std::lock_guard lock(mutex);
                worst = std::max(worst, std::abs(loss.loss - expected));
                BOOST_TEST(loss.tokens == times * trained);
                BOOST_TEST(!loss.interrupted);
            });
        }
        run_ranks(2, [&](Communicator& comm) {
            const SplitLossOptions options{0, 4, 6, 1};
            const bool told = comm.rank() == 1;
            const SplitLoss stopped = split_loss(
                model->captioner, model->arena.weights(), c10::kCPU, dataset, dataset.split("val"), {}, options,
                [&] { return told; }, comm);
            const SplitLoss loss = split_loss(
                model->captioner, model->arena.weights(), c10::kCPU, dataset, dataset.split("val"), {}, options,
                [] { return false; }, comm);
            if (!stopped.interrupted) throw std::runtime_error("one rank's signal was not seen by the other");
            if (comm.rank() == 0) without_smoothing = loss.loss;
        });
    }
    BOOST_TEST_MESSAGE("compared: the loss on a split with the reference's " << expected << ": " << worst);
    BOOST_TEST(worst <= tolerance::loss);
    BOOST_TEST(std::abs(without_smoothing - expected) > 100 * tolerance::loss);
}

BOOST_AUTO_TEST_CASE(every_caption_of_the_first_images_is_computed_once) {
    SplitTables split;
    split.name = "val";
    for (std::int64_t image = 0; image < 11; ++image) {
        add_image(split, image, 8, 8);
        for (int k = 0; k < static_cast<int>(image % 4); ++k)    // some have no caption
            add_caption(split, image, {SpecialTokens::dec, 7, SpecialTokens::sep}, "x");
    }
    for (const int ranks : {1, 2, 5, 16})
        for (const int captions : {1, 2, 7}) {
            std::set<std::int64_t> seen;
            std::size_t count = 0;
            for (int rank = 0; rank < ranks; ++rank)
                for (const BatchRequest& request : loss_requests(split, 9, captions, rank, ranks)) {
                    BOOST_TEST(!request.captions.empty());
                    BOOST_TEST(static_cast<int>(request.captions.size()) <= captions);
                    for (std::size_t c = 0; c < request.captions.size(); ++c) {
                        if (request.captions[c] == no_caption) continue;
                        const std::int64_t image = request.images.at(c / request.captions_per_image());
                        BOOST_TEST(split.image_index_C[static_cast<std::size_t>(request.captions[c])] == image);
                        BOOST_TEST(image % ranks == rank);
                        BOOST_TEST(image < 9);
                        seen.insert(request.captions[c]);
                        ++count;
                    }
                }
            BOOST_TEST(count == 12U);    // of images 0 to 8: 0 1 2 3 0 1 2 3 0
            BOOST_TEST(seen.size() == count);
        }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
