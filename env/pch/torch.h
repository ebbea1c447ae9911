// Precompiled header of files that use LibTorch: JSON's, ATen's tensor, and what every ATen/ops/*.h includes before its
// operator (7 s of parsing for each file without it). Built by the Makefile; a file must still include what it uses.
#include <ATen/Context.h>
#include <ATen/DeviceGuard.h>
#include <ATen/TensorOperators.h>
#include <ATen/TensorUtils.h>
#include <ATen/TracerMode.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Reduction.h>
#include <ATen/core/Tensor.h>

#include "env/pch/json.h"
