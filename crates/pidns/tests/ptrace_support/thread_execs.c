/* A thread that is not the first executes a program at once: its arguments. */
#include <pthread.h>
#include <unistd.h>

static void *executes(void *arguments) {
    char **words = arguments;
    execvp(words[1], words + 1);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    pthread_t thread;
    pthread_create(&thread, NULL, executes, argv);
    pthread_join(thread, NULL);
    return 1;
}
