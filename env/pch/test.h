// Precompiled header of the tests that need no LibTorch. Built by the Makefile.
#include <boost/test/unit_test.hpp>

#include "env/pch/plain.h"
