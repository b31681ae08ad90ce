/*
 * Unusual ways to send a packet, each tried by a process of its own: io_uring, fragments, extension headers, and what root can
 * write into a packet itself.
 *
 *   ways try ADDRESS4 ADDRESS6 FIRST_PORT TAG    what every program may do; way N sends to FIRST_PORT + N
 *   ways root ADDRESS4 ADDRESS6 FIRST_PORT TAG   what takes CAP_NET_RAW or CAP_NET_ADMIN
 *
 * Prints one line for each way: its name and "sent", or the system's name of what refused it. A payload is the counted text
 * "lab-tag:TAG-WAY;" again and again, so that each fragment has it; what carries none is counted by its port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"

enum {
  WAY_LIMIT_S = 2, RING_WAIT_MS = 200, PACKET_BYTES = 1200, LARGE_BYTES = 6000, FROM_PORT = 43000, TAG_BYTES = 64,
  EXPERIMENT = 253, SEGMENT_ROUTING = 4, TCP_NO_COOKIE = 34, LATER_OFFSET = 185,
};

/* Addresses of the lab: its client's, and one that only the peer answers. */
#define OWN4 "10.77.0.2"
#define OWN6 "fd77::2"
#define FOREIGN4 "198.18.200.7"
#define FOREIGN6 "fd78::200:7"

struct target {
  const char *v4, *v6;
  int port;
  char text[TAG_BYTES];
};

static int result(long sent) { return sent < 0 && errno != EINPROGRESS ? errno : 0; }

/* `bytes` of the text, repeated. */
static void fill(char *to, size_t bytes, const struct target *target) {
  size_t length = strlen(target->text);
  for (size_t at = 0; at < bytes; at++) to[at] = target->text[at % length];
}

/* ---- io_uring, by its system calls */

struct ring {
  int fd;
  char *queue;
  struct io_uring_params about;
  struct io_uring_sqe *entries;
};

static int open_ring(struct ring *ring, unsigned flags) {
  memset(ring, 0, sizeof *ring);
  ring->about.flags = flags;
  ring->about.sq_thread_idle = 1000;
  ring->fd = (int)syscall(SYS_io_uring_setup, 4, &ring->about);
  if (ring->fd < 0) return errno;
  size_t bytes = ring->about.cq_off.cqes + ring->about.cq_entries * sizeof(struct io_uring_cqe);
  ring->queue = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
  ring->entries = mmap(NULL, ring->about.sq_entries * sizeof *ring->entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                       ring->fd, IORING_OFF_SQES);
  return ring->queue == MAP_FAILED || ring->entries == MAP_FAILED ? errno : 0;
}

/* Submits the one entry that was filled in and waits a moment for its end: a connection that nobody answers has none. */
static int submit(struct ring *ring) {
  unsigned *tail = (void *)(ring->queue + ring->about.sq_off.tail), *array = (void *)(ring->queue + ring->about.sq_off.array);
  unsigned flags = ring->about.flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0;
  struct pollfd done = {.fd = ring->fd, .events = POLLIN};
  array[0] = 0;
  __atomic_store_n(tail, 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring->fd, 1, 0, flags, NULL, 0) < 0) return errno;
  if (poll(&done, 1, RING_WAIT_MS) <= 0) return 0;
  struct io_uring_cqe *end = (void *)(ring->queue + ring->about.cq_off.cqes);
  return end->res < 0 ? -end->res : 0;
}

static int ring_datagram(const struct target *to, unsigned setup, unsigned char flags, unsigned char operation) {
  static union address peer;
  static struct iovec part;
  static struct msghdr message;
  struct ring ring;
  int error = open_ring(&ring, setup), fd = socket(AF_INET, SOCK_DGRAM, 0);
  socklen_t bytes = parse(&peer, to->v4, to->port);
  if (error != 0) return error;
  part = (struct iovec){(void *)to->text, strlen(to->text)};
  message = (struct msghdr){.msg_name = &peer, .msg_namelen = bytes, .msg_iov = &part, .msg_iovlen = 1};
  if (operation == IORING_OP_SEND && connect(fd, &peer.any, bytes) < 0) return errno;
  ring.entries[0] = (struct io_uring_sqe){.opcode = operation, .flags = flags, .fd = fd, .len = 1};
  ring.entries[0].addr = operation == IORING_OP_SEND ? (uint64_t)(uintptr_t)to->text : (uint64_t)(uintptr_t)&message;
  if (operation == IORING_OP_SEND) ring.entries[0].len = (unsigned)strlen(to->text);
  return submit(&ring);
}

static int ring_stream(const struct target *to, unsigned setup, unsigned char flags) {
  static union address peer;
  struct ring ring;
  int error = open_ring(&ring, setup);
  socklen_t bytes = parse(&peer, to->v4, to->port);
  if (error != 0) return error;
  ring.entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .flags = flags, .fd = socket(AF_INET, SOCK_STREAM, 0)};
  ring.entries[0].addr = (uint64_t)(uintptr_t)&peer;
  ring.entries[0].off = bytes;
  return submit(&ring);
}

