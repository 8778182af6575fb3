/* Leaves processes behind, in the way that its first argument names; says `ready`; then ends with the code that its
 * second argument names, or stays if that is `stay`, or stays with all signals blocked if that is `listen`.
 *
 * Whoever is left behind sleeps for ten minutes at most, so that a tool that leaves it does no lasting harm. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LASTS 600
#define CHAINS 20

static int ready[2];

static void check(int failed, const char *what) {
    if (failed) {
        perror(what);
        exit(99);
    }
}

/* Tells the first process that one who is to be left is in place. */
static void tell(void) {
    check(write(ready[1], "x", 1) != 1, "write");
}

static void stay(void) {
    time_t end = time(NULL) + LASTS;
    while (time(NULL) < end)
        sleep(LASTS);
    _exit(0);
}

/* Returns in a child. The parent goes on in its caller's caller, by the result 0. */
static int child(void) {
    pid_t pid = fork();
    check(pid < 0, "fork");
    return pid == 0;
}

static void rest(void) {
    tell();
    stay();
}

static void plain(void) {
    if (child())
        rest();
}

static void double_fork(void) {
    if (child()) {
        if (child())
            rest();
        _exit(0);
    }
}

static void session(void) {
    if (child()) {
        setsid();
        rest();
    }
}

static void daemon_(void) {
    if (child()) {
        setsid();
        if (child())
            rest();
        _exit(0);
    }
}

static void group(void) {
    if (child()) {
        setpgid(0, 0);
        rest();
    }
}

static void stopped(void) {
    if (child()) {
        tell();
        raise(SIGSTOP);
        stay();
    }
}

static void deaf(void) {
    if (child()) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for (int signal = 1; signal <= 64; signal++)
            sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        setsid();
        rest();
    }
}

/* A tracer and its tracee, which does nothing without it. */
static void traced(void) {
    if (child()) {
        pid_t pid = fork();
        check(pid < 0, "fork");
        if (pid == 0) {
            check(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0, "ptrace");
            raise(SIGSTOP);
            stay();
        }
        int status;
        waitpid(pid, &status, 0);
        tell();
        rest();
    }
}

/* A parent that waits in vfork(2), which no signal but SIGKILL ends, and the child that it waits for. */
static void vforked(void) {
    if (child()) {
        if (vfork() == 0) {
            tell();
            rest();
        }
        _exit(0);
    }
}

/* Orphans that a subreaper of their own adopts. */
static void subreaper(void) {
    if (child()) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        double_fork();
        daemon_();
        rest();
    }
}

/* Chains of processes each of which lives for `pause_us` only, and has started the next one by then. */
static void storm(long pause_us) {
    time_t end = time(NULL) + 60;
    for (int i = 0; i < CHAINS; i++) {
        if (!child())
            continue;
        setsid();
        tell();
        while (time(NULL) < end) {
            if (pause_us)
                usleep(pause_us);
            if (fork() > 0)
                _exit(0);
        }
        _exit(0);
    }
}

/* One that forks again as soon as its child has been killed. */
static void respawn(void) {
    if (!child())
        return;
    setsid();
    tell();
    for (time_t end = time(NULL) + 60; time(NULL) < end;) {
        if (child())
            stay();
        wait(NULL);
    }
    _exit(0);
}

static void many(long number) {
    while (number-- > 0)
        plain();
}

/* Each the child of the one before. */
static void deep(long number) {
    if (!child())
        return;
    for (tell(); --number > 0 && child(); tell()) {
    }
    stay();
}

/* Starts them and returns how many there will be. */
static long leave(char *way) {
    char *number = strchr(way, ':');
    long count = number ? atol(number + 1) : 1;
    size_t length = number ? (size_t)(number - way) : strlen(way);
#define IS(name) (strlen(name) == length && strncmp(way, name, length) == 0)
    if (IS("nothing")) return 0;
    if (IS("plain")) return plain(), 1;
    if (IS("double-fork")) return double_fork(), 1;
    if (IS("setsid")) return session(), 1;
    if (IS("daemon")) return daemon_(), 1;
    if (IS("group")) return group(), 1;
    if (IS("stopped")) return stopped(), 1;
    if (IS("deaf")) return deaf(), 1;
    if (IS("traced")) return traced(), 2;
    if (IS("vfork")) return vforked(), 2;
    if (IS("subreaper")) return subreaper(), 3;
    if (IS("storm")) return storm(number ? count : 2000), CHAINS;
    if (IS("respawn")) return respawn(), 1;
    if (IS("many")) return many(count), count;
    if (IS("deep")) return deep(count), count;
    fprintf(stderr, "leak: no way %s\n", way);
    exit(98);
}

int main(int count, char **arguments) {
    check(count != 3, "usage: leak WAY[,WAY]... CODE|stay");
    check(pipe(ready) < 0, "pipe");
    long left = 0;
    for (char *way = strtok(arguments[1], ","); way; way = strtok(NULL, ","))
        left += leave(way);
    for (char byte; left > 0; left--)
        check(read(ready[0], &byte, 1) != 1, "read");
    puts("ready");
    fflush(stdout);
    if (strcmp(arguments[2], "listen") == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for (;;)
            pause();
    }
    if (strcmp(arguments[2], "stay") == 0)
        stay();
    return atoi(arguments[2]);
}
