/* A program without a C library: `run` gets the initial stack. x86_64. */
#define SYS_pause 34
#define SYS_execve 59
#define SYS_wait4 61
#define SYS_exit_group 231
#define SYS_clone3 435
#define CLONE_VM 0x100UL
#define CLONE_VFORK 0x4000UL
#define CLONE_NEWPID 0x20000000UL
#define SIGCHLD 17

static inline __attribute__((always_inline)) long call(long nr, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((used)) void run(long *stack);
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
