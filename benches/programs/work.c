/* What the bench of the ptrace engine has programs do. Prints how long it took, in nanoseconds. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void spawn(char **line) {
	pid_t child;
	int status;
	if (posix_spawn(&child, line[0], NULL, NULL, line, environ) != 0 || waitpid(child, &status, 0) != child)
		exit(1);
	if (status != 0)
		exit(2);
}

static void *nothing(void *argument) {
	return argument;
}

static void threads(long count) {
	for (long i = 0; i < count; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, nothing, NULL) != 0)
			exit(1);
		pthread_join(thread, NULL);
	}
}

/* Two processes send each other a signal by turns. */
static void ping_pong(long count) {
	sigset_t set;
	int taken;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid_t parent = getpid(), child = fork();
	pid_t other = child == 0 ? parent : child;
	for (long i = 0; i < count; i++) {
		if (child != 0)
			kill(other, SIGUSR1);
		sigwait(&set, &taken);
		if (child == 0)
			kill(other, SIGUSR1);
	}
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
}

/* Makes a process that stays. */
static pid_t stay(void) {
	pid_t child = fork();
	if (child < 0)
		exit(1);
	if (child == 0) {
		close(1);
		for (;;)
			pause();
	}
	return child;
}

/* Leaves processes behind, and prints when it ends. */
static int leave(long count) {
	for (long i = 0; i < count; i++)
		stay();
	printf("%lld\n", now());
	return 0;
}

/* Makes processes that all live at once, and prints how long that took before it ends them. */
static int crowd(long count) {
	pid_t *all = calloc(count, sizeof *all);
	long long start = now();
	if (all == NULL)
		return 1;
	for (long i = 0; i < count; i++)
		all[i] = stay();
	printf("%lld\n", now() - start);
	for (long i = 0; i < count; i++)
		kill(all[i], SIGKILL);
	for (long i = 0; i < count; i++)
		waitpid(all[i], NULL, 0);
	free(all);
	return 0;
}

int main(int count, char **words) {
	if (count < 3)
		return 64;
	const char *what = words[1];
	long number = atol(words[2]);
	if (strcmp(what, "leave") == 0)
		return leave(number);
	if (strcmp(what, "crowd") == 0)
		return crowd(number);
	long long start = now();
	if (strcmp(what, "spawn") == 0)
		for (long i = 0; i < number; i++)
			spawn(words + 3);
	else if (strcmp(what, "getpid") == 0)
		for (long i = 0; i < number; i++)
			getpid();
	else if (strcmp(what, "getppid") == 0)
		for (long i = 0; i < number; i++)
			getppid();
	else if (strcmp(what, "getuid") == 0)
		for (long i = 0; i < number; i++)
			syscall(SYS_getuid);
	else if (strcmp(what, "threads") == 0)
		threads(number);
	else if (strcmp(what, "signals") == 0)
		ping_pong(number);
	else
		return 64;
	printf("%lld\n", now() - start);
	return 0;
}
