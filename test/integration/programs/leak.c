/*
 * Ways to send a packet, each tried by a process of its own: what an unprivileged program can do to be taken for another one,
 * or for nobody.
 *
 *   leak try ADDRESS4 ADDRESS6 FIRST_PORT TAG [ROUNDS [LENDER]]   every way; see tries.h
 *   leak lend WAY ADDRESS PORT INTRUDER TEXT           a lender's part, below; descriptor 3 is its link
 *   leak lend alone ADDRESS PORT INTRUDER TEXT         one datagram of its own
 *   leak use TAG                                       sends on descriptor 4, which somebody else connected
 *   leak churn ADDRESS PORT SOCKETS TEXT               sends, makes and closes so many sockets, sends on the first again
 *
 * What carries no payload is counted by its port.
 *
 * LENDER is a copy of this program at another path. It opens a socket of its own and hands it over by exec or through a unix
 * socket, or holds the same source port; what it sends itself is the text "lender". Without one the program is its own lender.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tries.h"

enum { LINK = 3, LENT = 4, SHARED_PORT = 41000 };

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int sending(int fd, const struct target *to, const char *address) {
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  if (fd < 0) return errno;
  return result(sendto(fd, to->text, strlen(to->text), 0, &peer.any, bytes));
}

/* A connected socket first reports what became of its last datagram: that is not about this one. */
static int sending_on(int fd, const char *text) {
  for (int left = 2; left > 0; left--) {
    if (send(fd, text, strlen(text), 0) >= 0) return 0;
  }
  return errno;
}

static int connected(int family, const char *address, int port) {
  union address peer;
  socklen_t bytes = parse(&peer, address, port);
  int fd = socket(family, SOCK_DGRAM, 0);
  return fd < 0 || connect(fd, &peer.any, bytes) < 0 ? -1 : fd;
}

static int datagram4(const struct target *to) { return sending(socket(AF_INET, SOCK_DGRAM, 0), to, to->v4); }
static int datagram6(const struct target *to) { return sending(socket(AF_INET6, SOCK_DGRAM, 0), to, to->v6); }

static int mapped(const struct target *to) {
  char text[INET6_ADDRSTRLEN];
  snprintf(text, sizeof text, "::ffff:%s", to->v4);
  return sending(socket(AF_INET6, SOCK_DGRAM, 0), to, text);
}

static int connected_datagram(const struct target *to) {
  int fd = connected(AF_INET, to->v4, to->port);
  return fd < 0 ? errno : result(send(fd, to->text, strlen(to->text), 0));
}

static int batch(const struct target *to) {
  union address peer;
  struct iovec part = {(void *)to->text, strlen(to->text)};
  struct mmsghdr messages[8] = {0};
  socklen_t bytes = parse(&peer, to->v6, to->port);
  for (int at = 0; at < 8; at++) messages[at].msg_hdr = (struct msghdr){.msg_name = &peer, .msg_namelen = bytes, .msg_iov = &part, .msg_iovlen = 1};
  return result(sendmmsg(socket(AF_INET6, SOCK_DGRAM, 0), messages, 8, 0));
}

static int segments(const struct target *to) {
  char text[4 * TEXT_BYTES] = "";
  int size = (int)strlen(to->text), fd = connected(AF_INET, to->v4, to->port);
  for (int at = 0; at < 4; at++) strcat(text, to->text);
  if (fd < 0 || setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof size) < 0) return errno;
  return result(send(fd, text, strlen(text), 0));
}

static int corked(const struct target *to) {
  int fd = connected(AF_INET, to->v4, to->port), on = 1, off = 0;
  if (fd < 0 || setsockopt(fd, SOL_UDP, UDP_CORK, &on, sizeof on) < 0 || send(fd, to->text, strlen(to->text), 0) < 0) return errno;
  return result(setsockopt(fd, SOL_UDP, UDP_CORK, &off, sizeof off));
}

static int fragments(const struct target *to) {
  static char text[9000];
  union address peer;
  socklen_t bytes = parse(&peer, to->v4, to->port);
  memset(text, ' ', sizeof text);
  memcpy(text, to->text, strlen(to->text));
  return result(sendto(socket(AF_INET, SOCK_DGRAM, 0), text, sizeof text, 0, &peer.any, bytes));
}

static int ip_options(const struct target *to) {
  /* Record route, with room for one address: an IP header that is longer than usual. Source: RFC 791 3.1. */
  uint8_t options[8] = {IPOPT_RR, 7, 4, 0, 0, 0, 0, IPOPT_END};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof options) < 0) return errno;
  return sending(fd, to, to->v4);
}

