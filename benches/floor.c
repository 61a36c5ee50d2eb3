/* floor LIST: the least that PID 1 can do, as a measure of what the machine allows. Not a product.
 *
 * Runs each line of LIST (words between single spaces) as a command, starts again at once whatever
 * ends, reaps orphans. SIGTERM: passes it to all, and ends when all have ended. */
#include "board.h"

#define COMMANDS_MAX 2048
#define WORDS_MAX 15

static struct command {
    char *words[WORDS_MAX + 1];
    pid_t pid;
} commands[COMMANDS_MAX];
static int commands_count;

static void read_list(const char *path) {
    static char line[8192];
    FILE *list = fopen(path, "re");
    if (!list) _exit(120);
    while (commands_count < COMMANDS_MAX && fgets(line, sizeof line, list)) {
        char *rest = strdup(line), *word;
        struct command *command = &commands[commands_count];
        int count = 0;
        rest[strcspn(rest, "\n")] = 0;
        while (count < WORDS_MAX && (word = strsep(&rest, " "))) command->words[count++] = word;
        if (count) commands_count++;
    }
    fclose(list);
}

static void run(struct command *command) {
    pid_t pid = vfork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execv(command->words[0], command->words);
        _exit(127);
    }
    command->pid = pid;
}

int main(int argc, char **argv) {
    sigset_t wanted;
    int stopping = 0, alive, status;
    pid_t pid;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    if (argc != 2) return 120;
    read_list(argv[1]);
    for (int i = 0; i < commands_count; i++) run(&commands[i]);
    alive = commands_count;
    for (;;) {
        if (sigwaitinfo(&wanted, NULL) == SIGTERM) {
            stopping = 1;
            for (int i = 0; i < commands_count; i++)
                if (commands[i].pid > 0) kill(commands[i].pid, SIGTERM);
        }
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            int i = 0;
            while (i < commands_count && commands[i].pid != pid) i++;
            if (i == commands_count) continue;
            if (!stopping) {
                run(&commands[i]);
                continue;
            }
            commands[i].pid = 0;
            if (--alive == 0) _exit(0);
        }
    }
}
