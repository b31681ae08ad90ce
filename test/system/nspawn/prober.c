/*
 * Senders that begin before there is a network and never stop; see machine.ts.
 *
 *   prober undecided ADDRESS4 ADDRESS6 PORT TAG FILE    TCP, UDP and ping to both addresses, every 5 ms
 *   prober addresses ADDRESS4 INTERFACE FILE            what a DHCP client sends, and router solicitations, every 50 ms
 *
 * FILE holds one line: "rounds=N passed=N\n", the rounds that were tried, and the sends that the kernel took.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../../integration/programs/address.h"

enum { ROUND_US = 5000, SLOW_ROUND_US = 50000, OPEN_LIMIT = 128, TEXT_BYTES = 80, SOLICIT_BYTES = 8 };

static unsigned long long rounds, passed;
static int open_now[OPEN_LIMIT];
static unsigned opened;

/* A connection that waits for its answer is closed when so many others were begun after it. */
static void keep(int fd) {
  unsigned at = opened++ % OPEN_LIMIT;
  if (open_now[at] > 0) close(open_now[at]);
  open_now[at] = fd;
}

static void note(ssize_t result) {
  if (result >= 0 || errno == EINPROGRESS) passed++;
}

static void connect_once(const union address *to, socklen_t bytes) {
  int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  note(connect(fd, &to->any, bytes));
  keep(fd);
}

static void send_once(const union address *to, socklen_t bytes, int protocol, const void *data, size_t length) {
  int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return;
  note(sendto(fd, data, length, 0, &to->any, bytes));
  close(fd);
}

static void undecided(const char *address4, const char *address6, int port, const char *tag) {
  union address to4, to6;
  socklen_t bytes4 = parse(&to4, address4, port), bytes6 = parse(&to6, address6, port);
  char text[TEXT_BYTES], ping[sizeof(struct icmphdr) + TEXT_BYTES] = {0};
  int length = snprintf(text, sizeof text, "lab-tag:%s;", tag);
  memcpy(ping + sizeof(struct icmphdr), text, (size_t)length);
  size_t ping_bytes = sizeof(struct icmphdr) + (size_t)length;
  connect_once(&to4, bytes4);
  connect_once(&to6, bytes6);
  send_once(&to4, bytes4, 0, text, (size_t)length);
  send_once(&to6, bytes6, 0, text, (size_t)length);
  ping[0] = ICMP_ECHO;
  send_once(&to4, bytes4, IPPROTO_ICMP, ping, ping_bytes);
  ping[0] = (char)ICMP6_ECHO_REQUEST;
  send_once(&to6, bytes6, IPPROTO_ICMPV6, ping, ping_bytes);
}

static void from_port(const char *from, int port, const char *to, int to_port, unsigned scope) {
  union address source, target;
  socklen_t source_bytes = parse(&source, from, port), target_bytes = parse(&target, to, to_port);
  if (scope) target.v6.sin6_scope_id = scope;
  int fd = socket(target.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
  if (fd < 0) return;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, &source.any, source_bytes) == 0) note(sendto(fd, "address?", 8, 0, &target.any, target_bytes));
  close(fd);
}

static void solicit(unsigned scope) {
  union address routers;
  socklen_t bytes = parse(&routers, "ff02::2", 0);
  routers.v6.sin6_scope_id = scope;
  const char message[SOLICIT_BYTES] = {(char)ND_ROUTER_SOLICIT};
  int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), hops = 255;
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
  note(sendto(fd, message, sizeof message, 0, &routers.any, bytes));
  close(fd);
}

static void addresses(const char *address4, const char *interface) {
  unsigned scope = if_nametoindex(interface);
  from_port("0.0.0.0", 68, address4, 67, 0);
  if (scope == 0) return;
  from_port("::", 546, "ff02::1:2", 547, scope);
  solicit(scope);
}

static void report(int file) {
  char line[TEXT_BYTES];
  int length = snprintf(line, sizeof line, "rounds=%llu passed=%llu\n", rounds, passed);
  if (pwrite(file, line, (size_t)length, 0) < 0) _exit(1);
}

int main(int argc, char **argv) {
  int probing = argc == 7 && strcmp(argv[1], "undecided") == 0;
  if (!probing && !(argc == 5 && strcmp(argv[1], "addresses") == 0)) return 2;
  int file = open(argv[argc - 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return 1;
  struct timespec pause = {.tv_nsec = (probing ? ROUND_US : SLOW_ROUND_US) * 1000L};
  for (;; rounds++) {
    if (probing) undecided(argv[2], argv[3], atoi(argv[4]), argv[5]);
    else addresses(argv[2], argv[3]);
    report(file);
    nanosleep(&pause, NULL);
  }
}
