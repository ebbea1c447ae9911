// See roofline_batch.h.
#include "tests/fake_cuda/roofline_batch.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "blip/base/error.h"
#include "blip/model/captioner.h"
#include "blip/params/arena.h"
#include "blip/tasks/caption/loss.h"
#include "src/app/device_choice.h"
#include "tests/fake_cuda/fake_cuda.h"

namespace blip::roofline {

namespace {

using fake_cuda::Operand;
using fake_cuda::Operation;

// COCO's captions behind the default prompt, as the training loader pads them: the longest of a micro-batch has 26
// tokens, and of an average one 11.9 are trained (words and the end; the prompt and the padding are not). With tens of
// captions that is a whole number of tokens, so that every size grows evenly.
constexpr std::int64_t longest_caption = 26, trained_tokens_of_ten = 119;

[[noreturn]] void fail(const std::string& text) { throw Error(ExitCode::internal, text); }

// Parts of the network by what their parameters are called.
enum class Network : std::uint8_t { vision, text, head };
Network network_of(const std::string& parameter) {
    if (parameter.rfind("visual_encoder.", 0) == 0) return Network::vision;
    return parameter.rfind("text_decoder.cls.", 0) == 0 ? Network::head : Network::text;
}

TrainedTokens some_tokens(std::int64_t captions) {
    TrainedTokens trained;
    for (std::int64_t i = 0; i < captions * trained_tokens_of_ten / 10; ++i) {
        trained.positions.push_back(i);
        trained.targets.push_back(i);
    }
    return trained;
}

}    // namespace

struct BaseModel::Impl {
    Options options;
    ArenaPlacement placement;
    Captioner captioner;
    Arena arena;

    Impl() : placement(open()), captioner(options.model), arena(made()) {}
    ArenaPlacement open() {
        options.runtime.device = "cuda";
        options.runtime.precision = "bf16";
        return open_device(options.runtime, 0, 1);
    }
    Arena made() const {
        fake_cuda::begin_record(false);    // memory is not filled
        Arena all(captioner.layout(), 1, static_cast<std::int64_t>(options.comm.bucket_mib(true) * 1024 * 1024),
                  device_allocator(placement.device), true, placement);
        fake_cuda::end_record();
        return all;
    }

