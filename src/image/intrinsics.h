// The processor's vector instructions, for the files that have a variant of their kernels for each. Internal to the
// image layer.
#pragma once

#if defined(__x86_64__)
// g++ 12 warns of its own header (bug 105593), also where its functions are expanded
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif
