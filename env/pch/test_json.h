// Precompiled header of the tests that use JSON. Built by the Makefile.
#include <boost/test/unit_test.hpp>

#include "env/pch/json.h"
