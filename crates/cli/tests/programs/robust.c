/* Who ends while it holds a robust mutex: the next one to lock it is told (EOWNERDEAD). Writes what each was told. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t *new_in(void *memory) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(memory, &attributes);
    return memory;
}

static void *locks(void *mutex) {
    pthread_mutex_lock(mutex);
    return NULL;
}

/* A child locks it and ends, by `signal` if that is not 0. */
static void try_process(pthread_mutex_t *mutex, int signal) {
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(mutex);
        if (signal)
            kill(getpid(), signal);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("%d\n", pthread_mutex_trylock(mutex));
    pthread_mutex_consistent(mutex);
    pthread_mutex_unlock(mutex);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        /* Another program, with a mapping of its own. */
        locks(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0));
        return 0;
    }
    pthread_mutex_t *mapped =
        new_in(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    try_process(mapped, 0);
    try_process(mapped, SIGKILL);

    int segment = shmget(IPC_PRIVATE, 4096, 0600);
    pthread_mutex_t *attached = new_in(shmat(segment, NULL, 0));
    shmctl(segment, IPC_RMID, NULL);
    try_process(attached, SIGKILL);

    FILE *file = tmpfile();
    dup2(fileno(file), 3);
    if (ftruncate(3, 4096))
        return 1;
    pthread_mutex_t *in_file = new_in(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0));
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
    printf("%d\n", pthread_mutex_trylock(in_file));

    static char memory[4096];
    pthread_mutex_t *own = new_in(memory);
    pthread_t thread;
    pthread_create(&thread, NULL, locks, own);
    pthread_join(thread, NULL);
    printf("%d\n", pthread_mutex_trylock(own));
    return 0;
}
