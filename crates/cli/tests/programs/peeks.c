/* wait4(2) that does not wait, asked often, where there is nothing and where there is something. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int door[2];

/* Who waits for the door to close. */
static pid_t waits(int code) {
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(door[1]);
        while (read(door[0], &byte, 1) > 0)
            ;
        _exit(code);
    }
    return child;
}

/* Looks often, and then until there is something. Says what was found first, and what after the door had closed. */
static void look(const char *who, int code) {
    int nothing = 0, status = 0;
    pid_t child, found;
    if (pipe(door) != 0)
        exit(1);
    child = waits(code);
    for (int i = 0; i < 10; i++)
        nothing += waitpid(-1, &status, WNOHANG) == 0;
    close(door[0]);
    close(door[1]);
    while ((found = waitpid(-1, &status, WNOHANG)) == 0)
        ;
    printf("%s: %d times nothing, then %s, %d\n", who, nothing,
           found == child ? "the child" : found < 0 ? "an error" : "somebody else", WEXITSTATUS(status));
    errno = 0;
    found = waitpid(-1, &status, WNOHANG);
    printf("%s: and then %d, ECHILD %d\n", who, found, errno == ECHILD);
}

/* A child of a child, whose parent ends: it is ours then, if we collect orphans. We have another child all the while. */
static void orphan(const char *who) {
    int status = 0;
    pid_t bystander = fork(), child, found;
    if (bystander == 0)
        for (;;)
            pause();
    if (pipe(door) != 0)
        exit(1);
    child = fork();
    if (child == 0) {
        waits(9);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    for (int i = 0; i < 10; i++)
        if (waitpid(-1, NULL, WNOHANG) != 0)
            exit(2);
    close(door[0]);
    close(door[1]);
    while ((found = waitpid(-1, &status, WNOHANG)) == 0)
        ;
    printf("%s: an orphan, %d, %d\n", who, found > 0, WEXITSTATUS(status));
    kill(bystander, SIGKILL);
    waitpid(bystander, NULL, 0);
}

/* A filter that lets wait in one way only. */
static void confine(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_waitid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
        exit(3);
}

/* A child that is number 1 of another namespace, and first runs in our memory, where looks are made often. */
static void nest(char *program) {
    int status = 0;
    if (unshare(CLONE_NEWPID) != 0)
        exit(4);
    pid_t child = vfork();
    if (child == 0) {
        execl(program, program, "init", NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    printf("number 1: %d\n", status);
    child = fork();
    printf("its namespace: %d, ENOMEM %d\n", child, errno == ENOMEM);
}

int main(int argc, char **argv) {
    int status = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    look("at first", 3);
    look("again", 4);
    if (argc > 1) {
        if (getpid() == 1)
            orphan("number 1");
        else
            nest(argv[0]);
        return 0;
    }
    pid_t child = fork();
    if (child == 0) {
        look("a child", 5);
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        orphan("a subreaper");
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
        look("no subreaper any more", 6);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    orphan("a subreaper that has looked");
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    look("after that", 7);
    confine();
    child = -1;
    for (int i = 0; i < 10; i++)
        child = waitpid(-1, &status, WNOHANG);
    printf("filtered: %d, ECHILD %d\n", child, errno == ECHILD);
    return 0;
}
