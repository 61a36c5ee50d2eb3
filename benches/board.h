/* The board: a file in shared memory on which everything that a measurement starts leaves stamps.
 * All of them read the same monotonic clock, so the harness's own polling is in no number. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stamp {
    uint64_t ns; /* written last: a reader takes zero as not yet there */
    uint32_t kind;
    uint32_t index;
    int64_t value;
};

struct board {
    uint64_t taken;
    uint64_t go;
    uint64_t capacity;
    uint64_t spare;
    struct stamp stamps[];
};

static inline uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline struct board *open_board(const char *path) {
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        perror(path);
        exit(120);
    }
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
        perror(path);
        exit(120);
    }
    return memory;
}

static inline void leave_stamp(struct board *board, uint64_t ns, char kind, uint32_t index, int64_t value) {
    uint64_t place = __atomic_fetch_add(&board->taken, 1, __ATOMIC_RELAXED);
    if (place >= board->capacity) return;
    struct stamp *stamp = &board->stamps[place];
    stamp->kind = (uint32_t)kind;
    stamp->index = index;
    stamp->value = value;
    __atomic_store_n(&stamp->ns, ns, __ATOMIC_RELEASE);
}
