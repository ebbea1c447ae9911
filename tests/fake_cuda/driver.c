// Stands in for libcuda.so.1, of which tests/support/gpu_lib.sh needs the GPUs' addresses alone. CUDA counts the GPUs that
// CUDA_VISIBLE_DEVICES leaves: here those from FAKE_FIRST_GPU on.
#include <stdio.h>
#include <stdlib.h>
int cuDeviceGetPCIBusId(char* address, int length, int device) {
    const char* first = getenv("FAKE_FIRST_GPU");
    snprintf(address, length, "0000:%02x:00.0", 0x10 + device + (first ? atoi(first) : 0));
    return 0;
}