static int ring_connect(const struct target *to) { return ring_stream(to, 0, 0); }
static int ring_worker_connect(const struct target *to) { return ring_stream(to, 0, IOSQE_ASYNC); }
static int ring_thread_connect(const struct target *to) { return ring_stream(to, IORING_SETUP_SQPOLL, 0); }
static int ring_send(const struct target *to) { return ring_datagram(to, 0, 0, IORING_OP_SEND); }
static int ring_sendmsg(const struct target *to) { return ring_datagram(to, 0, 0, IORING_OP_SENDMSG); }
static int ring_worker(const struct target *to) { return ring_datagram(to, 0, IOSQE_ASYNC, IORING_OP_SENDMSG); }
static int ring_thread(const struct target *to) { return ring_datagram(to, IORING_SETUP_SQPOLL, 0, IORING_OP_SENDMSG); }

/* ---- fragments, headers and options of an ordinary socket */

static int large(const struct target *to, const char *address, int level, int name, int value) {
  static char text[LARGE_BYTES];
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  int fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
  fill(text, sizeof text, to);
  if (setsockopt(fd, level, name, &value, sizeof value) < 0) return errno;
  return result(sendto(fd, text, sizeof text, 0, &peer.any, bytes));
}

static int fragments4(const struct target *to) { return large(to, to->v4, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT); }
static int fragments6(const struct target *to) { return large(to, to->v6, IPPROTO_IPV6, IPV6_MTU, 1280); }

static int send_text(int fd, const struct target *to, const char *address) {
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  return result(sendto(fd, to->text, strlen(to->text), 0, &peer.any, bytes));
}

static int udplite6(const struct target *to) {
  int fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE);
  return fd < 0 ? errno : send_text(fd, to, to->v6);
}

static int device(const struct target *to) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5) < 0 ? errno : send_text(fd, to, to->v4);
}

/* A routing header with one place that is the peer itself. Source: RFC 8754 section 2. */
static size_t routing_header(uint8_t *header, uint8_t next, const char *address) {
  memset(header, 0, 24);
  header[0] = next;
  header[1] = 2;
  header[2] = SEGMENT_ROUTING;
  inet_pton(AF_INET6, address, header + 8);
  return 24;
}

static int routing6(const struct target *to) {
  uint8_t header[24];
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  size_t bytes = routing_header(header, 0, to->v6);
  return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, (socklen_t)bytes) < 0 ? errno : send_text(fd, to, to->v6);
}

/* From an address that is not ours, which takes no privilege: whatever answers it, or refuses it, sends there. */
static int from_foreign6(const struct target *to, const char *address) {
  union address from;
  socklen_t bytes = parse(&from, FOREIGN6, 0);
  int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on) < 0 || bind(fd, &from.any, bytes) < 0) return errno;
  return send_text(fd, to, address);
}

static int foreign6(const struct target *to) { return from_foreign6(to, to->v6); }
static int reflected6(const struct target *to) { return from_foreign6(to, OWN6); }

/* Data in the very first packet, without asking the server for a cookie. */
static int early_data(const struct target *to, const char *address) {
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  int fd = socket(peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NO_COOKIE, &on, sizeof on) < 0) return errno;
  return result(sendto(fd, to->text, strlen(to->text), MSG_FASTOPEN, &peer.any, bytes));
}

static int early_data4(const struct target *to) { return early_data(to, to->v4); }
static int early_data6(const struct target *to) { return early_data(to, to->v6); }

/* ---- what root writes itself */

#include "raw-ways.h"

struct way {
  const char *name;
  int (*send)(const struct target *to);
};

static const struct way ways[] = {
    {"ring-connect", ring_connect}, {"ring-worker-connect", ring_worker_connect}, {"ring-thread-connect", ring_thread_connect},
    {"ring-send", ring_send}, {"ring-sendmsg", ring_sendmsg}, {"ring-worker", ring_worker}, {"ring-thread", ring_thread},
    {"fragments4", fragments4}, {"fragments6", fragments6}, {"udplite6", udplite6}, {"device", device}, {"routing6", routing6},
    {"early-data4", early_data4}, {"early-data6", early_data6}, {"foreign6", foreign6}, {"reflected6", reflected6}, {NULL, NULL},
};

static const struct way root_ways[] = {
    {"raw-udp4", raw_udp4}, {"raw-udp6", raw_udp6}, {"header-udp4", header_udp4}, {"header-udp6", header_udp6},
    {"header-syn", header_syn}, {"header-ack", header_ack}, {"header-reset", header_reset}, {"bare-reset", bare_reset},
    {"later-fragment4", later_fragment4}, {"later-fragment6", later_fragment6}, {"experiment4", experiment4},
    {"experiment6", experiment6}, {"tunnel4", tunnel4}, {"tunnel6", tunnel6}, {"extensions6", extensions6},
    {"sticky6", sticky6}, {"foreign-source", foreign_source}, {"transparent", transparent}, {"marked", marked},
    {"raw-echo4", raw_echo4}, {"reflected4", reflected4}, {NULL, NULL},
};

static void try_all(const struct way *list, char **words) {
  for (int at = 0; list[at].name != NULL; at++) {
    struct target to = {.v4 = words[0], .v6 = words[1], .port = atoi(words[2]) + at};
    int status;
    snprintf(to.text, sizeof to.text, "lab-tag:%s-%s;", words[3], list[at].name);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      alarm(WAY_LIMIT_S);
      _exit(list[at].send(&to));
    }
    waitpid(child, &status, 0);
    int error = WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
    printf("%s %s\n", list[at].name, error == 0 ? "sent" : strerrorname_np(error));
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  if (strcmp(argv[1], "try") == 0) try_all(ways, argv + 2);
  else if (strcmp(argv[1], "root") == 0) try_all(root_ways, argv + 2);
  else return 2;
  return 0;
}
