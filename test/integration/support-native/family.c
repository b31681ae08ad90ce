/*
 * Families of processes for the tests of the record of forks and execs. Each way ends by executing the rest of its arguments,
 * in a process whose parents have done by then what the way says.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int way_out[2];

static void run(char **command)
{
	execv(command[0], command);
	_exit(127);
}

/* Returns in the child when its parent's end of the pipe is gone: the parent has ended, or called exec. */
static int fork_and_wait(void)
{
	char byte;
	pid_t child;

	if (pipe2(way_out, O_CLOEXEC))
		exit(1);
	child = fork();
	if (child)
		return child;
	close(way_out[1]);
	if (read(way_out[0], &byte, 1) != 0)
		_exit(1);
	return 0;
}

/* The parent has ended before the program starts. */
static void orphan(char **command)
{
	if (fork_and_wait())
		exit(0);
	run(command);
}

/* Two forks and a session of its own. */
static void daemonize(char **command)
{
	if (fork_and_wait())
		exit(0);
	setsid();
	orphan(command);
}

/* The parent becomes another program, named by the first argument, after the fork and before the program starts. */
static void become(char **command)
{
	char *other[] = {command[0], "60", 0};

	if (fork_and_wait())
		run(other);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	run(command + 1);
}

/* Calls exec on itself so many times. */
static void again(char *self, char **command)
{
	char left[16], **all = command - 2;
	int times = atoi(command[0]);

	if (!times)
		run(command + 1);
	snprintf(left, sizeof(left), "%d", times - 1);
	command[0] = left;
	all[0] = self;
	run(all);
}

/* Two processes after each other with one number: the first runs the first argument, the second the rest. */
static void same_number(char **command)
{
	char *first[] = {command[0], 0};
	pid_t number = fork();
	struct clone_args again = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&number, .set_tid_size = 1};
	long child;

	if (!number)
		run(first);
	waitpid(number, 0, 0);
	child = syscall(SYS_clone3, &again, sizeof(again));
	if (!child)
		run(command + 1);
	if (child < 0) {
		perror("clone3");
		exit(1);
	}
	waitpid((pid_t)child, 0, 0);
}

/* Writes over its own arguments and its name, then has a child execute the rest. */
static void disguise(int count, char **arguments)
{
	char *copies[16] = {0};
	int number = 0;

	for (int i = 2; i < count && number < 15; i++)
		copies[number++] = strdup(arguments[i]);
	for (int i = 0; i < count; i++)
		memset(arguments[i], 'x', strlen(arguments[i]));
	prctl(PR_SET_NAME, "other");
	if (!fork())
		run(copies);
	wait(0);
}

/* So many children that live until standard input ends; then the program. Says "ready". */
static void crowd(char **command)
{
	int times = atoi(command[0]), ends[2];
	char byte;

	if (pipe(ends))
		exit(1);
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < times; i++) {
		pid_t child = fork();

		if (child < 0)
			break;
		if (child)
			continue;
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	puts("ready");
	fflush(stdout);
	if (read(0, &byte, 1) < 0)
		exit(1);
}

/* So many children one after the other, each of which executes the rest. Says "ready". */
static void one_by_one(char **command)
{
	for (volatile int left = atoi(command[0]); left > 0; left--) {
		pid_t child = vfork();

		if (!child)
			run(command + 1);
		waitpid(child, 0, 0);
	}
	puts("ready");
	fflush(stdout);
}

int main(int count, char **arguments)
{
	char *way = count > 2 ? arguments[1] : "", **command = arguments + 2;

	if (!strcmp(way, "orphan"))
		orphan(command);
	else if (!strcmp(way, "daemon"))
		daemonize(command);
	else if (!strcmp(way, "become"))
		become(command);
	else if (!strcmp(way, "again"))
		again(arguments[0], command);
	else if (!strcmp(way, "same-number"))
		same_number(command);
	else if (!strcmp(way, "disguise"))
		disguise(count, arguments);
	else if (!strcmp(way, "crowd"))
		crowd(command);
	else if (!strcmp(way, "one-by-one"))
		one_by_one(command);
	else if (!strcmp(way, "exec"))
		run(command);
	else
		return 2;
	return 0;
}
