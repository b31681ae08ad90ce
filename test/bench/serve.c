// SPDX-License-Identifier: GPL-3.0-or-later
// The peer: accepts TCP on a range of ports, counts UDP datagrams on one, and moves bulk data.
//   serve FIRST-PORT PORTS UDP-PORT SINK-PORT SOURCE-PORT
// Reads all that comes to the sink; from the source comes what is asked for: a long of the machine says how many zeros.
// Prints "ready", then for each line on stdin the number of datagrams since the last one; ends with its stdin.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define UDP_BUFFER_BYTES (256 << 20)
#define BACKLOG 4096
#define EVENTS 64
#define DATAGRAMS 256
#define CHUNK (128 << 10)

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int bound(int type, int port) {
  int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  int on = 1, off = 0, size = UDP_BUFFER_BYTES;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (type == SOCK_DGRAM && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any, .sin6_port = htons((uint16_t)port) };
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) fail("listen");
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static long drain(int fd) {
  static char bytes[DATAGRAMS][64];
  static struct iovec parts[DATAGRAMS];
  static struct mmsghdr messages[DATAGRAMS];
  long count = 0;
  for (int i = 0; i < DATAGRAMS; i++) {
    parts[i] = (struct iovec){ .iov_base = bytes[i], .iov_len = sizeof bytes[i] };
    messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &parts[i], .msg_iovlen = 1 } };
  }
  for (int got; (got = recvmmsg(fd, messages, DATAGRAMS, 0, NULL)) > 0;) count += got;
  return count;
}

static void *sink(void *argument) {
  int fd = (int)(long)argument;
  char *bytes = malloc(CHUNK);
  while (bytes != NULL && read(fd, bytes, CHUNK) > 0) {}
  free(bytes);
  close(fd);
  return NULL;
}

static void *source(void *argument) {
  int fd = (int)(long)argument;
  char *bytes = calloc(1, CHUNK);
  long left = 0;
  if (bytes == NULL || read(fd, &left, sizeof left) != sizeof left) left = 0;
  for (ssize_t done; left > 0; left -= done) {
    if ((done = write(fd, bytes, left < CHUNK ? (size_t)left : CHUNK)) <= 0) break;
  }
  free(bytes);
  close(fd);
  return NULL;
}

static void serve_bulk(int listener, void *(*work)(void *)) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, (void *)(long)fd) == 0) pthread_detach(thread);
    else close(fd);
  }
}

// Returns 0 at the end of stdin.
static int answer(long *count) {
  char line[64];
  ssize_t length = read(0, line, sizeof line);
  if (length <= 0) return 0;
  printf("%ld\n", *count);
  fflush(stdout);
  *count = 0;
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: serve FIRST-PORT PORTS UDP-PORT SINK-PORT SOURCE-PORT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  int first = atoi(argv[1]), ports = atoi(argv[2]);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  int udp = bound(SOCK_DGRAM, atoi(argv[3])), to_sink = bound(SOCK_STREAM, atoi(argv[4])), to_source = bound(SOCK_STREAM, atoi(argv[5]));
  watch(epoll, udp);
  watch(epoll, to_sink);
  watch(epoll, to_source);
  watch(epoll, 0);
  for (int i = 0; i < ports; i++) watch(epoll, bound(SOCK_STREAM, first + i));
  printf("ready\n");
  fflush(stdout);
  long count = 0;
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == udp) count += drain(udp);
      else if (fd == to_sink) serve_bulk(fd, sink);
      else if (fd == to_source) serve_bulk(fd, source);
      else if (fd == 0) {
        count += drain(udp);
        if (!answer(&count)) return 0;
      } else {
        for (int accepted; (accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) close(accepted);
      }
    }
  }
}
