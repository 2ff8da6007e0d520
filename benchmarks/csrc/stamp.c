/* stamp FILE [SLEEP_MS [EXIT_CODE]]
 *
 * Writes "S <monotonic seconds>" to FILE as its first act, sleeps, writes "E <monotonic seconds>"
 * as its last act and leaves by _exit(): the frame's own view of its first and last instruction. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

int main(int argc, char **argv) {
    struct timespec began, pause = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &began);
    if (argc < 2) return 2;
    int fd = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC | O_APPEND, 0666);
    if (fd < 0) return 3;
    if (mark(fd, 'S', &began)) return 4;
    if (argc > 2) {
        long ms = atol(argv[2]);
        pause.tv_sec = ms / 1000;
        pause.tv_nsec = (ms % 1000) * 1000000L;
        nanosleep(&pause, NULL);
    }
    struct timespec ended;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (mark(fd, 'E', &ended)) return 5;
    _exit(argc > 3 ? atoi(argv[3]) : 0);
}
