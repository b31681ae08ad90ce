/*
 * How long a connection takes, again and again: one every EVERY_US microseconds, each closed as soon as it is open.
 *
 *   paced ADDRESS PORT EVERY_US
 *
 * Prints "ready" after the first one. Each line on standard input is answered by one line about the time since the line before:
 *   count=N failed=N p50_us=N p99_us=N max_us=N
 * A connection that is not open after a second has failed. Ends with standard input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

enum { SAMPLES = 1 << 16, LIMIT_MS = 1000 };

static double samples[SAMPLES];
static int taken, failed;

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int opened(int fd) {
  struct pollfd done = {.fd = fd, .events = POLLOUT};
  int error = 0;
  socklen_t size = sizeof error;
  if (poll(&done, 1, LIMIT_MS) <= 0) return 0;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static void connect_once(const union address *to, socklen_t bytes) {
  double begun = now_us();
  int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  int open = fd >= 0 && (connect(fd, &to->any, bytes) == 0 || errno == EINPROGRESS) && opened(fd);
  if (!open) failed += 1;
  else if (taken < SAMPLES) samples[taken++] = now_us() - begun;
  if (fd < 0) return;
  /* No port of ours is kept waiting, however long this goes on. */
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
}

static int order(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static void report(void) {
  qsort(samples, (size_t)taken, sizeof *samples, order);
  printf("count=%d failed=%d p50_us=%.0f p99_us=%.0f max_us=%.0f\n", taken, failed, taken ? samples[taken / 2] : 0,
         taken ? samples[(taken - 1) * 99 / 100] : 0, taken ? samples[taken - 1] : 0);
  fflush(stdout);
  taken = failed = 0;
}

int main(int argc, char **argv) {
  union address to;
  char line[16];
  if (argc < 4) return 2;
  socklen_t bytes = parse(&to, argv[1], atoi(argv[2]));
  long every_us = atol(argv[3]);
  connect_once(&to, bytes);
  puts("ready");
  fflush(stdout);
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  for (double next_us = now_us();;) {
    ssize_t got = read(STDIN_FILENO, line, sizeof line);
    if (got == 0) return 0;
    if (got > 0) report();
    connect_once(&to, bytes);
    next_us += (double)every_us;
    double wait_us = next_us - now_us();
    if (wait_us > 0) usleep((useconds_t)wait_us);
    else next_us = now_us();
  }
}
