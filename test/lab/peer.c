/*
 * The machine on the other side of the lab: echo on TCP and UDP port 7, HTTP on port 80, IPv4 and IPv6, and a counter of
 * what arrives on an interface. One thread, one epoll loop.
 *
 * usage: peer INTERFACE
 * stdin takes lines, stdout gives one line for each:
 *   ready                        printed once, when every service listens
 *   watch            -> watching      counts start at zero
 *   count            -> PACKETS LOST then " KEY=N" for each key seen; everything that has arrived is counted before
 *   end of stdin     -> exit
 * Keys: tcp/PORT syn/PORT udp/PORT (destination ports), icmp/TYPE, other/PROTOCOL, with a 6 after the name for IPv6;
 * tag/TEXT for every payload that holds "lab-tag:TEXT;" in its first bytes; and routed/ADDRESS for a packet with IPv4 options
 * or an IPv6 routing header, by where it is sent next.
 *
 * HTTP: any request gets 200 and a short text; GET /bytes/N gets N bytes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 8192, BUFFER_BYTES = 16384, MAX_KEYS = 4096, KEY_BYTES = 48, SNAP_BYTES = 512, SPARE_FILES = 64 };

enum kind { KIND_ECHO_LISTENER, KIND_HTTP_LISTENER, KIND_UDP, KIND_SNIFFER, KIND_STDIN, KIND_ECHO, KIND_HTTP };

struct source {
  enum kind kind;
  int fd;
  uint32_t events;
  /* connections only */
  size_t start, end;
  uint64_t filler;
  int answering, ended;
  char buffer[];
};

static int poller, connections, max_connections = MAX_CONNECTIONS;
static struct source *sniffer;

static void fail(const char *what) {
  fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
  exit(1);
}

static struct source *add(enum kind kind, int fd, uint32_t events, size_t buffer_bytes) {
  struct source *source = calloc(1, sizeof *source + buffer_bytes);
  if (!source) fail("memory");
  source->kind = kind;
  source->fd = fd;
  source->events = events;
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll");
  return source;
}

static void want(struct source *source, uint32_t events) {
  if (source->events == events) return;
  source->events = events;
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, source->fd, &event) < 0) fail("epoll");
}

static void end(struct source *source) {
  close(source->fd);
  free(source);
  connections--;
}



static struct count {
  char key[KEY_BYTES];
  uint64_t packets;
} counts[MAX_KEYS];
static uint64_t packets_seen, packets_lost;

static void count(const char *key) {
  uint32_t hash = 2166136261u;
  for (const char *at = key; *at; at++) hash = (hash ^ (uint8_t)*at) * 16777619u;
  for (uint32_t tries = 0; tries < MAX_KEYS; tries++) {
    struct count *slot = &counts[(hash + tries) % MAX_KEYS];
    if (slot->packets == 0) snprintf(slot->key, sizeof slot->key, "%s", key);
    else if (strcmp(slot->key, key) != 0) continue;
    slot->packets++;
    return;
  }
  packets_lost++;
}

static void count_tag(const uint8_t *payload, size_t length) {
  static const char mark[] = "lab-tag:";
  const uint8_t *found = memmem(payload, length, mark, sizeof mark - 1);
  if (!found) return;
  char key[KEY_BYTES] = "tag/";
  size_t at = 4;
  const uint8_t *text = found + sizeof mark - 1, *stop = payload + length;
  for (; text < stop && *text != ';' && at + 1 < sizeof key; text++) {
    int letter = *text;
    int plain = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                letter == '-' || letter == '_' || letter == '.';
    key[at++] = plain ? (char)letter : '?';
  }
  count(key);
}

static void count_transport(int protocol, const char *six, const uint8_t *data, size_t length) {
  char key[KEY_BYTES];
  if (protocol == IPPROTO_TCP && length >= sizeof(struct tcphdr)) {
    const struct tcphdr *tcp = (const void *)data;
    snprintf(key, sizeof key, "tcp%s/%u", six, ntohs(tcp->dest));
    count(key);
    if (tcp->syn && !tcp->ack) {
      snprintf(key, sizeof key, "syn%s/%u", six, ntohs(tcp->dest));
      count(key);
    }
  } else if (protocol == IPPROTO_UDP && length >= sizeof(struct udphdr)) {
    const struct udphdr *udp = (const void *)data;
    snprintf(key, sizeof key, "udp%s/%u", six, ntohs(udp->dest));
    count(key);
  } else if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && length >= 1) {
    snprintf(key, sizeof key, "icmp%s/%u", six, data[0]);
    count(key);
  } else {
    snprintf(key, sizeof key, "other%s/%d", six, protocol);
    count(key);
  }
  count_tag(data, length);
}

