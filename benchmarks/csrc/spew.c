/* spew STAMPFILE LINES [LINE_BYTES=100]
 *
 * Prints numbered lines of exactly LINE_BYTES bytes (newline included) to stdout as fast as they
 * are taken, in writes of about 64 KiB, and stamps its start and its end into STAMPFILE. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

enum { CHUNK = 65536, NUMBER = 9 };

static int stamp_now(int fd, char tag) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return mark(fd, tag, &now);
}

static int put(const char *buffer, size_t size) {
    while (size > 0) {
        ssize_t written = write(1, buffer, size);
        if (written <= 0) return -1;
        buffer += written;
        size -= written;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    long lines = atol(argv[2]);
    int width = argc > 3 ? atoi(argv[3]) : 100;
    if (width <= NUMBER) return 2;
    char *buffer = malloc(CHUNK + width);
    int fd = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC | O_APPEND, 0666);
    if (!buffer || fd < 0 || stamp_now(fd, 'S')) return 3;
    size_t used = 0;
    for (long i = 1; i <= lines; i++) {
        char number[24];
        snprintf(number, sizeof number, "%08ld ", i);
        memcpy(buffer + used, number, NUMBER);
        memset(buffer + used + NUMBER, '#', width - NUMBER - 1);
        buffer[used + width - 1] = '\n';
        used += width;
        if (used >= CHUNK || i == lines) {
            if (put(buffer, used)) return 6;
            used = 0;
        }
    }
    _exit(stamp_now(fd, 'E') ? 4 : 0);
}