static int broadcast(const struct target *to) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  return sending(fd, to, "10.77.0.255");
}

static int multicast(const struct target *to) { return sending(socket(AF_INET, SOCK_DGRAM, 0), to, "224.0.0.251"); }

static int udplite(const struct target *to) { return sending(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), to, to->v4); }

static int echo(const struct target *to, const char *address, int protocol, uint8_t type) {
  union address peer;
  char packet[TEXT_BYTES + 8] = {(char)type};
  socklen_t bytes = parse(&peer, address, 0);
  int fd = socket(peer.any.sa_family, SOCK_DGRAM, protocol);
  if (fd < 0) return errno;
  strcpy(packet + 8, to->text);
  return result(sendto(fd, packet, 8 + strlen(to->text), 0, &peer.any, bytes));
}

static int echo4(const struct target *to) { return echo(to, to->v4, IPPROTO_ICMP, 8); }
static int echo6(const struct target *to) { return echo(to, to->v6, IPPROTO_ICMPV6, 128); }

static int stream(const struct target *to, const char *address, int protocol) {
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  int fd = socket(peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, protocol);
  return fd < 0 ? errno : result(connect(fd, &peer.any, bytes));
}

static int stream4(const struct target *to) { return stream(to, to->v4, 0); }
static int stream6(const struct target *to) { return stream(to, to->v6, 0); }
static int multipath(const struct target *to) { return stream(to, to->v4, IPPROTO_MPTCP); }

static int fast_open(const struct target *to) {
  union address peer;
  socklen_t bytes = parse(&peer, to->v4, to->port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  return result(sendto(fd, to->text, strlen(to->text), MSG_FASTOPEN, &peer.any, bytes));
}

static void *in_thread(void *target) { return (void *)(long)datagram4(target); }

static int thread(const struct target *to) {
  pthread_t other;
  void *error;
  pthread_create(&other, NULL, in_thread, (void *)to);
  pthread_join(other, &error);
  return (int)(long)error;
}

static int execute(char *const *words) {
  pid_t child = vfork();
  int status;
  if (child == 0) {
    execv(words[0], words);
    _exit(127);
  }
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ECHILD;
}

/* This very program from a file that has no name. */
static int memory_file(const struct target *to) {
  char path[32];
  struct stat info;
  int file = memfd_create("leak", 0), own = open("/proc/self/exe", O_RDONLY);
  if (fstat(own, &info) < 0 || sendfile(file, own, NULL, (size_t)info.st_size) < 0) return errno;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (dup2(connected(AF_INET, to->v4, to->port), LENT) < 0) return errno;
  return execute((char *[]){path, "use", (char *)to->text, NULL});
}

static pid_t lender(const struct target *to, const char *way, int link) {
  char port[8];
  pid_t child;
  snprintf(port, sizeof port, "%d", to->port);
  child = fork();
  if (child != 0) return child;
  dup2(link, LINK);
  execl(to->lender, to->lender, "lend", way, to->v4, port, to->own, to->text, (char *)NULL);
  _exit(127);
}

/* The lender connects and executes this program, which inherits the socket. */
static int inherited(const struct target *to, const char *way) {
  int status;
  waitpid(lender(to, way, LINK), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static int inherited_datagram(const struct target *to) { return inherited(to, "exec-udp"); }
static int inherited_echo(const struct target *to) { return inherited(to, "exec-ping"); }
static int inherited_stream(const struct target *to) { return inherited(to, "exec-stream"); }

static int received(const struct target *to) {
  int link[2];
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link);
  lender(to, "pass", link[1]);
  close(link[1]);
  if (recvmsg(link[0], &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) return ECHILD;
  return sending_on(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)), to->text);
}

/* The lender sends from the same source port to the same place, and goes on holding it. */
static int reused_port(const struct target *to) {
  int link[2], on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
  char byte;
  union address own;
  socklen_t bytes = parse(&own, "0.0.0.0", SHARED_PORT);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link);
  lender(to, "port", link[1]);
  close(link[1]);
  if (read(link[0], &byte, 1) != 1) return ECHILD;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, &own.any, bytes) < 0) return errno;
  return sending(fd, to, to->v4);
}

/* Out of the lender's table of files, which its parent may look into. */
static int stolen(const struct target *to) {
  int link[2];
  char byte;
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link);
  pid_t child = lender(to, "hold", link[1]);
  close(link[1]);
  if (read(link[0], &byte, 1) != 1) return ECHILD;
  int process = (int)syscall(SYS_pidfd_open, child, 0);
  int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, LENT, 0);
  return fd < 0 ? errno : sending_on(fd, to->text);
}