static void count_routed(int family, const void *destination) {
  char key[KEY_BYTES] = "routed/";
  inet_ntop(family, destination, key + 7, sizeof key - 7);
  count(key);
}

static void count_packet(const uint8_t *data, size_t length) {
  packets_seen++;
  if (length >= sizeof(struct iphdr) && data[0] >> 4 == 4) {
    size_t header = (size_t)(data[0] & 15) * 4;
    if (header > sizeof(struct iphdr)) count_routed(AF_INET, data + 16);
    if (header <= length) count_transport(data[9], "", data + header, length - header);
    return;
  }
  if (length < sizeof(struct ip6_hdr) || data[0] >> 4 != 6) return;
  int next = data[6];
  size_t at = sizeof(struct ip6_hdr);
  while ((next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING) && at + 8 <= length) {
    if (next == IPPROTO_ROUTING) count_routed(AF_INET6, data + 24);
    next = data[at];
    at += (size_t)(data[at + 1] + 1) * 8;
  }
  if (at <= length) count_transport(next, "6", data + at, length - at);
}

static void drain_sniffer(void) {
  uint8_t data[SNAP_BYTES];
  for (;;) {
    struct sockaddr_ll from;
    socklen_t from_bytes = sizeof from;
    ssize_t length = recvfrom(sniffer->fd, data, sizeof data, MSG_DONTWAIT, (void *)&from, &from_bytes);
    if (length < 0) return;
    uint16_t protocol = ntohs(from.sll_protocol);
    if (from.sll_pkttype == PACKET_OUTGOING || (protocol != ETH_P_IP && protocol != ETH_P_IPV6)) continue;
    count_packet(data, (size_t)length);
  }
}

static void watch(const char *interface) {
  if (!sniffer) {
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL)), size = 64 << 20;
    if (fd < 0) fail("packet socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(interface)};
    if (address.sll_ifindex == 0 || bind(fd, (void *)&address, sizeof address) < 0) fail(interface);
    sniffer = add(KIND_SNIFFER, fd, EPOLLIN, 0);
  }
  drain_sniffer();
  struct tpacket_stats stats;
  socklen_t bytes = sizeof stats;
  getsockopt(sniffer->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes);
  memset(counts, 0, sizeof counts);
  packets_seen = packets_lost = 0;
  puts("watching");
}

static void report(void) {
  if (sniffer) {
    drain_sniffer();
    struct tpacket_stats stats = {0};
    socklen_t bytes = sizeof stats;
    if (getsockopt(sniffer->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0) packets_lost += stats.tp_drops;
  }
  printf("%llu %llu", (unsigned long long)packets_seen, (unsigned long long)packets_lost);
  for (int at = 0; at < MAX_KEYS; at++)
    if (counts[at].packets) printf(" %s=%llu", counts[at].key, (unsigned long long)counts[at].packets);
  putchar('\n');
}

static void command(const char *interface) {
  char line[64];
  ssize_t length = read(0, line, sizeof line - 1);
  if (length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN)) exit(0);
  if (length < 0) return;
  line[length] = 0;
  if (strncmp(line, "watch\n", 6) == 0) watch(interface);
  else if (strncmp(line, "count\n", 6) == 0) report();
  else puts("unknown");
  fflush(stdout);
}



static int listener(int family, int type, uint16_t port) {
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address = {0};
  socklen_t bytes = family == AF_INET ? sizeof address.v4 : sizeof address.v6;
  address.any.sa_family = (sa_family_t)family;
  if (family == AF_INET) {
    address.v4.sin_port = htons(port);
    if (type == SOCK_DGRAM) setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
  } else {
    address.v6.sin6_port = htons(port);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (type == SOCK_DGRAM) {
      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes);
      /* The addresses of a local route are none of an interface: IPv6 answers from them only so. */
      setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof yes);
    }
  }
  if (type == SOCK_DGRAM) {
    int size = 8 << 20;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  if (bind(fd, &address.any, bytes) < 0) fail("bind");
  if (type == SOCK_STREAM && listen(fd, 4096) < 0) fail("listen");
  return fd;
}

