// How fast this machine multiplies matrices, to say which share of that a run reaches. Called by the trainer once,
// before the first step.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace blip {

// Floating-point operations a second (a multiplication and an addition are two) of the best product of two large square
// matrices among those that fit into about so many seconds, with this process' threads. The device must do nothing else
// meanwhile; other processes that measure at the same time share the machine as they do while training.
double matrix_peak(c10::Device device, at::ScalarType precision, double seconds);

}    // namespace blip
