// SPDX-License-Identifier: GPL-3.0-or-later
// The client: makes connections or datagrams and prints one line of JSON about them.
//   connect tcp ADDRESS PORT PORTS COUNT WORKERS   the n-th connection goes to PORT + n % PORTS
//   connect repeat tcp ...                        says "ready", then takes a batch for each number N on stdin, of which the
//                                                  first connection goes to PORT + N % PORTS
//   connect soak ADDRESS PORT PORTS SKIP MILLISECONDS
//                                                  connections one after the other, each to a destination of its own: the
//                                                  n-th, from SKIP on, to the n / PORTS-th address after ADDRESS (IPv4)
//   connect oneshot-tcp ADDRESS PORT COUNT         a process for each connection, gone right after it
//   connect oneshot-udp ADDRESS PORT COUNT         a process for each datagram, gone right after it
//   connect burst ADDRESS PORT COUNT               datagrams as fast as they go, one socket
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_S 20
#define MOST_WORKERS 256
#define ONESHOTS_AT_ONCE 16
#define MOST_IN_SOAK (1 << 20)

static struct sockaddr_storage base;
static socklen_t base_length;
static int first_port, first_connection, ports, count, workers;
static double *times_us;

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void parse_address(const char *text) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)&base;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&base;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    base_length = sizeof *v4;
  } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    base_length = sizeof *v6;
  } else {
    fprintf(stderr, "not an address: %s\n", text);
    exit(2);
  }
}

static struct sockaddr_storage target(int port) {
  struct sockaddr_storage address = base;
  // The port lies at the same place in both families.
  ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
  return address;
}

