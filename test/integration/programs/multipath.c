/*
 * Multipath TCP: one connection over several addresses, whose further subflows the kernel opens by itself.
 *
 *   multipath serve PORT                  echoes on every address; prints "listening"
 *   multipath talk ADDRESS PORT TEXT      sends "lab-tag:TEXT;" each 5 ms; prints "ready" with the first echo, and for each line
 *                                         on standard input how many bytes have come back since the one before; ends with it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "address.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { TICK_MS = 5, BUFFER_BYTES = 4096 };

static void echo(int fd) {
  char data[BUFFER_BYTES];
  ssize_t length;
  while ((length = recv(fd, data, sizeof data, 0)) > 0)
    if (send(fd, data, (size_t)length, MSG_NOSIGNAL) < 0) break;
  _exit(0);
}

static int serve(int port) {
  union address own;
  socklen_t bytes = parse(&own, "::", port);
  int fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP), on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (fd < 0 || bind(fd, &own.any, bytes) < 0 || listen(fd, 16) < 0) {
    puts(strerrorname_np(errno));
    return 1;
  }
  puts("listening");
  fflush(stdout);
  for (;;) {
    int connection = accept(fd, NULL, NULL);
    if (connection >= 0 && fork() == 0) echo(connection);
    close(connection);
  }
}

static int talk(const char *address, int port, const char *text) {
  union address to;
  char data[BUFFER_BYTES];
  socklen_t bytes = parse(&to, address, port);
  unsigned long long received = 0;
  int fd = socket(to.any.sa_family, SOCK_STREAM, IPPROTO_MPTCP), ready = 0;
  int length = snprintf(data, sizeof data, "lab-tag:%s;", text);
  if (fd < 0 || connect(fd, &to.any, bytes) < 0) {
    puts(strerrorname_np(errno));
    return 1;
  }
  for (;;) {
    struct pollfd polled[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    char line[64], answer[BUFFER_BYTES];
    send(fd, data, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    poll(polled, 2, TICK_MS);
    ssize_t came = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (came > 0) received += (unsigned long long)came;
    if (came > 0 && !ready) puts("ready");
    if (came > 0) ready = 1;
    if (polled[0].revents) {
      if (read(0, line, sizeof line) <= 0) return 0;
      printf("%llu\n", received);
      received = 0;
    }
    fflush(stdout);
    if (!(polled[1].revents & POLLIN)) continue;
    usleep(TICK_MS * 1000);
  }
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(atoi(argv[2]));
  if (argc == 5 && strcmp(argv[1], "talk") == 0) return talk(argv[2], atoi(argv[3]), argv[4]);
  return 2;
}