static const struct way ways[] = {
    {"datagram4", datagram4}, {"datagram6", datagram6}, {"mapped", mapped}, {"connected", connected_datagram},
    {"batch", batch}, {"segments", segments}, {"corked", corked}, {"fragments", fragments}, {"ip-options", ip_options},
    {"broadcast", broadcast}, {"multicast", multicast}, {"udplite", udplite}, {"echo4", echo4}, {"echo6", echo6},
    {"stream4", stream4}, {"stream6", stream6}, {"multipath", multipath}, {"fast-open", fast_open}, {"thread", thread},
    {"memory-file", memory_file}, {"inherited-datagram", inherited_datagram}, {"inherited-echo", inherited_echo},
    {"inherited-stream", inherited_stream}, {"received", received}, {"reused-port", reused_port},
    {"stolen", stolen}, {NULL, NULL},
};

static int hand_over(const char *own, const char *text, int fd) {
  dup2(fd, LENT);
  execl(own, own, "use", text, (char *)NULL);
  return 127;
}

static int lend(char **words) {
  const char *way = words[0], *address = words[1], *own = words[3], *text = words[4];
  int port = atoi(words[2]), on = 1;
  union address peer, from;
  socklen_t bytes = parse(&peer, address, port);
  alarm(WAY_LIMIT_S);
  if (strcmp(way, "exec-stream") == 0) {
    /* Made and bound by the lender, connected by whom it is handed to. */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setenv("CONNECT_TO", address, 1);
    setenv("CONNECT_PORT", words[2], 1);
    return hand_over(own, text, fd);
  }
  if (strcmp(way, "exec-ping") == 0) {
    int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    uint8_t packet[16] = {8};
    peer.v4.sin_port = 0;
    if (fd < 0 || connect(fd, &peer.any, bytes) < 0 || send(fd, packet, sizeof packet, 0) < 0) return errno;
    return hand_over(own, text, fd);
  }
  if (strcmp(way, "port") == 0) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    parse(&from, "0.0.0.0", SHARED_PORT);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, &from.any, bytes) < 0 || sendto(fd, "lender", 6, 0, &peer.any, bytes) < 0) return errno;
    char byte = 1;
    if (write(LINK, &byte, 1) != 1) return errno;
    return read(LINK, &byte, 1) == 0 ? 0 : 1;
  }
  int fd = connected(AF_INET, address, port);
  if (fd < 0) return errno;
  if (strcmp(way, "alone") == 0) return result(send(fd, text, strlen(text), 0));
  if (send(fd, "lender", 6, 0) < 0) return errno;
  if (strcmp(way, "exec-udp") == 0) return hand_over(own, text, fd);
  char byte = 1, control[CMSG_SPACE(sizeof(int))] = {0};
  if (strcmp(way, "hold") == 0) return dup2(fd, LENT) == LENT && write(LINK, &byte, 1) == 1 && read(LINK, &byte, 1) == 0 ? 0 : errno;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  *CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
  return sendmsg(LINK, &message, 0) == 1 && read(LINK, &byte, 1) == 0 ? 0 : errno;
}

static int use(const char *text) {
  const char *address = getenv("CONNECT_TO"), *port = getenv("CONNECT_PORT");
  int type = 0, protocol = 0;
  socklen_t size = sizeof type;
  char packet[TEXT_BYTES + 8] = {8};
  getsockopt(LENT, SOL_SOCKET, SO_TYPE, &type, &size);
  getsockopt(LENT, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
  if (type == SOCK_STREAM) {
    union address peer;
    socklen_t bytes = parse(&peer, address == NULL ? "" : address, atoi(port == NULL ? "" : port));
    return result(connect(LENT, &peer.any, bytes));
  }
  if (protocol == IPPROTO_UDP) return sending_on(LENT, text);
  strcpy(packet + 8, text);
  return result(send(LENT, packet, 8 + strlen(text), 0));
}

static int churn(char **words) {
  int fd = connected(AF_INET, words[0], atoi(words[1]));
  const char *text = words[3];
  if (fd < 0) return errno;
  send(fd, text, strlen(text), 0);
  for (int left = atoi(words[2]); left > 0; left--) close(socket(AF_INET, SOCK_DGRAM, 0));
  return sending_on(fd, text);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "try") == 0) return try_all(ways, argc - 2, argv + 2);
  if (strcmp(what, "lend") == 0 && argc == 7) return lend(argv + 2);
  if (strcmp(what, "use") == 0 && argc == 3) return use(argv[2]);
  if (strcmp(what, "churn") == 0 && argc == 6) return churn(argv + 2);
  return 2;
}
