/* A stand-in for NVIDIA's driver library, for hosts without a GPU.
 *
 * It does what the file named by $NVML_STANDIN says; without one, no driver is loaded. The file is
 * read at each call, so a test changes the world by replacing it. A line is one of
 *
 *   device UUID TOTAL FREE                    bytes; devices are numbered in their order
 *   process INDEX compute|graphics PID BYTES
 *   fail FUNCTION INDEX CODE                  INDEX -1: for every device, and calls without one
 *   hang FUNCTION INDEX SECONDS               or until the line is gone
 *
 * FUNCTION is the name as exported here. Signatures and codes are those of NVML's documentation.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST 64

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9
};

typedef struct {
    unsigned long long total, free, used;
} memory_t;

typedef struct {
    unsigned int pid;
    unsigned long long used;
    unsigned int gpu_instance, compute_instance;
} process_t;

typedef struct {
    int devices, processes, code;
    double seconds;
    struct {
        char uuid[96];
        memory_t memory;
    } device[MOST];
    struct {
        int index;
        char kind[16];
        process_t process;
    } process[MOST];
} world_t;

static int opened;

/* Read the file; `code` and `seconds` are what it says of this call. Returns 0 without a file. */
static int look(world_t *world, const char *function, int index)
{
    const char *path = getenv("NVML_STANDIN");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[256], name[96];
    int at, code;
    double seconds;

    memset(world, 0, sizeof *world);
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        memory_t *memory = &world->device[world->devices].memory;
        process_t *process = &world->process[world->processes].process;

        if (world->devices < MOST
            && sscanf(line, "device %95s %llu %llu", world->device[world->devices].uuid,
                      &memory->total, &memory->free) == 3) {
            memory->used = memory->total - memory->free;
            world->devices++;
        } else if (world->processes < MOST
                   && sscanf(line, "process %d %15s %u %llu", &world->process[world->processes].index,
                             world->process[world->processes].kind, &process->pid,
                             &process->used) == 4) {
            process->gpu_instance = process->compute_instance = 0xffffffff;
            world->processes++;
        } else if (sscanf(line, "fail %95s %d %d", name, &at, &code) == 3) {
            if (!strcmp(name, function) && (at == index || at == -1))
                world->code = code;
        } else if (sscanf(line, "hang %95s %d %lf", name, &at, &seconds) == 3) {
            if (!strcmp(name, function) && (at == index || at == -1))
                world->seconds = seconds;
        }
    }
    fclose(file);
    return 1;
}

/* What every call begins with: wait if it hangs, and return the code that it fails with. */
static int enter(world_t *world, const char *function, int index)
{
    const struct timespec pause = {0, 10 * 1000 * 1000};
    double waited = 0;

    for (;;) {
        if (!look(world, function, index))
            return DRIVER_NOT_LOADED;
        if (waited >= world->seconds)
            break;
        nanosleep(&pause, NULL);
        waited += 0.01;
    }
    if (world->code)
        return world->code;
    if (index >= world->devices)
        return INVALID_ARGUMENT;
    return SUCCESS;
}

static int index_of(void *device)
{
    return (int)(size_t)device - 1;
}

int nvmlInitWithFlags(unsigned int flags)
{
    world_t world;
    int code = enter(&world, "nvmlInitWithFlags", -1);

    (void)flags;
    if (!code)
        opened = 1;
    return code;
}

int nvmlShutdown(void)
{
    world_t world;
    int code = enter(&world, "nvmlShutdown", -1);

    if (!code)
        opened = 0;
    return code;
}

const char *nvmlErrorString(int code)
{
    (void)code;
    return "an error that the stand-in made up";
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    world_t world;
    int code = enter(&world, "nvmlDeviceGetCount_v2", -1);

    if (!code && !opened)
        code = UNINITIALIZED;
    *count = world.devices;
    return code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
{
    world_t world;

    *device = (void *)(size_t)(index + 1);
    return enter(&world, "nvmlDeviceGetHandleByIndex_v2", (int)index);
}

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned int length)
{
    world_t world;
    int code = enter(&world, "nvmlDeviceGetUUID", index_of(device));

    if (!code)
        snprintf(uuid, length, "%s", world.device[index_of(device)].uuid);
    return code;
}

int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory)
{
    world_t world;
    int code = enter(&world, "nvmlDeviceGetMemoryInfo", index_of(device));

    if (!code)
        *memory = world.device[index_of(device)].memory;
    return code;
}

/* As much as there is room for; a first call without room is how callers ask for the number. */
static int list(const char *function, const char *kind, void *device, unsigned int *count,
                process_t *found)
{
    world_t world;
    unsigned int room = *count;
    int code = enter(&world, function, index_of(device));

    *count = 0;
    for (int i = 0; !code && i < world.processes; i++) {
        if (world.process[i].index != index_of(device) || strcmp(world.process[i].kind, kind))
            continue;
        if (*count < room && found)
            found[*count] = world.process[i].process;
        ++*count;
    }
    return code ? code : *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

#define LIST(name, kind)                                                                          \
    int name(void *device, unsigned int *count, process_t *found)                                  \
    {                                                                                             \
        return list(#name, kind, device, count, found);                                            \
    }

LIST(nvmlDeviceGetComputeRunningProcesses_v2, "compute")
LIST(nvmlDeviceGetComputeRunningProcesses_v3, "compute")
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, "graphics")
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics")
