/*
 * Servers for the firewall's side: they answer who speaks first, and some then turn to somebody else.
 *
 *   server tcp PORT TEXT                       sends TEXT to each connection and closes it
 *   server udp PORT TEXT                       answers each datagram with TEXT
 *   server listener-connects PORT TEXT TO      after its first connection the listening socket itself connects to TO's port 7
 *   server accepted-connects PORT TEXT TO      the accepted socket is dissolved and connects to TO's port 7
 *   server udp-sends PORT TEXT TO              answers one datagram, then sends TEXT to TO's port 7 from the same socket
 *   server handed PORT TEXT PROGRAM            binds and listens, then PROGRAM takes over as `PROGRAM accept TEXT`
 *   server accept TEXT                         serves on descriptor 3
 *
 * Both families on one socket. Prints "listening", and what became of the turn: "sent" or the system's name of the error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "address.h"

enum { HANDED = 3, OTHER_PORT = 7, ANSWER_MS = 500 };

static int bound(int type, const char *port) {
  union address own;
  socklen_t bytes = parse(&own, "::", atoi(port));
  int fd = socket(AF_INET6, type, 0), on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (fd < 0 || bind(fd, &own.any, bytes) < 0 || (type == SOCK_STREAM && listen(fd, 128) < 0)) {
    perror("server");
    exit(1);
  }
  return fd;
}

static void say(const char *text) {
  puts(text);
  fflush(stdout);
}

static void answer_streams(int fd, const char *text) {
  for (;;) {
    int connection = accept(fd, NULL, NULL);
    if (connection < 0) continue;
    send(connection, text, strlen(text), MSG_NOSIGNAL);
    close(connection);
  }
}

static void answer_datagram(int fd, const char *text) {
  char data[2048];
  union address from;
  socklen_t bytes = sizeof from;
  if (recvfrom(fd, data, sizeof data, 0, &from.any, &bytes) < 0) return;
  if (sendto(fd, text, strlen(text), 0, &from.any, bytes) < 0) say(strerrorname_np(errno));
}

static void turn(int fd, const char *to_text, const char *text) {
  union address to, nobody = {.any = {.sa_family = AF_UNSPEC}};
  char mapped[INET6_ADDRSTRLEN];
  struct pollfd done = {.fd = fd, .events = POLLOUT};
  int error = 0;
  socklen_t size = sizeof error;
  snprintf(mapped, sizeof mapped, "%s%s", strchr(to_text, ':') ? "" : "::ffff:", to_text);
  socklen_t bytes = parse(&to, mapped, OTHER_PORT);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  connect(fd, &nobody.any, sizeof nobody.any);
  if (connect(fd, &to.any, bytes) < 0 && errno != EINPROGRESS) {
    say(strerrorname_np(errno));
    return;
  }
  if (poll(&done, 1, ANSWER_MS) > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  else error = ETIMEDOUT;
  if (error == 0 && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) error = errno;
  say(error == 0 ? "sent" : strerrorname_np(error));
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[1] : "", *text = argc > 3 ? argv[3] : "";
  if (strcmp(what, "accept") == 0) answer_streams(HANDED, argv[2]);
  if (argc < 4) return 2;
  int datagram = strncmp(what, "udp", 3) == 0;
  int fd = bound(datagram ? SOCK_DGRAM : SOCK_STREAM, argv[2]);
  say("listening");
  if (strcmp(what, "tcp") == 0) answer_streams(fd, text);
  if (strcmp(what, "udp") == 0) {
    for (;;) answer_datagram(fd, text);
  }
  if (argc != 5) return 2;
  if (strcmp(what, "handed") == 0) {
    dup2(fd, HANDED);
    execl(argv[4], argv[4], "accept", text, (char *)NULL);
    return 1;
  }
  if (datagram) answer_datagram(fd, text);
  int accepted = datagram ? fd : accept(fd, NULL, NULL);
  if (strcmp(what, "accepted-connects") == 0) {
    int dissolved = dup(accepted);
    close(fd);
    turn(dissolved, argv[4], text);
  } else {
    if (!datagram) send(accepted, text, strlen(text), MSG_NOSIGNAL);
    if (!datagram) shutdown(fd, SHUT_RDWR);
    turn(fd, argv[4], text);
  }
  return 0;
}
