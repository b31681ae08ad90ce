// SPDX-License-Identifier: GPL-3.0-or-later
// The client for bulk traffic: sends for so long, or so much, and prints one line of JSON about it.
//   bulk tcp ADDRESS PORT MILLISECONDS                    a stream, until the peer has closed it
//   bulk udp-connected|udp-unconnected ADDRESS PORT MILLISECONDS
//                                                         datagrams to one destination, by send() or sendto()
//   bulk repeat tcp|udp-connected|udp-unconnected ...     says "ready", then does so for each line on stdin
//   bulk stream|sendfile|splice|io_uring ADDRESS PORT BYTES
//                                                         the same bytes by one system call or another
//   bulk datagrams ADDRESS PORT BYTES                     as datagrams, by sendto()
//   bulk download ADDRESS PORT BYTES                      reads what the peer sends
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_S 20
#define CHUNK (128 << 10)
#define DATAGRAM 1400
#define CLOCK_EVERY 32
#define PAUSE_EVERY 64
#define PAUSE_NS 200000

static struct sockaddr_storage peer;
static socklen_t peer_length;
static char bytes[CHUNK];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now_s(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void parse_peer(const char *address, int port) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
  if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    peer_length = sizeof *v4;
  } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    peer_length = sizeof *v6;
  } else {
    fprintf(stderr, "not an address: %s\n", address);
    exit(2);
  }
  // The port lies at the same place in both families.
  v4->sin_port = htons((uint16_t)port);
}

static int open_socket(int type, int connected) {
  int fd = socket(peer.ss_family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  struct timeval timeout = { .tv_sec = TIMEOUT_S };
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (connected && connect(fd, (struct sockaddr *)&peer, peer_length) < 0) fail("connect");
  return fd;
}

static void wait_for_close(int fd) {
  shutdown(fd, SHUT_WR);
  char byte;
  while (read(fd, &byte, sizeof byte) > 0) {}
}

static long send_for(int fd, size_t size, int connected, double seconds) {
  const struct sockaddr *to = connected ? NULL : (struct sockaddr *)&peer;
  socklen_t length = connected ? 0 : peer_length;
  long sent = 0;
  for (double end = now_s() + seconds; now_s() < end;) {
    for (int i = 0; i < CLOCK_EVERY; i++) {
      ssize_t done = sendto(fd, bytes, size, 0, to, length);
      if (done < 0) fail("sendto");
      sent += done;
    }
  }
  return sent;
}

static int made_file(long size) {
  int fd = memfd_create("bulk", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, size) < 0) fail("memfd_create");
  return fd;
}

static void send_stream(int fd, long left) {
  while (left > 0) {
    ssize_t done = write(fd, bytes, left < CHUNK ? (size_t)left : CHUNK);
    if (done <= 0) fail("write");
    left -= done;
  }
}

static void send_by_sendfile(int fd, long left) {
  int file = made_file(left);
  for (ssize_t done; left > 0; left -= done) {
    if ((done = sendfile(fd, file, NULL, (size_t)left)) <= 0) fail("sendfile");
  }
}

static void send_by_splice(int fd, long left) {
  int file = made_file(left), ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) fail("pipe2");
  while (left > 0) {
    ssize_t taken = splice(file, NULL, ends[1], NULL, left < CHUNK ? (size_t)left : CHUNK, 0);
    if (taken <= 0) fail("splice from the file");
    for (left -= taken; taken > 0;) {
      ssize_t done = splice(ends[0], NULL, fd, NULL, (size_t)taken, SPLICE_F_MORE);
      if (done <= 0) fail("splice to the socket");
      taken -= done;
    }
  }
}