static void accept_all(struct source *from, enum kind kind) {
  for (;;) {
    int fd = accept4(from->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (connections >= max_connections) {
      close(fd);
      continue;
    }
    connections++;
    add(kind, fd, EPOLLIN, BUFFER_BYTES);
  }
}

/* The answer leaves from the address that was asked, with the control message as it came. */
static void echo_datagrams(struct source *from) {
  static char data[65536];
  for (;;) {
    char control[128];
    struct sockaddr_storage address;
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(from->fd, &message, MSG_DONTWAIT);
    if (length < 0 && errno != EAGAIN) continue;
    if (length < 0) return;
    struct cmsghdr *info = CMSG_FIRSTHDR(&message);
    if (info && info->cmsg_level == IPPROTO_IP && info->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo *to = (void *)CMSG_DATA(info);
      to->ipi_spec_dst = to->ipi_addr;
      to->ipi_ifindex = 0;
    }
    part.iov_len = (size_t)length;
    sendmsg(from->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

/* Sends what waits; 0 when the connection has ended and is gone. */
static int flush_out(struct source *source) {
  static const char filler[BUFFER_BYTES];
  while (source->start < source->end || source->filler > 0) {
    int head = source->start < source->end;
    const char *from = head ? source->buffer + source->start : filler;
    size_t left = head ? source->end - source->start : source->filler < sizeof filler ? (size_t)source->filler : sizeof filler;
    ssize_t sent = send(source->fd, from, left, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      want(source, EPOLLOUT);
      return 1;
    }
    if (sent < 0) {
      end(source);
      return 0;
    }
    if (head) source->start += (size_t)sent;
    else source->filler -= (uint64_t)sent;
  }
  source->start = source->end = 0;
  if (source->answering) {
    shutdown(source->fd, SHUT_WR);
    source->answering = 0;
    source->ended = 1;
  }
  want(source, EPOLLIN);
  return 1;
}

static void echo(struct source *source) {
  for (;;) {
    if (!flush_out(source)) return;
    if (source->end > 0) return;
    ssize_t length = recv(source->fd, source->buffer, BUFFER_BYTES, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) {
      end(source);
      return;
    }
    source->end = (size_t)length;
  }
}

static void answer(struct source *source) {
  unsigned long long wanted = 0;
  source->buffer[source->end] = 0;
  int bulk = sscanf(source->buffer, "GET /bytes/%llu ", &wanted) == 1;
  const char *text = "Hello from the peer of the lab.\n";
  int length = snprintf(source->buffer, BUFFER_BYTES,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %llu\r\n\r\n%s",
                        bulk ? wanted : (unsigned long long)strlen(text), bulk ? "" : text);
  source->start = 0;
  source->end = (size_t)length;
  source->filler = bulk ? wanted : 0;
  source->answering = 1;
}

static void http(struct source *source) {
  while (!source->answering) {
    if (source->ended) source->end = 0;
    ssize_t length = recv(source->fd, source->buffer + source->end, BUFFER_BYTES - 1 - source->end, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) {
      end(source);
      return;
    }
    if (source->ended) continue;
    source->end += (size_t)length;
    int whole = memmem(source->buffer, source->end, "\r\n\r\n", 4) != NULL;
    if (!whole && source->end >= BUFFER_BYTES - 1) {
      end(source);
      return;
    }
    if (whole) answer(source);
  }
  flush_out(source);
}

static void serve(void) {
  static const int families[] = {AF_INET, AF_INET6};
  for (int at = 0; at < 2; at++) {
    add(KIND_ECHO_LISTENER, listener(families[at], SOCK_STREAM, 7), EPOLLIN, 0);
    add(KIND_HTTP_LISTENER, listener(families[at], SOCK_STREAM, 80), EPOLLIN, 0);
    add(KIND_UDP, listener(families[at], SOCK_DGRAM, 7), EPOLLIN, 0);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fputs("usage: peer INTERFACE\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < MAX_CONNECTIONS + SPARE_FILES) max_connections = (int)files.rlim_cur - SPARE_FILES;
  }
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll");
  serve();
  add(KIND_STDIN, 0, EPOLLIN, 0);
  puts("ready");
  fflush(stdout);
  for (;;) {
    /* One event a turn: what handles an event may free only the source that it belongs to. */
    struct epoll_event event;
    if (epoll_wait(poller, &event, 1, -1) != 1) continue;
    struct source *source = event.data.ptr;
    switch (source->kind) {
      case KIND_ECHO_LISTENER: accept_all(source, KIND_ECHO); break;
      case KIND_HTTP_LISTENER: accept_all(source, KIND_HTTP); break;
      case KIND_UDP: echo_datagrams(source); break;
      case KIND_SNIFFER: drain_sniffer(); break;
      case KIND_STDIN: command(argv[1]); break;
      case KIND_ECHO: echo(source); break;
      case KIND_HTTP: http(source); break;
    }
  }
}
