/*
 * Processes that send once and are gone: the hardest thing to identify.
 *
 *   oneshot one PROTOCOL ADDRESS PORT                  send once and exit at once
 *   oneshot many PROTOCOL ADDRESS FIRST COUNT STEP     COUNT processes, ports FIRST, FIRST + STEP, ...
 *
 * PROTOCOL is tcp (non-blocking connect) or udp (one datagram that is the counted text "lab-tag:oneshot;"). `many` executes
 * this very file anew for each process, at most 16 at a time. STEP 0 sends all to one port.
 * Exit status: 0 when every process could send, 1 otherwise (its count is on stderr), 2 for bad usage.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARALLEL = 16 };

static int address_of(const char *text, int port, struct sockaddr_storage *out, socklen_t *length)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((unsigned short)port);
		*length = sizeof *v4;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((unsigned short)port);
		*length = sizeof *v6;
		return 0;
	}
	return -1;
}

static int send_once(const char *protocol, const char *address, int port)
{
	static const char payload[17] = "lab-tag:oneshot;";
	struct sockaddr_storage to;
	socklen_t length;
	int tcp = strcmp(protocol, "tcp") == 0;

	if (address_of(address, port, &to, &length))
		return 2;
	int fd = socket(to.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 1;
	if (tcp)
		return connect(fd, (struct sockaddr *)&to, length) == 0 || errno == EINPROGRESS ? 0 : 1;
	return sendto(fd, payload, sizeof payload - 1, 0, (struct sockaddr *)&to, length) == sizeof payload - 1 ? 0 : 1;
}

static int reap(int *running)
{
	int status;

	if (wait(&status) < 0)
		return 1;
	--*running;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static int send_many(const char *protocol, const char *address, int first, int count, int step)
{
	int running = 0, failed = 0;

	for (int i = 0; i < count; i++) {
		char port[16];

		snprintf(port, sizeof port, "%d", first + i * step);
		if (running == PARALLEL)
			failed += reap(&running);
		pid_t child = fork();
		if (child == 0) {
			execl("/proc/self/exe", "oneshot", "one", protocol, address, port, (char *)NULL);
			_exit(1);
		}
		if (child < 0)
			failed++;
		else
			running++;
	}
	while (running > 0)
		failed += reap(&running);
	if (failed)
		fprintf(stderr, "%d of %d could not send\n", failed, count);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "one") == 0)
		return send_once(argv[2], argv[3], atoi(argv[4]));
	if (argc == 7 && strcmp(argv[1], "many") == 0)
		return send_many(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
	fprintf(stderr, "usage: oneshot one PROTOCOL ADDRESS PORT | many PROTOCOL ADDRESS FIRST COUNT STEP\n");
	return 2;
}