// One request at a time, by the system calls themselves. Source: io_uring(7).
static void send_by_io_uring(int fd, long left) {
  struct io_uring_params params = { 0 };
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) fail("io_uring_setup");
  size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  char *cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  struct io_uring_sqe *sqes = mmap(NULL, params.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)sqes == MAP_FAILED) fail("mmap");
  unsigned *sq_tail = (unsigned *)(sq + params.sq_off.tail), *cq_head = (unsigned *)(cq + params.cq_off.head);
  unsigned sq_mask = *(unsigned *)(sq + params.sq_off.ring_mask), cq_mask = *(unsigned *)(cq + params.cq_off.ring_mask);
  unsigned *array = (unsigned *)(sq + params.sq_off.array);
  struct io_uring_cqe *cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
  while (left > 0) {
    unsigned tail = *sq_tail;
    sqes[tail & sq_mask] = (struct io_uring_sqe){
      .opcode = IORING_OP_SEND, .fd = fd, .addr = (uint64_t)(uintptr_t)bytes, .len = left < CHUNK ? (unsigned)left : CHUNK,
    };
    array[tail & sq_mask] = tail & sq_mask;
    __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1) fail("io_uring_enter");
    unsigned head = __atomic_load_n(cq_head, __ATOMIC_ACQUIRE);
    int done = cqes[head & cq_mask].res;
    __atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
    if (done <= 0) {
      fprintf(stderr, "io_uring: %s\n", strerror(-done));
      exit(1);
    }
    left -= done;
  }
}

// With pauses, so that no queue of the way overflows.
static void send_datagrams(int fd, long left) {
  struct timespec pause = { .tv_nsec = PAUSE_NS };
  for (long n = 0; left > 0; n++) {
    size_t size = left < DATAGRAM ? (size_t)left : DATAGRAM;
    if (sendto(fd, bytes, size, 0, (struct sockaddr *)&peer, peer_length) < 0) fail("sendto");
    left -= (long)size;
    if (n % PAUSE_EVERY == 0) nanosleep(&pause, NULL);
  }
}

static void receive(int fd, long left) {
  if (write(fd, &left, sizeof left) != sizeof left) fail("write");
  for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) != 0; left -= got) {
    if (got < 0) fail("read");
  }
  if (left != 0) fail("the peer sent another amount");
}

// Returns 0 for a mode that is not one of these.
static int move(const char *mode, long size) {
  if (strcmp(mode, "datagrams") == 0) {
    send_datagrams(open_socket(SOCK_DGRAM, 0), size);
    return 1;
  }
  int fd = open_socket(SOCK_STREAM, 1);
  if (strcmp(mode, "stream") == 0) send_stream(fd, size);
  else if (strcmp(mode, "sendfile") == 0) send_by_sendfile(fd, size);
  else if (strcmp(mode, "splice") == 0) send_by_splice(fd, size);
  else if (strcmp(mode, "io_uring") == 0) send_by_io_uring(fd, size);
  else if (strcmp(mode, "download") == 0) receive(fd, size);
  else return 0;
  wait_for_close(fd);
  return 1;
}

static void run(const char *mode, long amount) {
  double started = now_s();
  long sent = amount;
  if (strcmp(mode, "tcp") == 0) {
    int fd = open_socket(SOCK_STREAM, 1);
    sent = send_for(fd, CHUNK, 1, (double)amount / 1e3);
    wait_for_close(fd);
    close(fd);
  } else if (strncmp(mode, "udp-", 4) == 0) {
    int connected = strcmp(mode, "udp-connected") == 0, fd = open_socket(SOCK_DGRAM, connected);
    sent = send_for(fd, DATAGRAM, connected, (double)amount / 1e3) / DATAGRAM;
    close(fd);
  } else if (!move(mode, amount)) {
    exit(2);
  }
  printf("{\"count\":%ld,\"failed\":0,\"seconds\":%.6f}\n", sent, now_s() - started);
}

int main(int argc, char **argv) {
  int repeated = argc > 1 && strcmp(argv[1], "repeat") == 0;
  argc -= repeated;
  argv += repeated;
  if (argc != 5) {
    fprintf(stderr, "usage: bulk [repeat] MODE ADDRESS PORT MILLISECONDS|BYTES\n");
    return 2;
  }
  parse_peer(argv[2], atoi(argv[3]));
  long amount = atol(argv[4]);
  if (!repeated) {
    run(argv[1], amount);
    return 0;
  }
  char line[64];
  printf("ready\n");
  for (fflush(stdout); fgets(line, sizeof line, stdin) != NULL; fflush(stdout)) run(argv[1], amount);
  return 0;
}