// Time of socket() and connect() in us; negative when the connection failed.
static double connect_once(int port) {
  double started = now_us();
  int fd = socket(base.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct timeval timeout = { .tv_sec = TIMEOUT_S };
  // A reset at close leaves no TIME_WAIT behind, so the local ports never run out.
  struct linger linger = { .l_onoff = 1, .l_linger = 0 };
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  struct sockaddr_storage address = target(port);
  int done = connect(fd, (struct sockaddr *)&address, base_length) == 0;
  double ended = now_us();
  // Many at once wait until the peer has taken theirs: its backlog would overflow, and a lost SYN costs a second.
  char byte;
  if (done && workers > 1) (void)!read(fd, &byte, sizeof byte);
  close(fd);
  return done ? ended - started : -1;
}

static int send_once(int fd, const struct sockaddr_storage *address) {
  char payload[32] = "one";
  return sendto(fd, payload, sizeof payload, 0, (const struct sockaddr *)address, base_length) == (ssize_t)sizeof payload;
}

static void *work(void *argument) {
  int worker = (int)(long)argument;
  for (int i = worker; i < count; i += workers) times_us[i] = connect_once(first_port + (first_connection + i) % ports);
  return NULL;
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

// Takes `times_us[0..count]`.
static void print_times(double started, double ended) {
  qsort(times_us, (size_t)count, sizeof *times_us, ascending);
  int failed = 0;
  while (failed < count && times_us[failed] < 0) failed++;
  int good = count - failed;
  const double *sorted = times_us + failed;
  printf("{\"count\":%d,\"failed\":%d,\"started_us\":%.0f,\"seconds\":%.6f,", count, failed, started, (ended - started) / 1e6);
  printf("\"p50_us\":%.2f,\"p99_us\":%.2f,\"max_us\":%.2f}\n", good > 0 ? sorted[good / 2] : 0,
         good > 0 ? sorted[good * 99 / 100] : 0, good > 0 ? sorted[good - 1] : 0);
}

static void run_tcp(void) {
  pthread_t threads[MOST_WORKERS];
  double started = now_us();
  for (long i = 1; i < workers; i++) pthread_create(&threads[i], NULL, work, (void *)i);
  work((void *)0L);
  for (int i = 1; i < workers; i++) pthread_join(threads[i], NULL);
  print_times(started, now_us());
}

static void repeat_tcp(void) {
  char line[64];
  printf("ready\n");
  for (fflush(stdout); fgets(line, sizeof line, stdin) != NULL; fflush(stdout)) {
    first_connection = atoi(line);
    run_tcp();
  }
}

static void run_soak(int skip, double milliseconds) {
  struct sockaddr_in *target4 = (struct sockaddr_in *)&base;
  in_addr_t first = ntohl(target4->sin_addr.s_addr);
  times_us = calloc(MOST_IN_SOAK, sizeof *times_us);
  if (times_us == NULL || base.ss_family != AF_INET) exit(1);
  double started = now_us(), end = started + milliseconds * 1e3;
  for (count = 0; count < MOST_IN_SOAK && now_us() < end; count++) {
    int n = skip + count;
    target4->sin_addr.s_addr = htonl(first + (in_addr_t)(n / ports));
    times_us[count] = connect_once(first_port + n % ports);
  }
  print_times(started, now_us());
}

static int oneshot(int tcp) {
  if (tcp) return connect_once(first_port) >= 0;
  int fd = socket(base.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_storage address = target(first_port);
  return fd >= 0 && send_once(fd, &address);
}

static int reap(void) {
  int status = 0;
  while (wait(&status) < 0) {
    if (errno != EINTR) return 1;
  }
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void run_oneshots(int tcp) {
  int failed = 0, alive = 0;
  for (int i = 0; i < count; i++) {
    if (alive == ONESHOTS_AT_ONCE) {
      failed += reap();
      alive--;
    }
    pid_t child = fork();
    if (child == 0) _exit(oneshot(tcp) ? 0 : 1);
    if (child < 0) failed++;
    else alive++;
  }
  for (; alive > 0; alive--) failed += reap();
  printf("{\"count\":%d,\"failed\":%d}\n", count, failed);
}

static void run_burst(void) {
  int fd = socket(base.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), failed = 0;
  struct sockaddr_storage address = target(first_port);
  for (int i = 0; i < count; i++) failed += !send_once(fd, &address);
  printf("{\"count\":%d,\"failed\":%d}\n", count, failed);
}

int main(int argc, char **argv) {
  int repeated = argc > 1 && strcmp(argv[1], "repeat") == 0;
  argc -= repeated;
  argv += repeated;
  const char *mode = argc > 1 ? argv[1] : "";
  int tcp = strcmp(mode, "tcp") == 0, soak = strcmp(mode, "soak") == 0;
  if (argc != (tcp || soak ? 7 : 5)) {
    fprintf(stderr, "usage: connect [repeat] tcp ADDRESS PORT PORTS COUNT WORKERS\n"
                    "       connect soak ADDRESS PORT PORTS SKIP MILLISECONDS\n"
                    "       connect oneshot-tcp|oneshot-udp|burst ADDRESS PORT COUNT\n");
    return 2;
  }
  parse_address(argv[2]);
  first_port = atoi(argv[3]);
  ports = tcp || soak ? atoi(argv[4]) : 1;
  workers = tcp ? atoi(argv[6]) : 1;
  if (soak && ports > 0) {
    run_soak(atoi(argv[5]), atof(argv[6]));
    return 0;
  }
  count = atoi(argv[tcp ? 5 : 4]);
  if (count < 1 || ports < 1 || workers < 1 || workers > MOST_WORKERS) return 2;
  if (tcp) {
    times_us = calloc((size_t)count, sizeof *times_us);
    if (times_us == NULL) return 1;
    if (repeated) repeat_tcp();
    else run_tcp();
  } else if (strcmp(mode, "oneshot-tcp") == 0) run_oneshots(1);
  else if (strcmp(mode, "oneshot-udp") == 0) run_oneshots(0);
  else if (strcmp(mode, "burst") == 0) run_burst();
  else return 2;
  return 0;
}
