/* spew STAMPFILE LINES [LINE_BYTES=100 [KB_PER_SECOND=0]]
 *
 * Prints numbered lines of exactly LINE_BYTES bytes (newline included) to stdout, in writes of about
 * 64 KiB, and stamps its start and its end into STAMPFILE. As fast as they are taken, or with a
 * rest after each write so that there are never more than KB_PER_SECOND. */
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

/* Rests until as many bytes as were written since `began` are due. */
static void rest(const struct timespec *began, double bytes, double bytes_per_second) {
    double due = bytes / bytes_per_second;
    struct timespec until = *began;
    until.tv_sec += (time_t)due;
    until.tv_nsec += (long)((due - (time_t)due) * 1e9);
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    long lines = atol(argv[2]);
    int width = argc > 3 ? atoi(argv[3]) : 100;
    double rate = argc > 4 ? atof(argv[4]) * 1000 : 0;
    if (width <= NUMBER) return 2;
    struct timespec began;
    clock_gettime(CLOCK_MONOTONIC, &began);
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
            if (rate > 0) rest(&began, (double)i * width, rate);
        }
    }
    _exit(stamp_now(fd, 'E') ? 4 : 0);
}
