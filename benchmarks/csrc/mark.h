/* One line of a stamp file: a tag and a CLOCK_MONOTONIC time, written by one write(). */
#ifndef MARK_H
#define MARK_H
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int mark(int fd, char tag, const struct timespec *at) {
    char line[64];
    int n = snprintf(line, sizeof line, "%c %lld.%09ld\n", tag, (long long)at->tv_sec, at->tv_nsec);
    return write(fd, line, n) == n ? 0 : -1;
}
#endif
