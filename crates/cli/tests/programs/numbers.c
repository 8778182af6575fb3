/* getpid(2), asked often, by processes that come about in every way. Each says whether the C library's function, which may
 * be made to know the number, agrees with the system call, and how often it did not. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int wrong;

static int ask(void) {
    int before = wrong;
    for (int i = 0; i < 20; i++)
        wrong += getpid() != (int)syscall(SYS_getpid);
    return wrong != before;
}

static void say(const char *who, pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    printf("%s: %d, and then %d\n", who, status, ask());
}

static int clones(void *nothing) {
    (void)nothing;
    _exit(ask());
}

static void *thread(void *nothing) {
    ask();
    pid_t child = fork();
    if (child == 0)
        _exit(ask());
    say("fork of a thread", child);
    return nothing;
}

static char stack[1 << 16] __attribute__((aligned(16)));

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    ask();
    if (argc > 1)
        return wrong;
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(ask());
        ask();
        say("fork of a fork", grandchild);
        _exit(wrong);
    }
    say("fork", child);
    for (int i = 0; i < 3; i++) {
        child = vfork();
        if (child == 0)
            _exit(ask());
        say("vfork", child);
    }
    char *arguments[] = {argv[0], "again", NULL};
    posix_spawn(&child, argv[0], NULL, NULL, arguments, environ);
    say("posix_spawn", child);
    child = clone(clones, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    say("clone, in the same memory", child);
    /* The memory is nobody else's again, as far as the kernel knows. */
    child = fork();
    if (child == 0)
        execv(argv[0], arguments);
    say("exec", child);
    pthread_t id;
    pthread_create(&id, NULL, thread, NULL);
    pthread_join(id, NULL);
    printf("threads: %d\n", ask());
    child = fork();
    if (child == 0)
        _exit(ask());
    say("fork at the end", child);
    return wrong;
}
