/* A wall clock that a test sets: what CLOCK_REALTIME is ahead of the machine's own, in seconds, is read from a file.

   Loaded with LD_PRELOAD, the file named by TEST_WALL_CLOCK. Other clocks are as they are.
   cc -shared -fPIC -o wall_clock.so wall_clock.c -ldl */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long ahead_ns(void) {
    static int file = -2;
    char text[64] = "";
    if (file == -2) {
        const char *path = getenv("TEST_WALL_CLOCK");
        file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    }
    if (file < 0 || pread(file, text, sizeof text - 1, 0) <= 0)
        return 0;
    return (long long)(atof(text) * 1e9);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        long long time = now->tv_sec * 1000000000LL + now->tv_nsec + ahead_ns();
        now->tv_sec = time / 1000000000LL;
        now->tv_nsec = time % 1000000000LL;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    int failed = clock_gettime(CLOCK_REALTIME, &found);
    (void)zone;
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now)
        *now = found.tv_sec;
    return found.tv_sec;
}
