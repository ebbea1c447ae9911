// Stands in for libnvidia-ml.so.1 (tests/support/gpu_lib.sh). What it tells of a GPU are lines "NAME VALUE" of the file
// FAKE_GPUS/ADDRESS; a GPU without a file it does not know. FAKE_GPUS/ADDRESS.xid has a line for each of its errors, in the
// order in which they come; without that file it reports none. -DOLD: the names of drivers before R535 and R570. Numbers of
// errors, sensors and clocks are those of NVML's reference.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { not_supported = 3, not_found = 6, no_event_came = 10 };
typedef struct { char address[32]; } * Device;
static int started;
int nvmlInit_v2(void) { started = 1; return getenv("FAKE_NVML_ERROR") ? 9 : 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* address, Device* device) {
    if (!started) return 1;
    *device = calloc(1, sizeof **device);
    strncpy((*device)->address, address, 31);
    char name[4096];
    snprintf(name, sizeof name, "%s/%s", getenv("FAKE_GPUS"), address);
    FILE* file = fopen(name, "r");
    if (!file) return not_found;
    fclose(file);
    return 0;
}
static int told(Device device, const char* what, unsigned long long* value) {
    char name[4096], line[256];
    int result = not_supported;
    snprintf(name, sizeof name, "%s/%s", getenv("FAKE_GPUS"), device->address);
    FILE* file = fopen(name, "r");
    if (!file) return 15;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, what, strlen(what)) && line[strlen(what)] == ' ') {
            *value = strtoull(line + strlen(what), NULL, 0);
            result = 0;
        }
    fclose(file);
    return result;
}
static int told_unsigned(Device device, const char* what, unsigned* value) {
    unsigned long long number = 0;
    const int result = told(device, what, &number);
    *value = (unsigned)number;
    return result;
}
#ifdef OLD
int nvmlDeviceGetTemperature(Device device, unsigned sensor, unsigned* value) { return sensor ? 2 : told_unsigned(device, "temperature", value); }
int nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long* value) { return told(device, "reasons", value); }
#else
typedef struct { unsigned version, sensor; int celsius; } Temperature;
int nvmlDeviceGetTemperatureV(Device device, Temperature* value) {
    return value->version != 0x100000C ? 25 : value->sensor ? 2 : told_unsigned(device, "temperature", (unsigned*)&value->celsius);
}
int nvmlDeviceGetCurrentClocksEventReasons(Device device, unsigned long long* value) { return told(device, "reasons", value); }
// An event set of one device. What came before it was registered is not told; a line "clock" is an event of another kind.
typedef struct { Device device; int told; } * Set;
typedef struct { Device device; unsigned long long type, data; unsigned gpu_instance, compute_instance; } Event;
static FILE* errors_of(Device device) {
    char name[4096];
    snprintf(name, sizeof name, "%s/%s.xid", getenv("FAKE_GPUS"), device->address);
    return fopen(name, "r");
}
int nvmlEventSetCreate(Set* set) { *set = calloc(1, sizeof **set); return 0; }
int nvmlEventSetFree(Set set) { free(set); return 0; }
int nvmlDeviceRegisterEvents(Device device, unsigned long long types, Set set) {
    char line[64];
    FILE* file = errors_of(device);
    if (types != 8) return 2;
    if (!file) return not_supported;
    set->device = device;
    while (fgets(line, sizeof line, file)) ++set->told;
    fclose(file);
    return 0;
}
int nvmlEventSetWait_v2(Set set, Event* event, unsigned milliseconds) {
    char line[64];
    if (milliseconds) abort();    // who asks has no time to wait
    FILE* file = set->device ? errors_of(set->device) : NULL;
    if (!file) return no_event_came;
    int at = 0;
    while (fgets(line, sizeof line, file) && at < set->told) ++at;
    const int ended = feof(file);
    fclose(file);
    if (ended) return no_event_came;
    ++set->told;
    memset(event, 0xff, sizeof *event);
    event->device = set->device;
    event->type = strncmp(line, "clock", 5) ? 8 : 16;
    event->data = strtoull(line, NULL, 10);
    return 0;
}
#endif
int nvmlDeviceGetPowerUsage(Device device, unsigned* milliwatts) { return told_unsigned(device, "milliwatts", milliwatts); }
int nvmlDeviceGetClockInfo(Device device, int which, unsigned* mhz) { return told_unsigned(device, which == 1 ? "sm" : which == 2 ? "memory" : "?", mhz); }
int nvmlDeviceGetMaxClockInfo(Device device, int which, unsigned* mhz) { return told_unsigned(device, which == 1 ? "sm_max" : "?", mhz); }
int nvmlDeviceGetTotalEccErrors(Device device, int type, int counter, unsigned long long* count) {
    return type == 1 && counter == 0 ? told(device, "ecc", count) : 2;
}
