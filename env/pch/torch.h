// Precompiled header of the layers with LibTorch: the plain one and ATen's tensor. Built by the Makefile; a file must
// still include what it uses, the ATen/ops/*.h of its own operators above all.
#include <ATen/core/Tensor.h>

#include "env/pch/plain.h"
