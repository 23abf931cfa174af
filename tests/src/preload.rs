//! Small libraries that are loaded into a daemon before its own, to make happen at an exact point
//! what otherwise happens once in a thousand years: a crash between two system calls, a clock
//! that is an hour off.

use std::path::{Path, PathBuf};

use crate::needs;

/// The system's clock, moved. `CLOCK_MONOTONIC` stays as it is.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <time.h>
#include <sys/time.h>
#include <unistd.h>
#include <sys/syscall.h>
#define OFFSET (OFFSET_SECONDS)
int clock_gettime(clockid_t id, struct timespec *t) {
    int r = syscall(SYS_clock_gettime, id, t);
    if (r == 0 && id == CLOCK_REALTIME) t->tv_sec += OFFSET;
    return r;
}
int gettimeofday(struct timeval *t, void *zone) {
    struct timespec now;
    int r = clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec; t->tv_usec = now.tv_nsec / 1000;
    return r;
}
time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
"#;

/// `kill -9` of itself at the next synchronisation (`after` it) or positioned write (`before` it),
/// once the file `ARM` is there and says so. The file is removed: one crash each.
const CRASH: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/types.h>
static int armed(char how) {
    char found = 0;
    int fd = open(ARM, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, &found, 1);
    close(fd);
    return n == 1 && found == how;
}
static void crash(void) { unlink(ARM); kill(getpid(), SIGKILL); for (;;) pause(); }
#define SYNC(name) \
    int name(int fd) { \
        static int (*real)(int); \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
        int r = real(fd); \
        if (armed('s')) crash(); \
        return r; }
SYNC(fsync)
SYNC(fdatasync)
#define WRITE(name, off) \
    ssize_t name(int fd, const void *b, size_t n, off o) { \
        static ssize_t (*real)(int, const void *, size_t, off); \
        if (!real) real = (ssize_t (*)(int, const void *, size_t, off))dlsym(RTLD_NEXT, #name); \
        if (armed('w')) crash(); \
        return real(fd, b, n, o); }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)
"#;

/// Where a daemon is to crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Right after the next time that it has made sure of its disk.
    AfterSync,
    /// Right before the next write into the middle of a file.
    BeforeWrite,
}

impl Point {
    /// The letter that arms it; a shell command may write it too.
    pub fn letter(self) -> char {
        match self {
            Self::AfterSync => 's',
            Self::BeforeWrite => 'w',
        }
    }
}

/// A library in `folder` that moves the clock by so many seconds.
pub fn clock(folder: &Path, seconds: i64) -> PathBuf {
    let library = folder.join("clock.so");
    needs::c_library(&CLOCK.replace("OFFSET_SECONDS", &seconds.to_string()), &library);
    library
}

/// A library in `folder` that crashes its process once the file `arm` says where.
pub fn crash(folder: &Path, arm: &Path) -> PathBuf {
    let library = folder.join("crash.so");
    needs::c_library(&CRASH.replace("ARM", &format!("\"{}\"", arm.display())), &library);
    library
}
