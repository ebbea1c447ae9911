// Precompiled header of the tests that use neither JSON nor LibTorch. Built by the Makefile.
#include <boost/test/unit_test.hpp>

#include "env/pch/plain.h"