    // The part of the network whose weights an operation reads.
    Network reads(const Operation& operation, Network otherwise) const {
        for (const Operand& operand : operation.operands) {
            const std::int64_t element = (static_cast<const std::byte*>(operand.memory) -
                                          static_cast<const std::byte*>(arena.weight_address(0))) /
                                         arena.weight_element_bytes();
            if (operand.memory == nullptr || element < 0 || element >= arena.length()) continue;
            for (ParamId id = 0; id < captioner.layout().count(); ++id) {
                const std::int64_t begin = arena.offset(id);
                if (element >= begin && element < begin + captioner.layout().spec(id).element_count())
                    return network_of(captioner.layout().spec(id).name);
            }
        }
        return otherwise;
    }
};

BaseModel::BaseModel() : impl_(std::make_unique<Impl>()) {}
BaseModel::~BaseModel() = default;

namespace {

// Where the parts of the network begin: numbers of autograd's sequence.
struct Boundaries {
    std::uint64_t text = 0, head = 0;
};

Part backward_part(std::uint64_t sequence, const Boundaries& begin) {
    if (sequence == std::numeric_limits<std::uint64_t>::max()) return Part::gradients;    // a leaf's
    return sequence >= begin.head   ? Part::head_backward
           : sequence >= begin.text ? Part::text_backward
                                    : Part::vision_backward;
}

}    // namespace

MicroBatch BaseModel::record(std::int64_t captions, std::int64_t captions_per_picture) const {
    const Impl& model = *impl_;
    if (captions <= 0 || captions % 10 != 0 || captions % captions_per_picture != 0)
        fail("a micro-batch to record has tens of captions and whole pictures");
    const ModelOptions& shape = model.options.model;
    const auto on_device = at::TensorOptions().device(model.placement.device);
    const at::Tensor images =
        at::empty({captions / captions_per_picture, 3, shape.image_size, shape.image_size}, on_device.dtype(at::kByte));
    const at::Tensor tokens = at::empty({captions, longest_caption}, on_device.dtype(at::kLong));
    DropoutMasks dropout(model.options.loss.dropout, 1);

    fake_cuda::begin_record(false);
    at::Tensor loss = caption_loss(model.captioner, model.arena.weights(), images, tokens, some_tokens(captions),
                                   model.options.loss.label_smoothing, dropout) *
                      0.5;
    std::vector<Operation> forward = fake_cuda::end_record();
    fake_cuda::begin_record(false);
    loss.backward();
    std::vector<Operation> backward = fake_cuda::end_record();
    loss.reset();

    MicroBatch steps;
    Boundaries begin;
    Network now = Network::vision;
    std::uint64_t last = 0;
    for (Operation& operation : forward) {
        // The word embeddings are the head's, too.
        const Network next = std::max(now, model.reads(operation, now));
        if (next != now) (next == Network::text ? begin.text : begin.head) = last;
        now = next;
        last = operation.sequence;
        steps.push_back({std::move(operation), static_cast<Part>(now)});
    }
    if (begin.text == 0 || begin.head <= begin.text) fail("the parts of the network do not follow one another");
    // Where several gradients of one tensor are added up, autograd is in no operator's backward: it is in the one's
    // whose gradient came last.
    Part part = Part::head_backward;
    for (Operation& operation : backward) {
        const Part own = operation.backward ? backward_part(operation.sequence, begin) : part;
        if (own != Part::gradients) part = own;
        steps.push_back({std::move(operation), own});
    }
    return steps;
}

namespace {

std::int64_t at_captions(std::int64_t small, std::int64_t large, const Recorded& a, const Recorded& b,
                         std::int64_t captions) {
    return small + (large - small) * (captions - a.captions) / (b.captions - a.captions);
}

bool same_kind(const Step& a, const Step& b) {
    const auto same_operand = [](const Operand& x, const Operand& y) {
        return x.type == y.type && x.written == y.written && x.sizes.size() == y.sizes.size();
    };
    const auto &one = a.operation.operands, &other = b.operation.operands;
    return a.part == b.part && a.operation.name == b.operation.name &&
           std::equal(one.begin(), one.end(), other.begin(), other.end(), same_operand);
}

}    // namespace

MicroBatch extrapolate(const Recorded& small, const Recorded& large, std::int64_t captions) {
    for (std::size_t i = 0; i < std::max(small.steps.size(), large.steps.size()); ++i) {
        if (i < small.steps.size() && i < large.steps.size() && same_kind(small.steps[i], large.steps[i])) continue;
        const auto there = [i](const Recorded& recorded) {
            return i < recorded.steps.size() ? describe(recorded.steps[i].operation) : "nothing";
        };
        fail(
            fmt::format("what runs depends on the micro-batch, so nothing can be said of other sizes: operation {} of "
                        "{} captions is "
                        "{}, of {} captions {}",
                        i, small.captions, there(small), large.captions, there(large)));
    }
    MicroBatch steps = small.steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        for (std::size_t o = 0; o < steps[i].operation.operands.size(); ++o) {
            Operand& operand = steps[i].operation.operands[o];
            const Operand& other = large.steps[i].operation.operands[o];
            for (std::size_t d = 0; d < operand.sizes.size(); ++d) {
                operand.sizes[d] = at_captions(operand.sizes[d], other.sizes[d], small, large, captions);
                operand.strides[d] = at_captions(operand.strides[d], other.strides[d], small, large, captions);
            }
            operand.memory = nullptr;
        }
    }
    return steps;
}

std::string part_name(Part part) {
    constexpr std::array<const char*, static_cast<std::size_t>(Part::count)> names = {
        "vision forward", "text forward",    "head and loss forward", "head and loss backward",
        "text backward",  "vision backward", "gradients into arena"};
    return names.at(static_cast<std::size_t>(part));
}

bool alike(const Operation& a, const Operation& b, double share) {
    const auto close = [share](std::int64_t x, std::int64_t y) {
        return std::abs(static_cast<double>(x - y)) <= share * static_cast<double>(std::max(x, y));
    };
    const auto alike_operands = [&](const Operand& x, const Operand& y) {
        return x.type == y.type && x.written == y.written &&
               std::equal(x.sizes.begin(), x.sizes.end(), y.sizes.begin(), y.sizes.end(), close);
    };
    return a.name == b.name &&
           std::equal(a.operands.begin(), a.operands.end(), b.operands.begin(), b.operands.end(), alike_operands);
}

std::string describe(const Operation& operation) {
    std::string text = operation.name;
    for (const Operand& operand : operation.operands)
        text += fmt::format(" {}{}[{}]", operand.written ? ">" : "", c10::toString(operand.type),
                            fmt::join(operand.sizes, ","));
    return text;
}

}    // namespace blip::roofline
