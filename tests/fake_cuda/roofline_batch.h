// Forward and backward of one micro-batch of the base model as the trainer runs them, recorded on the pretended device
// without computing, and the same for other sizes of micro-batch. Used by build/tests/roofline and its tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/fake_cuda/record.h"

namespace blip::roofline {

enum class Part : std::uint8_t {
    vision_forward,
    text_forward,
    head_forward,    // and the loss
    head_backward,
    text_backward,
    vision_backward,
    gradients,    // autograd's additions to the arena's gradients
    count
};
std::string part_name(Part part);

struct Step {
    fake_cuda::Operation operation;
    Part part = Part::vision_forward;
};
using MicroBatch = std::vector<Step>;

// --model base in bf16 with its gradients on the pretended device.
class BaseModel {
  public:
    BaseModel();
    ~BaseModel();
    BaseModel(const BaseModel&) = delete;

    // So many captions of each picture. The update of the weights is not in it. captions: a multiple of ten (see
    // trained_tokens_of_ten in the source) and of captions_per_picture.
    MicroBatch record(std::int64_t captions, std::int64_t captions_per_picture = 1) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Two recorded micro-batches of different sizes, whose operations must be the same but for their sizes: every size
// is a constant plus a share of the captions, and so the sizes of any micro-batch follow. Throws Error, in words, if
// an operation's name, types or number of dimensions depend on the micro-batch.
struct Recorded {
    std::int64_t captions = 0;
    MicroBatch steps;
};
MicroBatch extrapolate(const Recorded& small, const Recorded& large, std::int64_t captions);

// "addmm [384,768] x ..." for messages and --operations: name and the operands' sizes.
// The same operation on operands whose sizes differ by this share at most.
bool alike(const fake_cuda::Operation& a, const fake_cuda::Operation& b, double share);
std::string describe(const fake_cuda::Operation& operation);

}    // namespace blip::roofline
