/*
 * Many new connections, from one program or from many.
 *
 *   storm ADDRESS PORT COUNT MS            COUNT connects, each from a socket of its own, to PORT and the ports above, over MS
 *   storm ADDRESS PORT COUNT MS PROGRAM…   the same, by each of PROGRAM in turn: copies of this one, all at the same time
 *
 * Nothing waits for an answer; sockets are kept until the end. Prints "begun" and "done N", the connects that were begun.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

enum { FILES = 1 << 17, PORTS = 20000, LINGER_S = 1 };

static void wait_until(struct timespec start, long after_us) {
  struct timespec at = {start.tv_sec + after_us / 1000000, start.tv_nsec + (after_us % 1000000) * 1000};
  if (at.tv_nsec >= 1000000000) {
    at.tv_sec += 1;
    at.tv_nsec -= 1000000000;
  }
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
  }
}

static int storm(const char *address, int port, long count, long ms) {
  struct rlimit files = {FILES, FILES};
  struct timespec start;
  long begun = 0;
  setrlimit(RLIMIT_NOFILE, &files);
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (long index = 0; index < count; index += 1) {
    union address to;
    socklen_t bytes = parse(&to, address, port + (int)(index % PORTS));
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    if (connect(fd, &to.any, bytes) == 0 || errno == EINPROGRESS) begun += 1;
    wait_until(start, ms * 1000 / count * (index + 1));
  }
  printf("done %ld\n", begun);
  fflush(stdout);
  sleep(LINGER_S);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  puts("begun");
  fflush(stdout);
  if (argc == 5) return storm(argv[1], atoi(argv[2]), atol(argv[3]), atol(argv[4]));
  for (int index = 5; index < argc; index += 1) {
    if (fork() != 0) continue;
    execl(argv[index], argv[index], argv[1], argv[2], argv[3], argv[4], NULL);
    _exit(127);
  }
  while (wait(NULL) > 0) {
  }
  return 0;
}
