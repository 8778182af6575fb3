/* Looks for the key by which call sites pass the filter, and with it has the tracer miss that SIGCHLD is ignored. Says how many
 * keys it has found, and then what it has of its children; ends with 7. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct action {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
};

static long action_with(unsigned long key, struct action *action) {
    register unsigned long size __asm__("r10") = sizeof action->mask, sixth __asm__("r9") = key;
    long value = SYS_rt_sigaction;
    __asm__ volatile("syscall"
                     : "+a"(value)
                     : "D"((long)SIGCHLD), "S"(action), "d"(0), "r"(size), "r"(sixth)
                     : "rcx", "r11", "memory");
    return value;
}

/* The key is in a stub, as the operand of `mov r9, ..`. */
static unsigned long key(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long found = 0;
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long start, end;
        char kind[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, kind) != 3 || strcmp(kind, "r-xp") || !strchr(line, '/'))
            continue;
        const unsigned char *page = (const unsigned char *)end - 4096;
        for (int at = 0; at < 4096 - 12; at++)
            if (page[at] == 0x49 && page[at + 1] == 0xb9 && page[at + 10] == 0x0f && page[at + 11] == 0x05)
                memcpy(&found, page + at + 2, sizeof found);
    }
    if (maps)
        fclose(maps);
    return found;
}

/* A process that has lost its zombies ends, when others have got their numbers: those are to go on. */
static int others(unsigned long found, struct action *ignore, int count) {
    int lost[2], gone[2], go[2], good = 0;
    char byte = 0;
    if (pipe(lost) || pipe(gone) || pipe(go))
        return -1;
    pid_t loser = fork();
    if (loser == 0) {
        close(gone[1]);
        action_with(found, ignore);
        for (int i = 0; i < count; i++)
            if (fork() == 0)
                _exit(0);
        while (wait(NULL) > 0)
            ;
        close(lost[1]);
        _exit(read(gone[0], &byte, 1));
    }
    close(lost[1]);
    if (read(lost[0], &byte, 1) != 0)
        return -1;
    for (int i = 0; i < count; i++) {
        if (fork() != 0)
            continue;
        close(go[1]);
        close(gone[1]);
        int status = 0;
        pid_t child = read(go[0], &byte, 1) == 0 ? fork() : -1;
        if (child == 0)
            _exit(3);
        _exit(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3 ? 0 : 1);
    }
    close(gone[1]);
    waitpid(loser, NULL, 0);
    close(go[1]);
    for (int status; wait(&status) > 0;)
        good += status == 0;
    return good;
}

/* Makes a child that stops once, as a call site would, whose number it gets from the host. Who has the host's numbers of its
 * children reaches nobody by them. */
static void makes(unsigned long found) {
    static char stack[4096] __attribute__((aligned(16)));
    const long flags = 0x100 | 0x4000 | 0x2000 | SIGCHLD; /* CLONE_VM, CLONE_VFORK, CLONE_PTRACE */
    register unsigned long sixth __asm__("r9") = found;
    long made = SYS_clone;
    int status = 0;
    __asm__ volatile("syscall\n\t"
                     "test %%eax, %%eax\n\t"
                     "jnz 1f\n\t"
                     "mov $6, %%edi\n\t"
                     "mov $60, %%eax\n\t" /* exit */
                     "syscall\n"
                     "1:"
                     : "+a"(made)
                     : "D"(flags), "S"(stack + sizeof stack), "d"(0), "r"(sixth)
                     : "rcx", "r11", "memory");
    int reached = made > 0 && kill((pid_t)made, 0) == 0;
    pid_t child = waitpid(-1, &status, 0);
    printf("made one, %d: %d, reached %d\n", child > 0 && kill(child, 0) < 0, WEXITSTATUS(status), reached);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 100, lost = 0, collected = 0;
    for (int i = 0; i < 20; i++)
        access("/nowhere", F_OK);
    unsigned long found = key();
    struct action ignore = {SIG_IGN, 0, NULL, 0};
    if (found == 0) {
        printf("no key\n");
        return 7;
    }
    printf("key, %d go on\n", others(found, &ignore, 50));
    makes(found);
    action_with(found, &ignore);
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(i & 0xff);
        if (i % 3 == 0)
            lost += wait(NULL) < 0 && errno == ECHILD;
        else if (i % 3 == 1)
            kill(child, SIGKILL);
    }
    /* What is left cannot be told apart from zombies. */
    while (wait(NULL) > 0)
        collected++;
    printf("%d lost, %d collected\n", lost > 0, collected);
    struct action standard = {SIG_DFL, 0, NULL, 0};
    action_with(0, &standard);
    pid_t child = fork();
    if (child == 0)
        _exit(5);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    printf("%d\n", WEXITSTATUS(status));
    fflush(stdout);
    return 7;
}
