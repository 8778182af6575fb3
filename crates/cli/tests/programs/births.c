/* Children of vfork(2) and posix_spawn(3), of which the C library's own places come to see to themselves. For each: whether
 * the number that its maker got is the one that it has, and the one that is waited for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
/* What a child of vfork(2) leaves in its maker's memory. */
static volatile pid_t self, parent, inner, inner_self, inner_waited;
static volatile int handled;
static char *program;

static void note(int signal) {
    (void)signal;
    handled++;
}

static pid_t number(void) {
    return (pid_t)syscall(SYS_getpid);
}

static pid_t once(void) {
    self = 0;
    pid_t child = vfork();
    if (child == 0) {
        self = number();
        parent = (pid_t)syscall(SYS_getppid);
        _exit(7);
    }
    return child;
}

/* Each call is made often enough to be seen to. */
static void times(const char *what, int count) {
    int right = 0;
    for (int i = 0; i < count; i++) {
        int status = 0;
        pid_t child = once(), waited = waitpid(-1, &status, 0);
        right += child == self && parent == number() && waited == child && WEXITSTATUS(status) == 7;
    }
    printf("%s: %d of %d\n", what, right, count);
}

static void spawns(const char *what, int count) {
    int right = 0;
    for (int i = 0; i < count; i++) {
        int pipe[2], status = 0;
        pid_t child = 0, told = 0;
        char *arguments[] = {program, "tell", NULL};
        posix_spawn_file_actions_t actions;
        if (pipe2(pipe, O_CLOEXEC) != 0)
            exit(1);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
        if (posix_spawn(&child, program, &actions, NULL, arguments, environ) != 0)
            exit(2);
        posix_spawn_file_actions_destroy(&actions);
        close(pipe[1]);
        pid_t waited = read(pipe[0], &told, sizeof told) > 0 ? waitpid(child, &status, 0) : 0;
        right += told == child && waited == child && WEXITSTATUS(status) == 0;
        close(pipe[0]);
    }
    printf("%s: %d of %d\n", what, right, count);
}

/* A child in its maker's memory that makes one itself, before its maker has its number. */
static void nests(int count) {
    int right = 0;
    for (int i = 0; i < count; i++) {
        pid_t child = vfork();
        if (child == 0) {
            self = number();
            inner = vfork();
            if (inner == 0) {
                inner_self = number();
                _exit(0);
            }
            inner_waited = waitpid(-1, NULL, 0);
            _exit(0);
        }
        pid_t waited = waitpid(-1, NULL, 0);
        right += child == self && inner == inner_self && inner == inner_waited && waited == child;
    }
    printf("one in another: %d of %d\n", right, count);
}

static int notes(void *nothing) {
    (void)nothing;
    self = number();
    return 7;
}

static char stack[1 << 16] __attribute__((aligned(16)));

/* As C libraries do it that want more of clone3(2) than there is. */
static void clone_for(const char *what, int count) {
    int right = 0;
    for (int i = 0; i < count; i++) {
        int status = 0;
        self = 0;
        pid_t child = clone(notes, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        pid_t waited = waitpid(-1, &status, 0);
        right += child == self && waited == child && WEXITSTATUS(status) == 7;
    }
    printf("%s: %d of %d\n", what, right, count);
}

static int clones(void *nothing) {
    (void)nothing;
    times("by a clone in the same memory", 4);
    return 0;
}

static void *thread(void *count) {
    for (int i = 0; i < *(int *)count; i++) {
        pid_t child = vfork();
        if (child == 0)
            _exit(0);
        if (waitpid(child, NULL, 0) != child)
            exit(3);
    }
    return NULL;
}

/* A child that has the memory while other threads run, and make some too. */
static void threads(void) {
    int count = 50;
    pthread_t ids[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&ids[i], NULL, thread, &count);
    for (int i = 0; i < 3; i++)
        pthread_join(ids[i], NULL);
    printf("by threads: done\n");
}

/* There are so many numbers, and the next child is refused one. */
static void limit(void) {
    /* It would be everybody's outside. */
    if (number() > 100)
        exit(4);
    FILE *most = fopen("/proc/sys/kernel/pid_max", "w");
    if (most == NULL || fprintf(most, "%d", 310) < 0 || fclose(most) != 0)
        return;
    static pid_t all[400];
    int made = 0, waited = 0;
    while (made < 400 && (all[made] = fork()) >= 0) {
        if (all[made] == 0)
            for (;;)
                pause();
        made++;
    }
    errno = 0;
    pid_t refused = once();
    printf("at the limit: %d %s, child %d\n", refused, strerror(errno), self);
    for (int i = 0; i < made; i++)
        kill(all[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        waited++;
    printf("%d were made, and %d found\n", made, waited);
    times("and then", 4);
}

int main(int argc, char **argv) {
    program = argv[0];
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1 && strcmp(argv[1], "tell") == 0) {
        pid_t own = number();
        return write(1, &own, sizeof own) != sizeof own;
    }
    if (argc > 1) {
        times("before", 4);
        limit();
        return 0;
    }
    times("vfork", 10);
    spawns("posix_spawn", 10);
    clone_for("clone", 10);
    nests(10);
    times("after that", 4);
    pid_t child = fork();
    if (child == 0) {
        times("by a child", 4);
        nests(4);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    signal(SIGCHLD, note);
    times("with a handler", 10);
    clone_for("with a handler, clone", 10);
    printf("handled: %d\n", handled);
    signal(SIGCHLD, SIG_DFL);
    child = clone(clones, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    waitpid(child, NULL, 0);
    times("after a clone in the same memory", 4);
    threads();
    times("after threads", 4);
    spawns("after threads, posix_spawn", 4);
    child = vfork();
    if (child == 0) {
        execl("/nowhere/at/all", "nothing", NULL);
        _exit(errno == ENOENT ? 5 : 6);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("a program that is not there: %d\n", WEXITSTATUS(status));
    return 0;
}
