/* The first thread ends, and another one joins it, for which the kernel stores a zero (set_tid_address(2)). With an
 * argument, says first whether the word that the kernel has for that holds the thread's number. */
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static pthread_t first;

static void *joins(void *nothing) {
    printf("%d\n", pthread_join(first, nothing));
    return NULL;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        int *word = NULL;
        printf("%d\n", prctl(PR_GET_TID_ADDRESS, &word) ? -1 : *word == getpid());
    }
    first = pthread_self();
    pthread_t thread;
    pthread_create(&thread, NULL, joins, NULL);
    pthread_exit(NULL);
}
