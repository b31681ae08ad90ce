/*
 * What programs of a desktop do all day, and their own count of it.
 *
 *   daily visit ADDRESS PORT COUNT EVERY_MS                 COUNT connections, one each EVERY_MS milliseconds: a text of 64
 *                                                           bytes is sent and what comes back is read
 *   daily browse ADDRESS PORT COUNT EVERY_MS SERVER SUFFIX  the same, each after asking SERVER for a name below SUFFIX that
 *                                                           this process has not asked for before
 *   daily stay ADDRESS PORT EVERY_MS                        one connection, a text each EVERY_MS, until standard input ends;
 *                                                           prints "ready" after the first answer
 *
 * At the end prints opened=N refused=N lookups=N sent=BYTES received=BYTES error=NAME, of what it read and wrote itself, and the
 * last error, `-` for none. A connection or a lookup without an answer within 20 s was refused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

enum { TEXT_BYTES = 64, LIMIT_MS = 20000, DNS_PORT = 53, DNS_BYTES = 512, HEADER_BYTES = 12 };

static struct {
  unsigned long opened, refused, lookups, sent, received;
} seen;
static char text[TEXT_BYTES];
static int last_error;

static void rest(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&time, &time) < 0 && errno == EINTR) {
  }
}

static int readable(int fd) {
  struct pollfd there = {.fd = fd, .events = POLLIN};
  return poll(&there, 1, LIMIT_MS) > 0;
}

/* Sends the text and reads as much; what a server says instead is read to its end. */
static int talk(int fd) {
  char answer[TEXT_BYTES];
  ssize_t got = 0;
  if (send(fd, text, sizeof text, MSG_NOSIGNAL) != (ssize_t)sizeof text) return 0;
  seen.sent += sizeof text;
  for (ssize_t more = 0; got < TEXT_BYTES; got += more) {
    if (!readable(fd) || (more = recv(fd, answer, sizeof answer, 0)) <= 0) break;
    seen.received += (unsigned long)more;
  }
  return got > 0;
}

static int opened(const union address *to, socklen_t bytes) {
  struct timeval limit = {LIMIT_MS / 1000, 0};
  int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, &to->any, bytes) == 0) return fd;
  last_error = errno;
  close(fd);
  return -1;
}

static void visit(const union address *to, socklen_t bytes) {
  int fd = opened(to, bytes);
  if (fd < 0) {
    seen.refused += 1;
    return;
  }
  seen.opened += 1;
  talk(fd);
  close(fd);
}

/* One question of type A; counts it when any answer has come. */
static void look_up(const char *server, const char *suffix, int number) {
  unsigned char packet[DNS_BYTES] = {(unsigned char)(number >> 8), (unsigned char)number, 1, 0, 0, 1};
  char name[256];
  size_t at = HEADER_BYTES;
  snprintf(name, sizeof name, "n%d-%d.%s", (int)getpid(), number, suffix);
  for (char *label = strtok(name, "."); label; label = strtok(NULL, ".")) {
    size_t length = strlen(label);
    packet[at++] = (unsigned char)length;
    memcpy(packet + at, label, length);
    at += length;
  }
  packet[at + 2] = packet[at + 4] = 1;
  union address to;
  socklen_t bytes = parse(&to, server, DNS_PORT);
  int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  if (connect(fd, &to.any, bytes) == 0 && send(fd, packet, at + 5, 0) > 0 && readable(fd) && recv(fd, packet, sizeof packet, 0) > 0) {
    seen.lookups += 1;
  }
  close(fd);
}

static void stay(const union address *to, socklen_t bytes, int every_ms) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  int fd = opened(to, bytes);
  if (fd < 0) {
    seen.refused += 1;
    return;
  }
  seen.opened += 1;
  if (!talk(fd)) return;
  puts("ready");
  fflush(stdout);
  while (poll(&input, 1, every_ms) == 0) {
    if (!talk(fd)) break;
  }
  close(fd);
}

int main(int argc, char **argv) {
  union address to;
  if (argc < 5) return 2;
  memset(text, 'x', sizeof text);
  socklen_t bytes = parse(&to, argv[2], atoi(argv[3]));
  if (strcmp(argv[1], "stay") == 0) stay(&to, bytes, atoi(argv[4]));
  for (int number = 0; argc > 5 && number < atoi(argv[4]); number += 1) {
    if (argc > 7) look_up(argv[6], argv[7], number);
    visit(&to, bytes);
    rest(atol(argv[5]));
  }
  printf("opened=%lu refused=%lu lookups=%lu sent=%lu received=%lu error=%s\n", seen.opened, seen.refused, seen.lookups, seen.sent,
         seen.received, last_error ? strerrorname_np(last_error) : "-");
  return 0;
}
