/* A program that makes calls with paths from a call site of its own, and looks at what becomes of that.
   Its first argument says what it does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* readlink(2), with values in all registers that it has to leave alone, and in the red zone; -1000 if it does not. */
long site_readlink(const char *path, char *buffer, long size);
/* open(2) on a stack that ends at the second argument. */
long site_open(const char *path, void *stack);
extern unsigned char site[], open_site[];

__asm__(
    ".text\n.globl site_readlink\n.globl site\n.globl site_open\n.globl open_site\n"
    "site_readlink:\n"
    "  push %rbx\n  mov %rsp, %rbx\n"
    "  movabs $0x1122334455667788, %r9\n  mov $0x12345, %r8d\n  mov $0x54321, %r10d\n"
    "  movq $0x5a5a5a5a, -8(%rsp)\n  movq $0x6b6b6b6b, -128(%rsp)\n"
    "site: mov $89, %eax\n  syscall\n"
    "  cmp %rsp, %rbx\n  jne 1f\n"
    "  movabs $0x1122334455667788, %rcx\n  cmp %rcx, %r9\n  jne 1f\n"
    "  cmp $0x12345, %r8\n  jne 1f\n  cmp $0x54321, %r10\n  jne 1f\n"
    "  cmpq $0x5a5a5a5a, -8(%rsp)\n  jne 1f\n  cmpq $0x6b6b6b6b, -128(%rsp)\n  jne 1f\n"
    "  pop %rbx\n  ret\n"
    "1: mov $-1000, %rax\n  mov %rbx, %rsp\n  pop %rbx\n  ret\n"
    "site_open:\n"
    "  push %rbx\n  mov %rsp, %rbx\n  mov %rsi, %rsp\n  xor %esi, %esi\n  xor %edx, %edx\n"
    "open_site: mov $2, %eax\n  syscall\n"
    "  mov %rbx, %rsp\n  pop %rbx\n  ret\n");

enum { OFTEN = 200 };

static const char *equipped(const unsigned char *at) { return *at == 0xe9 ? "equipped" : "plain"; }

static int faults;
static void count_fault(int signal) { (void)signal; faults++; }

static void ask(int times) {
    char buffer[64];
    for (int i = 0; i < times; i++) {
        long result = site_readlink("/usr", buffer, sizeof buffer);
        if (result != -EINVAL) { printf("readlink: %ld\n", result); exit(1); }
    }
}

static long open_and_close(const char *path, void *stack) {
    long fd = site_open(path, stack);
    if (fd >= 0) close(fd);
    return fd < 0 ? fd : 0;
}

/* A page, with nothing mapped around it. */
static char *lone_page(void) {
    char *pages = mmap(0, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_READ | PROT_WRITE)) exit(2);
    return pages + 4096;
}

static void bad_paths(void) {
    signal(SIGSEGV, count_fault);
    ask(OFTEN);
    char *page = lone_page(), buffer[64], *long_path = malloc(10000);
    memset(page, 'x', 4096);
    memset(long_path, 'x', 9999);
    long_path[9999] = 0;
    const char *paths[] = {0, (char *)8, (char *)0xdead0000, page + 4096, page + 4000, (char *)-4096L};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        printf("%ld ", site_readlink(paths[i], buffer, sizeof buffer));
    printf("%ld %d %s\n", site_readlink(long_path, buffer, sizeof buffer), faults, equipped(site));
}

static void end_of_stack(void) {
    char *page = lone_page();
    for (int i = 0; i < OFTEN; i++) open_and_close("/etc/passwd", page + 4096);
    long results[3] = {open_and_close("/etc/passwd", page), open_and_close("/etc/passwd", page + 64),
                       open_and_close("/etc/no-such", page)};
    printf("%ld %ld %ld %s\n", results[0], results[1], results[2], equipped(open_site));
}

static void in_proc(void) {
    char buffer[64];
    ask(OFTEN);
    const char *places[][2] = {{"/", "/proc/self"}, {"/", "proc/self"}, {"/usr", "../proc/self"},
                               {"/proc", "self"},   {"/proc/1", "../self"}, {"/usr", "/proc/self"}};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        if (chdir(places[i][0])) exit(3);
        long length = site_readlink(places[i][1], buffer, sizeof buffer);
        printf("%.*s ", (int)(length > 0 ? length : 0), buffer);
    }
    printf("%s\n", equipped(site));
}

static void *ask_in_thread(void *times) { ask((int)(intptr_t)times); return 0; }

/* Forks and threads, all of which ask. */
static void crowd(void) {
    ask(OFTEN);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            pthread_t threads[4];
            for (int j = 0; j < 4; j++) pthread_create(&threads[j], 0, ask_in_thread, (void *)2000L);
            ask(2000);
            for (int j = 0; j < 4; j++) pthread_join(threads[j], 0);
            exit(0);
        }
    int status, failed = 0;
    while (wait(&status) > 0) failed |= status;
    printf("%d %s\n", failed, equipped(site));
}

static void *sleeper(void *pipe) { char byte; return (void *)read(*(int *)pipe, &byte, 1); }

/* A child that borrows the memory, in which other threads may run meanwhile. */
static void borrowed(int with_thread) {
    pthread_t thread;
    int ends[2];
    if (pipe(ends)) exit(4);
    if (with_thread) pthread_create(&thread, 0, sleeper, ends);
    if (vfork() == 0) { ask(OFTEN); _exit(0); }
    printf("%s\n", equipped(site));
}

static void interrupt(int signal) { (void)signal; }

/* A call that waits is ended by a signal's handler, if that is what the handler wants. */
static void interrupted(void) {
    char *page = lone_page();
    for (int i = 0; i < OFTEN; i++) open_and_close("/etc/passwd", page + 4096);
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGALRM, &action, 0);
    char path[] = "/tmp/pidns-fifo-XXXXXX";
    if (!mkdtemp(path)) exit(5);
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", path);
    if (mkfifo(fifo, 0600)) exit(6);
    static char stack[65536];
    ualarm(20000, 20000);
    long result = site_open(fifo, stack + sizeof stack);
    ualarm(0, 0);
    unlink(fifo);
    rmdir(path);
    printf("%ld %s\n", result, equipped(open_site));
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    setvbuf(stdout, 0, _IONBF, 0);
    if (!strcmp(what, "often")) { ask(OFTEN); printf("%s\n", equipped(site)); }
    else if (!strcmp(what, "bad-paths")) bad_paths();
    else if (!strcmp(what, "end-of-stack")) end_of_stack();
    else if (!strcmp(what, "in-proc")) in_proc();
    else if (!strcmp(what, "crowd")) crowd();
    else if (!strcmp(what, "borrowed")) borrowed(0);
    else if (!strcmp(what, "borrowed-beside-threads")) borrowed(1);
    else if (!strcmp(what, "interrupted")) interrupted();
    else if (!strcmp(what, "child")) { ask(OFTEN); if (fork() == 0) { printf("%s\n", equipped(site)); ask(OFTEN); exit(0); } wait(0);
        execl("/proc/self/exe", arguments[0], "again", (char *)0); }
    else if (!strcmp(what, "again")) printf("%s\n", equipped(site));
    else return 9;
    return 0;
}
