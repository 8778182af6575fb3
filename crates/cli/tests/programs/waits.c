/* Blocking waits for children, by every call and with every disposition of SIGCHLD. Says what each has returned and stored. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int caught, from_child, alarms;
static pid_t child;
static int ends[2];

static void catch(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (signal == SIGALRM) {
        alarms++;
        close(ends[1]);
    }
    caught += signal == SIGCHLD;
    from_child += signal == SIGCHLD && info->si_pid == child;
}

static void act(int signal, void *handler, int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_flags = flags;
    if (handler == (void *)catch)
        action.sa_flags |= SA_SIGINFO, action.sa_sigaction = catch;
    else
        action.sa_handler = (void (*)(int))handler;
    sigaction(signal, &action, NULL);
}

/* Returns when the task of the parent sleeps, as in a wait; or after a long time. */
static void await(pid_t parent, pid_t waiter) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", parent, waiter);
    for (int i = 0; i < 100000; i++) {
        FILE *file = fopen(path, "r");
        size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
        if (file)
            fclose(file);
        text[length] = 0;
        const char *state = strrchr(text, ')');
        if (state && state[1] == ' ' && state[2] == 'S')
            return;
        usleep(100);
    }
}

/* A child that ends when the caller waits. */
static void start(int code) {
    pid_t parent = getpid(), waiter = gettid();
    child = fork();
    if (child == 0) {
        await(parent, waiter);
        _exit(code);
    }
}

static const char *result(long value) {
    static char text[32];
    if (value < 0)
        return strerrorname_np(errno);
    if (value == child)
        return "the child";
    snprintf(text, sizeof text, "%ld", value);
    return text;
}

/* As the system call is: its argument is to be the same when it returns. */
static long raw(long number, int *status) {
    static struct rusage usage;
    register struct rusage *fourth __asm__("r10") = &usage;
    long value = SYS_wait4, argument = number;
    __asm__ volatile("syscall"
                     : "+a"(value), "+D"(argument)
                     : "S"(status), "d"(0), "r"(fourth)
                     : "rcx", "r11", "memory");
    if (argument != number)
        printf("the argument has become %ld; ", argument);
    errno = value < 0 ? -value : 0;
    return value < 0 ? -1 : value;
}

static void waits(const char *how) {
    int status = -1;
    caught = from_child = alarms = 0;
    start(3);
    const char *got = result(raw(child, &status));
    printf("%s: wait4: %s %d", how, got, status);
    status = -1;
    start(4);
    got = result(waitpid(-1, &status, 0));
    printf(", any: %s %d", got, status);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    start(5);
    got = result(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    printf(", waitid: %s %d %d", got, info.si_pid == child, info.si_status);
    memset(&info, 0, sizeof info);
    got = result(waitid(P_ALL, 0, &info, WEXITED));
    printf(" %s %d", got, info.si_pid == child);
    got = result(waitpid(child, &status, 0));
    printf(", none: %s; %d signals, %d told of the child\n", got, caught, from_child);
}

static void *other(void *others) {
    if (others) {
        int status = -1;
        const char *got = result(waitpid(child, &status, 0));
        printf("a thread, for another's: %s %d\n", got, status);
    } else {
        waits("a thread");
    }
    return NULL;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    waits("by default");
    act(SIGCHLD, SIG_IGN, 0);
    waits("ignored");
    act(SIGCHLD, SIG_DFL, 0);
    waits("by default again");
    act(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    waits("no zombies");
    for (int i = 0; i < 3; i++) {
        act(SIGCHLD, catch, SA_RESTART);
        waits("caught");
    }
    act(SIGCHLD, catch, SA_RESTART | SA_NOCLDWAIT);
    waits("caught, no zombies");
    act(SIGCHLD, SIG_DFL, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    waits("blocked");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    for (int restart = 0; restart <= 1; restart++) {
        act(SIGALRM, catch, restart ? SA_RESTART : 0);
        alarms = 0;
        pid_t parent = getpid();
        if (pipe(ends))
            return 1;
        child = fork();
        if (child == 0) {
            char byte;
            close(ends[1]);
            await(parent, parent);
            kill(parent, SIGALRM);
            /* Until its handler runs. */
            _exit(read(ends[0], &byte, 1) == 0 ? 6 : 1);
        }
        close(ends[0]);
        int status = -1;
        const char *got = result(waitpid(child, &status, 0));
        printf("interrupted: %s %d, %d alarms", got, status, alarms);
        got = result(waitpid(child, &status, 0));
        printf(", then %s\n", got);
    }
    pthread_t thread;
    pthread_create(&thread, NULL, other, NULL);
    pthread_join(thread, NULL);
    start(7);
    pthread_create(&thread, NULL, other, &child);
    pthread_join(thread, NULL);
    waits("with threads");
    /* A shell below has it ignored, and undoes that. */
    act(SIGCHLD, SIG_IGN, 0);
    child = fork();
    if (child == 0) {
        waits("ignored by the parent");
        act(SIGCHLD, SIG_DFL, 0);
        waits("not by the child");
        _exit(0);
    }
    printf("%s\n", result(waitpid(child, NULL, 0)));
    return 0;
}
