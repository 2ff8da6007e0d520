/* A wall clock that a test sets, for one process: loaded with LD_PRELOAD.
 *
 * The file named by $WALLCLOCK holds how far the clock is ahead of the real one: eight bytes, a
 * signed number of seconds in the machine's order. It is mapped, so that a jump is there at once.
 * Only CLOCK_REALTIME is changed. Waits until a moment of that clock behave as the kernel's do: when
 * it is set forward they end, when it is set back they last longer.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define SLICE_NS 20000000L
#define SECOND_NS 1000000000L
/* Moments before this are of the monotonic clock: no machine has run for as long. */
#define MONOTONIC_UNTIL 1000000000L

static const int64_t never = 0;
static const volatile int64_t *ahead = &never;
static __typeof__(&clock_gettime) real_clock_gettime;
static __typeof__(&syscall) real_syscall;

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv("WALLCLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    real_clock_gettime = REAL(clock_gettime);
    real_syscall = REAL(syscall);
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof never, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        ahead = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!real_clock_gettime)
        load();
    int result = real_clock_gettime(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *ahead;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *stored)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (stored)
        *stored = now.tv_sec;
    return now.tv_sec;
}

/* How long a wait may sleep before it looks at the clock again; 0 once the moment has come. */
static struct timespec slice_until(const struct timespec *moment)
{
    struct timespec now, left = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t seconds = (int64_t)moment->tv_sec - now.tv_sec;
    if (seconds < -1)
        return left;
    int64_t ns = seconds > 1 ? SLICE_NS : seconds * SECOND_NS + moment->tv_nsec - now.tv_nsec;
    if (ns > 0)
        left.tv_nsec = ns < SLICE_NS ? ns : SLICE_NS;
    return left;
}

static int over(struct timespec slice) { return slice.tv_nsec == 0; }

/* The real moment at which a slice ends. */
static struct timespec end_of(struct timespec slice)
{
    struct timespec end;
    real_clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += slice.tv_nsec;
    if (end.tv_nsec >= SECOND_NS) {
        end.tv_sec++;
        end.tv_nsec -= SECOND_NS;
    }
    return end;
}

static long wait_on_futex(long *arguments)
{
    const struct timespec *moment = (const struct timespec *)arguments[3];
    int operation = (int)arguments[1] & ~FUTEX_CLOCK_REALTIME;
    for (;;) {
        struct timespec slice = slice_until(moment), now, end;
        if (over(slice)) {
            errno = ETIMEDOUT;
            return -1;
        }
        real_clock_gettime(CLOCK_MONOTONIC, &now);
        end.tv_sec = now.tv_sec + (now.tv_nsec + slice.tv_nsec) / SECOND_NS;
        end.tv_nsec = (now.tv_nsec + slice.tv_nsec) % SECOND_NS;
        long result = real_syscall(SYS_futex, arguments[0], (long)operation, arguments[2], &end,
                                   arguments[4], arguments[5]);
        if (result == 0 || errno != ETIMEDOUT)
            return result;
    }
}

long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int n = 0; n < 6; n++)
        arguments[n] = va_arg(list, long);
    va_end(list);
    if (!real_syscall)
        load();
    if (number == SYS_clock_gettime) /* gRPC's way to ask */
        return clock_gettime((clockid_t)arguments[0], (struct timespec *)arguments[1]);
    if (number == SYS_futex && arguments[3] && (arguments[1] & FUTEX_CLOCK_REALTIME) &&
        (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET)
        return wait_on_futex(arguments);
    return real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict moment)
{
    __typeof__(&pthread_cond_timedwait) real = REAL(pthread_cond_timedwait);
    if (moment->tv_sec < MONOTONIC_UNTIL)
        return real(condition, mutex, moment);
    for (;;) {
        struct timespec slice = slice_until(moment);
        if (over(slice))
            return ETIMEDOUT;
        struct timespec end = end_of(slice);
        int result = real(condition, mutex, &end);
        if (result != ETIMEDOUT)
            return result;
    }
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict moment)
{
    __typeof__(&sem_timedwait) real = REAL(sem_timedwait);
    for (;;) {
        struct timespec slice = slice_until(moment);
        struct timespec end = end_of(slice);
        if (real(semaphore, &end) == 0)
            return 0;
        if (errno != ETIMEDOUT || over(slice))
            return -1;
    }
}
