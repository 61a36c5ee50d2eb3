/* enter BOARD LOG PROGRAM ARG...
 *
 * Runs PROGRAM as PID 1 of a new pid namespace with its own /proc, output to LOG. Stamps P (value: its pid
 * out here), X (just before it is executed) and E (its end was seen; value: wait status). Who is not
 * root gets a user namespace too. All of it ends with whoever started it. */
#include "board.h"

static void fail(const char *what) {
    perror(what);
    exit(121);
}

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
    close(fd);
}

static void become_root_inside(void) {
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER) != 0) fail("a user namespace");
    put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    put("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    put("/proc/self/gid_map", map);
}

static void become_program(struct board *board, char **argv) {
    int input, output;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) fail("mount /proc");
    /* As in a container: what a contestant puts there is its own. */
    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, NULL) != 0) fail("mount /run");
    setsid();
    input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    output = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (input < 0 || output < 0) fail(argv[2]);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    leave_stamp(board, clock_ns(), 'X', 0, 0);
    execv(argv[3], argv + 3);
    perror(argv[3]);
    _exit(121);
}

int main(int argc, char **argv) {
    int status = 0;
    if (argc < 4) return 120;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct board *board = open_board(argv[1]);
    if (geteuid() != 0) become_root_inside();
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) fail("a pid namespace");
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("private mounts");
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) become_program(board, argv);
    leave_stamp(board, clock_ns(), 'P', 0, pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    leave_stamp(board, clock_ns(), 'E', 0, status);
    return 0;
}
