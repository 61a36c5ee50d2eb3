/* What the contestants run.
 *
 *   child BOARD INDEX                 stamp S, then wait for SIGTERM
 *   child BOARD orphans COUNT LIMIT   stamp S, wait for the word to go, leave COUNT dead orphans to
 *                                     PID 1; stamps B (begin), D (the last is made) and C (none is left,
 *                                     or LIMIT ms have passed; the value is how many are left) */
#include "board.h"

static void end(int number) {
    (void)number;
    _exit(0);
}

/* Processes that this pid namespace shows, dead ones too. */
static long processes(void) {
    long count = 0;
    DIR *folder = opendir("/proc");
    if (!folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') count++;
    closedir(folder);
    return count;
}

static void make_orphan(void) {
    pid_t middle;
    while ((middle = fork()) < 0) usleep(500);
    if (middle == 0) {
        while ((middle = fork()) < 0) usleep(500);
        _exit(0);
    }
    while (waitpid(middle, NULL, 0) < 0 && errno == EINTR) {}
}

static void orphans(struct board *board, long count, uint64_t limit_ms) {
    while (!__atomic_load_n(&board->go, __ATOMIC_ACQUIRE)) usleep(1000);
    long before = processes();
    leave_stamp(board, clock_ns(), 'B', 0, before);
    for (long i = 0; i < count; i++) make_orphan();
    uint64_t made = clock_ns();
    leave_stamp(board, made, 'D', 0, count);
    for (;;) {
        long left = processes() - before;
        uint64_t now = clock_ns();
        if (left <= 0 || now - made > limit_ms * 1000000) {
            leave_stamp(board, now, 'C', 0, left > 0 ? left : 0);
            return;
        }
        usleep(100);
    }
}

int main(int argc, char **argv) {
    uint64_t begin = clock_ns();
    if (argc < 3) return 120;
    struct board *board = open_board(argv[1]);
    signal(SIGTERM, end);
    leave_stamp(board, begin, 'S', (uint32_t)atoi(argv[2]), getpid());
    if (argc > 4) orphans(board, atol(argv[3]), (uint64_t)atol(argv[4]));
    for (;;) pause();
}
