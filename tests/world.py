"""A hanging disk and a wrong clock for a program under test, by a library that is loaded before libc.

It wraps libc calls of the program: reads, writes and syncs of files under one folder wait while a flag file exists,
and the wall clock is off by the number of seconds in a file.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <sys/time.h>
#include <unistd.h>

static void wait_for_disk(int fd) {
    const char *flag = getenv("DISK_FLAG"), *folder = getenv("DISK_FOLDER");
    char link[64], path[4096];
    if (!flag || !folder || access(flag, F_OK) != 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return;
    path[size] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return;
    while (access(flag, F_OK) == 0) usleep(10000);
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int fsync(int fd) { REAL(fsync); wait_for_disk(fd); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); wait_for_disk(fd); return real(fd); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) {
    REAL(pwrite); wait_for_disk(fd); return real(fd, b, n, at);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
    REAL(pwrite64); wait_for_disk(fd); return real(fd, b, n, at);
}
ssize_t pread(int fd, void *b, size_t n, off_t at) { REAL(pread); wait_for_disk(fd); return real(fd, b, n, at); }
ssize_t pread64(int fd, void *b, size_t n, off64_t at) {
    REAL(pread64); wait_for_disk(fd); return real(fd, b, n, at);
}

static long long clock_is_off(void) {
    const char *path = getenv("CLOCK_FILE");
    long long off = 0;
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%lld", &off) != 1) off = 0;
        fclose(file);
    }
    return off;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += clock_is_off();
    return result;
}
"""


class World:
    """The environment of a program under test.

    Attributes:
        environ: the environment variables for the program.
    """

    def __init__(self, library: Path, folder: Path) -> None:
        self._flag = library.with_name("disk-hangs")
        self._clock = library.with_name("clock")
        self.environ = {
            "LD_PRELOAD": str(library),
            "DISK_FLAG": str(self._flag),
            "DISK_FOLDER": str(folder),
            "CLOCK_FILE": str(self._clock),
        }

    @contextmanager
    def hanging_disk(self) -> Iterator[None]:
        """Make the disk hang while the context is open."""
        self._flag.touch()
        try:
            yield
        finally:
            self._flag.unlink()

    def set_clock(self, off_s: int) -> None:
        """Set how many seconds the wall clock is off from now on."""
        new = self._clock.with_name("clock.new")
        new.write_text(str(off_s))
        new.replace(self._clock)


def make_world(folder: Path, disk: Path) -> World:
    """Return a world with its library in one folder and its disk in another, or skip the test."""
    if (compiler := shutil.which("cc") or shutil.which("gcc")) is None or not Path("/proc/self/fd").exists():
        pytest.skip("it needs a C compiler and /proc")
    library = folder / "world.so"
    source = folder / "world.c"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return World(library, disk)
