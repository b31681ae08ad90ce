/*
 * Traffic without end, for tests of what happens to it meanwhile.
 *
 *   traffic connect ADDRESS PORT TIMEOUT_MS     one connection each millisecond at most, closed as soon as it is open
 *   traffic datagrams ADDRESS PORT TEXT         one datagram each millisecond on a connected socket
 *   traffic anew ADDRESS PORT TEXT              one datagram each millisecond, each from a socket of its own
 *   traffic stream ADDRESS PORT TEXT            1 KiB each millisecond over one connection to an echo server
 *   traffic fetch ADDRESS PORT BYTES            one HTTP download of so many bytes, as fast as it comes
 *
 * Prints "ready" when the first answer has come, or with the environment's READY=now at once. Each line on standard input is
 * answered by one line, about the time since the line before:
 *   sent=N refused=N received=N gap_ms=N ended_ms=N error=NAME
 * sent: attempts; refused: those that failed or got no answer in time; received: connections opened, datagrams or bytes that
 * came back; gap_ms: the longest time without one; ended_ms: when the stream ended, on CLOCK_MONOTONIC, 0 while it goes on;
 * error: the last one, "-" for none. Ends with standard input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

enum { BLOCK_BYTES = 1024, BUFFER_BYTES = 65536, TICK_MS = 1 };

static struct {
  unsigned long long sent, refused, received;
  double gap_ms, last_ms, ended_ms;
  int error, ready;
} seen;
static union address peer;
static socklen_t peer_bytes;
static int fd = -1;
static char block[BLOCK_BYTES];
static size_t text_bytes;

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void note_gap(void) {
  double gap = now_ms() - seen.last_ms;
  if (gap > seen.gap_ms) seen.gap_ms = gap;
}

static void say_ready(void) {
  if (seen.ready) return;
  seen.ready = 1;
  puts("ready");
  fflush(stdout);
}

static void note_received(unsigned long long amount) {
  note_gap();
  seen.last_ms = now_ms();
  seen.received += amount;
  say_ready();
}

static void note_refused(int error) {
  seen.refused++;
  seen.error = error;
}

/* Answers a line, ends with the input; waits for either, or for the socket, at most `wait_ms`. */
static int serve(short events, int wait_ms) {
  struct pollfd polled[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = events}};
  char line[64];
  if (poll(polled, fd < 0 ? 1 : 2, wait_ms) < 0) return 0;
  if (polled[0].revents) {
    if (read(0, line, sizeof line) <= 0) _exit(0);
    if (seen.ended_ms == 0) note_gap();
    printf("sent=%llu refused=%llu received=%llu gap_ms=%.1f ended_ms=%.1f error=%s\n", seen.sent, seen.refused, seen.received,
           seen.gap_ms, seen.ended_ms, seen.error ? strerrorname_np(seen.error) : "-");
    fflush(stdout);
    seen.sent = seen.refused = seen.received = 0;
    seen.gap_ms = 0;
    seen.error = 0;
  }
  return polled[1].revents;
}

static int socket_error(void) {
  int error = 0;
  socklen_t bytes = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
  return error;
}

/* 0, or what became of it. A close sends a reset, so that no port waits for its peer. */
static int connect_once(int timeout_ms) {
  struct linger at_once = {1, 0};
  double end = now_ms() + timeout_ms;
  int error = ETIMEDOUT;
  fd = socket(peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  if (connect(fd, &peer.any, peer_bytes) == 0) error = 0;
  else if (errno != EINPROGRESS) error = errno;
  else {
    double left;
    while (error == ETIMEDOUT && (left = end - now_ms()) > 0)
      if (serve(POLLOUT, (int)left + 1)) error = socket_error();
  }
  close(fd);
  fd = -1;
  return error;
}

static void connections(int timeout_ms) {
  for (;;) {
    double end = now_ms() + TICK_MS;
    seen.sent++;
    int error = connect_once(timeout_ms);
    if (error == 0) note_received(1);
    else note_refused(error);
    do {
      serve(0, TICK_MS);
    } while (now_ms() < end);
  }
}

static void receive_datagrams(void) {
  static char buffer[BUFFER_BYTES];
  ssize_t length;
  while ((length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) >= 0) note_received(1);
  if (errno != EAGAIN) seen.error = errno;
}

static void datagrams(int anew) {
  for (;;) {
    if (fd < 0) {
      fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
      if (!anew && connect(fd, &peer.any, peer_bytes) < 0) _exit(1);
    }
    seen.sent++;
    ssize_t sent = anew ? sendto(fd, block, text_bytes, 0, &peer.any, peer_bytes) : send(fd, block, text_bytes, 0);
    if (sent < 0) note_refused(errno);
    double end = now_ms() + TICK_MS;
    do {
      if (serve(POLLIN, TICK_MS)) receive_datagrams();
    } while (now_ms() < end);
    if (anew) {
      close(fd);
      fd = -1;
    }
  }
}

/* Waits for orders only. */
static void ended(int error) {
  seen.error = error;
  seen.ended_ms = now_ms();
  close(fd);
  fd = -1;
  for (;;) serve(0, -1);
}

static void open_stream(void) {
  fd = socket(peer.any.sa_family, SOCK_STREAM, 0);
  if (connect(fd, &peer.any, peer_bytes) < 0) ended(errno);
}

static void read_stream(void) {
  static char buffer[BUFFER_BYTES];
  ssize_t length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (length > 0) note_received((unsigned long long)length);
  else if (length == 0) ended(0);
  else if (errno != EAGAIN) ended(errno);
}

static void stream(void) {
  open_stream();
  for (;;) {
    ssize_t sent = send(fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) seen.sent += (unsigned long long)sent;
    else if (errno != EAGAIN) ended(errno);
    double end = now_ms() + TICK_MS;
    do {
      if (serve(POLLIN, TICK_MS)) read_stream();
    } while (now_ms() < end);
  }
}

static void fetch(const char *bytes) {
  open_stream();
  dprintf(fd, "GET /bytes/%s HTTP/1.1\r\n\r\n", bytes);
  for (;;) {
    if (serve(POLLIN, -1)) read_stream();
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const char *kind = argv[1], *text = argv[4];
  peer_bytes = parse(&peer, argv[2], atoi(argv[3]));
  text_bytes = strlen(text);
  if (text_bytes == 0 || text_bytes > sizeof block) return 2;
  for (size_t at = 0; at < sizeof block; at++) block[at] = text[at % text_bytes];
  seen.last_ms = now_ms();
  if (getenv("READY") != NULL) say_ready();
  if (strcmp(kind, "connect") == 0) connections(atoi(text));
  else if (strcmp(kind, "datagrams") == 0) datagrams(0);
  else if (strcmp(kind, "anew") == 0) datagrams(1);
  else if (strcmp(kind, "stream") == 0) stream();
  else if (strcmp(kind, "fetch") == 0) fetch(text);
  return 2;
}
