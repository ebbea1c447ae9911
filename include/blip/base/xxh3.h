// xxHash's functions. On x86-64 the library chooses by the processor it runs on, which hashes two to three times as
// fast as what every x86-64 has; digests are the same.
#pragma once

#include <xxhash.h>

#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>    // IWYU pragma: export
#endif
