/* A disk that can lose its power: of each file in one folder, another folder has what is surely on the disk.

   That is the content when fsync or fdatasync was last called for it: they copy the whole file. What was written since,
   or only made longer or shorter, may be on the disk or not: tests/power_cut.py makes up what is. A file that was
   removed or renamed is so at once, because a file system with a journal keeps the order of such changes, and programs
   here do nothing to a folder that they need later. A kill in the middle of a copy leaves the copy before.

   Loaded with LD_PRELOAD. TEST_POWER_CUT_FILES is the folder with the files, TEST_POWER_CUT_SYNCED the other one; both
   are absolute, and have no folders in them.
   cc -shared -fPIC -o power_cut.so power_cut.c */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Write where the copy of a file is. Return 0 if the file is in another folder. */
static int copy_of(const char *path, char *copy) {
    const char *files = getenv("TEST_POWER_CUT_FILES"), *synced = getenv("TEST_POWER_CUT_SYNCED");
    size_t length = files ? strlen(files) : 0;
    if (!length || !synced || strncmp(path, files, length) || path[length] != '/')
        return 0;
    return snprintf(copy, PATH_MAX, "%s/%s", synced, path + length + 1) < PATH_MAX;
}

static void fail(const char *what) {
    perror(what);
    abort();
}

/* Copy a file that was synced. Opening it anew and closing it would drop the locks that this process has on it. */
static void keep(int file) {
    static __thread char chunk[1 << 16];
    char link[64], path[PATH_MAX], copy[PATH_MAX], part[PATH_MAX + 8];
    struct stat found;
    off_t at = 0;
    ssize_t length;
    int output;
    if (fstat(file, &found) || !S_ISREG(found.st_mode) || !found.st_nlink)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = 0;
    if (!copy_of(path, copy))
        return;
    snprintf(part, sizeof part, "%s.part", copy);
    output = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (output < 0)
        fail(part);
    while ((length = pread(file, chunk, sizeof chunk, at)) > 0) {
        if (write(output, chunk, length) != length)
            fail(part);
        at += length;
    }
    if (length < 0)
        fail(path);
    close(output);
    if (syscall(SYS_renameat2, AT_FDCWD, part, AT_FDCWD, copy, 0))
        fail(part);
}

int fsync(int file) {
    int failed = syscall(SYS_fsync, file);
    if (!failed)
        keep(file);
    return failed;
}

int fdatasync(int file) {
    int failed = syscall(SYS_fdatasync, file);
    if (!failed)
        keep(file);
    return failed;
}

int unlink(const char *path) {
    char copy[PATH_MAX];
    int failed = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!failed && copy_of(path, copy))
        syscall(SYS_unlinkat, AT_FDCWD, copy, 0);
    return failed;
}

int rename(const char *from, const char *to) {
    char copy_from[PATH_MAX], copy_to[PATH_MAX];
    int failed = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!failed && copy_of(from, copy_from) && copy_of(to, copy_to))
        syscall(SYS_renameat2, AT_FDCWD, copy_from, AT_FDCWD, copy_to, 0);
    return failed;
}
