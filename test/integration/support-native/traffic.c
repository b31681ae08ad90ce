/* Small senders and a peer for the native tests. Exit status: 0 done, otherwise the errno that the program saw. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct timeval PATIENCE = {.tv_sec = 8};

struct target {
	struct sockaddr_storage address;
	socklen_t size;
};

static struct target resolve(const char *address, const char *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
	struct target target = {0};

	if (getaddrinfo(address, port, &hints, &found))
		exit(EINVAL);
	memcpy(&target.address, found->ai_addr, found->ai_addrlen);
	target.size = found->ai_addrlen;
	freeaddrinfo(found);
	return target;
}

static int open_socket(const struct target *target, int type)
{
	int fd = socket(target->address.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		exit(errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &PATIENCE, sizeof(PATIENCE));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &PATIENCE, sizeof(PATIENCE));
	return fd;
}

static int tcp(struct target to, int wait)
{
	int fd = open_socket(&to, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK));

	if (!connect(fd, (struct sockaddr *)&to.address, to.size) || (!wait && errno == EINPROGRESS))
		return 0;
	return errno;
}

/* Connections one after the other, as another user; a reset ends each, so that local ports never run out. */
static int tcp_many(struct target to, int count, uid_t uid)
{
	struct linger linger = {.l_onoff = 1};

	if (uid && setresuid(uid, uid, uid))
		return errno;
	for (int i = 0; i < count; i++) {
		int fd = open_socket(&to, SOCK_STREAM);

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		if (connect(fd, (struct sockaddr *)&to.address, to.size))
			return errno;
		close(fd);
	}
	return 0;
}

/* ICMP prohibited arrives as an error of a connected socket only. */
static int udp_echo(struct target to)
{
	char reply[64];
	int fd = open_socket(&to, SOCK_DGRAM);

	if (connect(fd, (struct sockaddr *)&to.address, to.size) || send(fd, "hello", 5, 0) < 0 || recv(fd, reply, 64, 0) < 0)
		return errno;
	return 0;
}

static int udp_send(struct target to, int count)
{
	int fd = open_socket(&to, SOCK_DGRAM);

	for (int i = 0; i < count; i++)
		if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&to.address, to.size) < 0)
			return errno;
	return 0;
}

/* One datagram for each line on standard input, from one socket that is older than whatever happens before the line. */
static int udp_on_demand(struct target to)
{
	char line[16];
	int fd = open_socket(&to, SOCK_DGRAM);

	if (connect(fd, (struct sockaddr *)&to.address, to.size))
		return errno;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		if (send(fd, "hello", 5, 0) < 0)
			return errno;
	return 0;
}

/* A server that echoes, and sends a datagram of its own for each line on standard input. */
static int udp_server(struct target to, const char *port)
{
	struct target here = resolve(to.address.ss_family == AF_INET ? "0.0.0.0" : "::", port);
	struct sockaddr_storage from;
	struct pollfd fds[2] = {{.fd = open_socket(&here, SOCK_DGRAM), .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	char buffer[64];

	if (bind(fds[0].fd, (struct sockaddr *)&here.address, here.size))
		return errno;
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(fds, 2, -1);
		if (fds[0].revents & POLLIN) {
			socklen_t size = sizeof(from);
			int length = recvfrom(fds[0].fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size);

			if (length > 0)
				sendto(fds[0].fd, buffer, length, 0, (struct sockaddr *)&from, size);
		}
		if (fds[1].revents) {
			if (read(0, buffer, sizeof(buffer)) <= 0)
				return 0;
			sendto(fds[0].fd, "hello", 5, 0, (struct sockaddr *)&to.address, to.size);
		}
	}
}

/* The same socket is inherited over exec by another program, after a line on standard input. */
static int udp_pass_on(const char *program, char **arguments, struct target to)
{
	char number[16];
	int fd = socket(to.address.ss_family, SOCK_DGRAM, 0);

	if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&to.address, to.size) < 0)
		return errno;
	if (!fgets(number, sizeof(number), stdin))
		return EPIPE;
	snprintf(number, sizeof(number), "%d", fd);
	execl(program, program, "inherited", arguments[0], arguments[1], number, (char *)NULL);
	return errno;
}

