/*
 * Unusual ways to send a packet, each tried by a process of its own: io_uring, fragments, extension headers, and what root can
 * write into a packet itself.
 *
 *   ways try ADDRESS4 ADDRESS6 FIRST_PORT TAG [ROUNDS]      what every program may do; see tries.h
 *   ways root ADDRESS4 ADDRESS6 FIRST_PORT TAG [ROUNDS]     what takes CAP_NET_RAW or CAP_NET_ADMIN
 *   ways beyond ADDRESS4 ADDRESS6 FIRST_PORT TAG [ROUNDS]   the same, what is let pass or cannot be seen; each says why
 *
 * A payload is the counted text again and again, so that each fragment has it; what carries none is counted by its port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <net/if.h>
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

#include "tries.h"

enum {
  RING_WAIT_MS = 200, PACKET_BYTES = 1200, LARGE_BYTES = 6000, FROM_PORT = 43000,
  EXPERIMENT = 253, SEGMENT_ROUTING = 4, TCP_NO_COOKIE = 34, LATER_OFFSET = 185,
};

/* Addresses of the lab: its client's, and one that only the peer answers. */
#define OWN4 "10.77.0.2"
#define OWN6 "fd77::2"
#define FOREIGN4 "198.18.200.7"
#define FOREIGN6 "fd78::200:7"

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

/* A thread of the kernel has got so far with a connection that nobody answers. */
static int begun(int fd) {
  struct tcp_info info;
  socklen_t bytes = sizeof info;
  return fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 && info.tcpi_state != TCP_CLOSE;
}

/* Submits the one entry that was filled in and waits until it has ended, or the connection of `fd` has begun. */
static int submit(struct ring *ring, int fd) {
  unsigned *tail = (void *)(ring->queue + ring->about.sq_off.tail), *array = (void *)(ring->queue + ring->about.sq_off.array);
  unsigned flags = ring->about.flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0;
  struct pollfd done = {.fd = ring->fd, .events = POLLIN};
  array[0] = 0;
  __atomic_store_n(tail, 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring->fd, 1, 0, flags, NULL, 0) < 0) return errno;
  for (int left = RING_WAIT_MS; left > 0 && !begun(fd); left--) {
    if (poll(&done, 1, 1) <= 0) continue;
    struct io_uring_cqe *end = (void *)(ring->queue + ring->about.cq_off.cqes);
    return end->res < 0 ? -end->res : 0;
  }
  return 0;
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
  int connected = operation != IORING_OP_SENDMSG;
  if (connected && connect(fd, &peer.any, bytes) < 0) return errno;
  ring.entries[0] = (struct io_uring_sqe){.opcode = operation, .flags = flags, .fd = fd, .len = 1};
  ring.entries[0].addr = connected ? (uint64_t)(uintptr_t)to->text : (uint64_t)(uintptr_t)&message;
  if (connected) ring.entries[0].len = (unsigned)strlen(to->text);
  return submit(&ring, -1);
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
  return submit(&ring, ring.entries[0].fd);
}

static int ring_connect(const struct target *to) { return ring_stream(to, 0, 0); }
static int ring_worker_connect(const struct target *to) { return ring_stream(to, 0, IOSQE_ASYNC); }
static int ring_thread_connect(const struct target *to) { return ring_stream(to, IORING_SETUP_SQPOLL, 0); }
static int ring_send(const struct target *to) { return ring_datagram(to, 0, 0, IORING_OP_SEND); }
static int ring_sendmsg(const struct target *to) { return ring_datagram(to, 0, 0, IORING_OP_SENDMSG); }
static int ring_zero_copy(const struct target *to) { return ring_datagram(to, 0, 0, IORING_OP_SEND_ZC); }
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
#include "beyond-ways.h"

static const struct way ways[] = {
    {"ring-connect", ring_connect}, {"ring-worker-connect", ring_worker_connect}, {"ring-thread-connect", ring_thread_connect},
    {"ring-send", ring_send}, {"ring-sendmsg", ring_sendmsg}, {"ring-worker", ring_worker}, {"ring-thread", ring_thread},
    {"ring-zero-copy", ring_zero_copy},
    {"fragments4", fragments4}, {"fragments6", fragments6}, {"udplite6", udplite6}, {"device", device}, {"routing6", routing6},
    {"early-data4", early_data4}, {"early-data6", early_data6}, {"foreign6", foreign6}, {"reflected6", reflected6}, {NULL, NULL},
};

static const struct way root_ways[] = {
    {"raw-udp4", raw_udp4}, {"raw-udp6", raw_udp6}, {"header-udp4", header_udp4}, {"header-udp6", header_udp6},
    {"header-syn", header_syn}, {"header-ack", header_ack}, {"header-reset", header_reset}, {"bare-reset", bare_reset},
    {"later-fragment4", later_fragment4}, {"later-fragment6", later_fragment6}, {"experiment4", experiment4},
    {"experiment6", experiment6}, {"tunnel4", tunnel4}, {"tunnel6", tunnel6}, {"extensions6", extensions6},
    {"sticky6", sticky6}, {"foreign-source", foreign_source}, {"transparent", transparent}, {"marked", marked},
    {"raw-echo4", raw_echo4}, {"reflected4", reflected4}, {"raw-echo6", raw_echo6}, {"raw-error4", raw_error4},
    {"raw-sctp", raw_sctp}, {"raw-dccp", raw_dccp}, {"raw-igmp", raw_igmp}, {"raw-gre", raw_gre}, {"raw-esp", raw_esp},
    {"far-neighbour6", far_neighbour6}, {"source-route", source_route}, {NULL, NULL},
};

static const struct way beyond_ways[] = {{"packet4", packet4}, {"packet6", packet6}, {"dhcp", dhcp}, {"neighbour6", neighbour6}, {NULL, NULL}};

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "try") == 0) return try_all(ways, argc - 2, argv + 2);
  if (strcmp(what, "root") == 0) return try_all(root_ways, argc - 2, argv + 2);
  if (strcmp(what, "beyond") == 0) return try_all(beyond_ways, argc - 2, argv + 2);
  return 2;
}
