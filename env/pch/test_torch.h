// Precompiled header of the tests that use LibTorch. Built by the Makefile.
#include <boost/test/unit_test.hpp>

#include "env/pch/torch.h"