/* Another program holds the same socket while this one sends: until this one ends, which closes the pipe it reads. */
static int udp_shared(const char *program, char **arguments, struct target to)
{
	char byte;
	int fd = socket(to.address.ss_family, SOCK_DGRAM, 0), end[2], started[2];

	if (pipe2(end, O_CLOEXEC) || pipe2(started, O_CLOEXEC))
		return errno;
	if (fork() == 0) {
		dup2(end[0], 0);
		execl(program, program, "wait-for-end", arguments[0], arguments[1], (char *)NULL);
		_exit(127);
	}
	close(started[1]);
	read(started[0], &byte, 1);
	puts("ready");
	fflush(stdout);
	read(0, &byte, 1);
	sendto(fd, "hello", 5, 0, (struct sockaddr *)&to.address, to.size);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

static int burst(char **arguments, int count)
{
	for (int i = 0; i < count; i++) {
		pid_t child = fork();

		if (child == 0) {
			execv("/proc/self/exe", arguments);
			_exit(127);
		}
		/* A few at a time: more than a machine's processors, fewer than its limits. */
		if (i % 16 == 15)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

/* Echoes TCP and UDP on a port, IPv4 and IPv6; for each line on standard input tells what has come in. */
static int peer(const char *port)
{
	struct target any = resolve("::", port);
	struct sockaddr_storage from;
	socklen_t size;
	char buffer[2048];
	unsigned connections = 0, datagrams = 0;
	struct pollfd fds[3] = {{.fd = open_socket(&any, SOCK_STREAM), .events = POLLIN},
				{.fd = open_socket(&any, SOCK_DGRAM), .events = POLLIN},
				{.fd = 0, .events = POLLIN}};
	int one = 1, length;

	setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fds[0].fd, (struct sockaddr *)&any.address, any.size) || listen(fds[0].fd, 1024) ||
	    bind(fds[1].fd, (struct sockaddr *)&any.address, any.size))
		return errno;
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(fds, 3, -1);
		if (fds[0].revents & POLLIN) {
			close(accept(fds[0].fd, NULL, NULL));
			connections++;
		}
		if (fds[1].revents & POLLIN) {
			size = sizeof(from);
			length = recvfrom(fds[1].fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size);
			if (length >= 0) {
				datagrams++;
				sendto(fds[1].fd, buffer, length, 0, (struct sockaddr *)&from, size);
			}
		}
		if (fds[2].revents) {
			if (read(0, buffer, sizeof(buffer)) <= 0)
				return 0;
			printf("%u %u\n", connections, datagrams);
			fflush(stdout);
		}
	}
}

int main(int count, char **arguments)
{
	const char *mode = count > 1 ? arguments[1] : "";
	int many = count > 4 ? atoi(arguments[4]) : 1;

	if (!strcmp(mode, "peer"))
		return peer(arguments[2]);
	if (count < 4)
		return EINVAL;
	if (!strcmp(mode, "tcp"))
		return tcp(resolve(arguments[2], arguments[3]), 1);
	if (!strcmp(mode, "tcp-exit"))
		return tcp(resolve(arguments[2], arguments[3]), 0);
	if (!strcmp(mode, "tcp-many"))
		return tcp_many(resolve(arguments[2], arguments[3]), many, count > 5 ? (uid_t)atoi(arguments[5]) : 0);
	if (!strcmp(mode, "udp-echo"))
		return udp_echo(resolve(arguments[2], arguments[3]));
	if (!strcmp(mode, "udp-send"))
		return udp_send(resolve(arguments[2], arguments[3]), many);
	if (!strcmp(mode, "udp-on-demand"))
		return udp_on_demand(resolve(arguments[2], arguments[3]));
	if (!strcmp(mode, "udp-server"))
		return udp_server(resolve(arguments[2], arguments[3]), arguments[4]);
	if (!strcmp(mode, "udp-shared"))
		return udp_shared(arguments[4], arguments + 2, resolve(arguments[2], arguments[3]));
	if (!strcmp(mode, "wait-for-end")) {
		while (getchar() != EOF)
			;
		return 0;
	}
	if (!strcmp(mode, "udp-pass-on"))
		return udp_pass_on(arguments[4], arguments + 2, resolve(arguments[2], arguments[3]));
	if (!strcmp(mode, "inherited")) {
		struct target to = resolve(arguments[2], arguments[3]);

		return sendto(atoi(arguments[4]), "hello", 5, 0, (struct sockaddr *)&to.address, to.size) < 0 ? errno : 0;
	}
	if (!strcmp(mode, "burst") && count > 5) {
		char *child[] = {arguments[0], arguments[5], arguments[2], arguments[3], NULL};

		return burst(child, many);
	}
	return EINVAL;
}
