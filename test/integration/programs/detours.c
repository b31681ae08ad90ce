/*
 * Ways round a firewall that go through rarer calls and options of ordinary sockets, through other processes, and through
 * namespaces. None of them takes a privilege.
 *
 *   detours try ADDRESS4 ADDRESS6 FIRST_PORT TAG [ROUNDS [LENDER]]   every way; see tries.h
 *   detours send ADDRESS PORT TEXT                                   one datagram: what is executed
 *   detours stub ADDRESS PORT                                        as root: passes on what 127.0.0.53 is asked
 *
 * LENDER is a program that may send, at whose path this one is put in a mount namespace of its own. A copy with the set-uid
 * bit is where this program is, with "-setuid" behind its name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "tries.h"

enum { BOUND_PORT = 42000, BOUND_STREAM_PORT = 42001, LOOKUP_PORT = 53, STACK_BYTES = 65536 };

/* ---- rarer calls and options */

static int sending(int fd, const struct target *to, const char *address, int flags) {
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  return fd < 0 ? errno : result(sendto(fd, to->text, strlen(to->text), flags, &peer.any, bytes));
}

static int datagram(void) { return socket(AF_INET, SOCK_DGRAM, 0); }

static int connected(const char *address, int port) {
  union address peer;
  socklen_t bytes = parse(&peer, address, port);
  int fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
  return fd < 0 || connect(fd, &peer.any, bytes) < 0 ? -1 : fd;
}

static int connecting(int fd, const char *address, int port) {
  union address peer;
  socklen_t bytes = parse(&peer, address, port);
  return fd < 0 ? errno : result(connect(fd, &peer.any, bytes));
}

static int with_option(const struct target *to, const char *address, int level, int name, const void *value, socklen_t bytes) {
  union address peer;
  parse(&peer, address, to->port);
  int fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
  return setsockopt(fd, level, name, value, bytes) < 0 ? errno : sending(fd, to, address, 0);
}

static int bound_to(int fd, int port) {
  union address own;
  socklen_t bytes = parse(&own, "0.0.0.0", port);
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 || bind(fd, &own.any, bytes) < 0 ? -1 : fd;
}

static int bound(const struct target *to) { return sending(bound_to(datagram(), BOUND_PORT), to, to->v4, 0); }

static int bound_stream(const struct target *to) {
  return connecting(bound_to(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), BOUND_STREAM_PORT), to->v4, to->port);
}

static int mapped_stream(const struct target *to) {
  char text[INET6_ADDRSTRLEN];
  snprintf(text, sizeof text, "::ffff:%s", to->v4);
  return connecting(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), text, to->port);
}

static int fast_open_connect(const struct target *to) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) < 0) return errno;
  int error = connecting(fd, to->v4, to->port);
  return error != 0 ? error : result(write(fd, to->text, strlen(to->text)));
}

static int sctp(const struct target *to) { return connecting(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_SCTP), to->v4, to->port); }
static int dccp(const struct target *to) { return connecting(socket(AF_INET, SOCK_DCCP | SOCK_NONBLOCK, IPPROTO_DCCP), to->v4, to->port); }

static int broadcast_all(const struct target *to) {
  int on = 1;
  return with_option(to, "255.255.255.255", SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
}

static int multicast6(const struct target *to) {
  int interface = (int)if_nametoindex("eth0");
  return with_option(to, "ff02::fb", IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
}

static int zero_copy(const struct target *to) {
  int fd = datagram(), on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0 ? errno : sending(fd, to, to->v4, MSG_ZEROCOPY);
}

static int more(const struct target *to) {
  int fd = connected(to->v6, to->port);
  if (fd < 0 || send(fd, to->text, strlen(to->text), MSG_MORE) < 0) return errno;
  return result(send(fd, "", 0, 0));
}

static int gathered(const struct target *to) {
  struct iovec parts[] = {{(void *)to->text, 4}, {(void *)(to->text + 4), strlen(to->text) - 4}};
  int fd = connected(to->v6, to->port);
  return fd < 0 ? errno : result(writev(fd, parts, 2));
}

static int sent_file(const struct target *to) {
  int file = memfd_create("text", 0), fd = connected(to->v4, to->port);
  off_t from = 0;
  if (fd < 0 || write(file, to->text, strlen(to->text)) < 0) return errno;
  return result(sendfile(fd, file, &from, strlen(to->text)));
}

static int spliced(const struct target *to) {
  int ends[2], fd = connected(to->v4, to->port);
  if (fd < 0 || pipe(ends) < 0 || write(ends[1], to->text, strlen(to->text)) < 0) return errno;
  return result(splice(ends[0], NULL, fd, NULL, strlen(to->text), 0));
}

static int with_control(const struct target *to, const char *address, int level, int type, const void *data, size_t size) {
  char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8))) = {0};
  char text[2 * TEXT_BYTES];
  struct iovec part = {text, (size_t)snprintf(text, sizeof text, "%s%s", to->text, to->text)};
  union address peer;
  socklen_t bytes = parse(&peer, address, to->port);
  struct msghdr message = {.msg_name = &peer, .msg_namelen = bytes, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
  *CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), data, size);
  return result(sendmsg(socket(peer.any.sa_family, SOCK_DGRAM, 0), &message, 0));
}

static int segments6(const struct target *to) {
  uint16_t size = (uint16_t)strlen(to->text);
  return with_control(to, to->v6, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
}

static int packet_info(const struct target *to) {
  struct in_pktinfo info = {.ipi_ifindex = (int)if_nametoindex("eth0")};
  return with_control(to, to->v4, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

static int packet_info6(const struct target *to) {
  struct in6_pktinfo info = {.ipi6_ifindex = if_nametoindex("eth0")};
  return with_control(to, to->v6, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

/* To where lookups go: no port is let pass for its number. */
static int lookup(const struct target *to) {
  struct target server = *to;
  server.port = LOOKUP_PORT;
  return sending(datagram(), &server, to->v4, 0);
}

/* ---- other processes */

static int plain(const struct target *to) { return sending(datagram(), to, to->v4, 0); }

static int ended(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static int become(const struct target *to, const char *path) {
  char port[8];
  snprintf(port, sizeof port, "%d", to->port);
  execl(path, path, "send", to->v4, port, to->text, (char *)NULL);
  return errno;
}

static int executed(const struct target *to) {
  pid_t child = fork();
  if (child == 0) _exit(become(to, to->own));
  return ended(child);
}

static int vforked(const struct target *to) {
  pid_t child = vfork();
  if (child == 0) _exit(plain(to));
  return ended(child);
}

static int in_clone(void *to) { return plain(to); }

/* Shares memory and files, but is a process of its own. */
static int cloned(const struct target *to) {
  static char stack[STACK_BYTES] __attribute__((aligned(16)));
  return ended(clone(in_clone, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, (void *)to));
}

/* A process of its own session whose parent has ended; the end of the pipe tells that it has ended too. */
static int orphan(const struct target *to, int execute) {
  int ends[2], error = ECHILD;
  if (pipe2(ends, O_CLOEXEC) < 0) return errno;
  pid_t parent = fork();
  if (parent == 0) {
    if (setsid() < 0 || fork() != 0) _exit(0);
    /* Its parent has to be gone. */
    for (pid_t first = getppid(); getppid() == first && first != 1;) usleep(100);
    int own = execute ? executed(to) : plain(to);
    _exit(write(ends[1], &own, sizeof own) != sizeof own);
  }
  close(ends[1]);
  if (ended(parent) != 0 || read(ends[0], &error, sizeof error) != sizeof error) return ECHILD;
  return error;
}

static int daemon_alone(const struct target *to) { return orphan(to, 0); }
static int daemon_executed(const struct target *to) { return orphan(to, 1); }

static int set_user(const struct target *to) {
  char path[PATH_MAX + 8];
  snprintf(path, sizeof path, "%s-setuid", to->own);
  return become(to, path);
}

/* ---- namespaces: an own user namespace gives every program the rights to make the others */

static int user_namespace(const struct target *to) { return unshare(CLONE_NEWUSER) < 0 ? errno : plain(to); }

static int mount_namespace(const struct target *to) {
  return unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? errno : become(to, to->own);
}

/* At the path of a program that may send. */
static int covered_path(const struct target *to) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || mount(to->own, to->lender, NULL, MS_BIND, NULL) < 0) return errno;
  return become(to, to->lender);
}

static int process_namespace(const struct target *to) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) return errno;
  return executed(to);
}

static int control_namespaces(const struct target *to) {
  return unshare(CLONE_NEWUSER | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC) < 0 ? errno : plain(to);
}

/* A socket of the machine's network in the hands of a process that has left it. */
static int left_network(const struct target *to) {
  int fd = datagram();
  return unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? errno : sending(fd, to, to->v4, 0);
}

static int own_network(const struct target *to) { return unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? errno : plain(to); }

static const struct way ways[] = {
    {"bound", bound}, {"bound-stream", bound_stream}, {"mapped-stream", mapped_stream}, {"fast-open-connect", fast_open_connect},
    {"sctp", sctp}, {"dccp", dccp}, {"broadcast-all", broadcast_all}, {"multicast6", multicast6},
    {"zero-copy", zero_copy}, {"more", more}, {"gathered", gathered}, {"sendfile", sent_file}, {"splice", spliced},
    {"segments6", segments6}, {"packet-info", packet_info}, {"packet-info6", packet_info6}, {"lookup", lookup},
    {"executed", executed}, {"vforked", vforked}, {"cloned", cloned}, {"daemon", daemon_alone}, {"daemon-executed", daemon_executed},
    {"setuid", set_user}, {"user-namespace", user_namespace}, {"mount-namespace", mount_namespace}, {"covered-path", covered_path},
    {"process-namespace", process_namespace}, {"control-namespaces", control_namespaces}, {"left-network", left_network},
    {"own-network", own_network}, {NULL, NULL},
};

static int send_one(char **words) {
  struct target to = {.port = atoi(words[1])};
  snprintf(to.text, sizeof to.text, "%s", words[2]);
  return sending(datagram(), &to, words[0], 0);
}

static int stub(char **words) {
  char text[TEXT_BYTES];
  union address own;
  socklen_t bytes = parse(&own, "127.0.0.53", LOOKUP_PORT);
  int from = datagram(), to = connected(words[0], atoi(words[1]));
  if (to < 0 || bind(from, &own.any, bytes) < 0) return errno;
  puts("ready");
  fflush(stdout);
  for (ssize_t length; (length = recv(from, text, sizeof text, 0)) >= 0;) send(to, text, (size_t)length, 0);
  return errno;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "try") == 0) return try_all(ways, argc - 2, argv + 2);
  if (strcmp(what, "send") == 0 && argc == 5) return send_one(argv + 2);
  if (strcmp(what, "stub") == 0 && argc == 4) return stub(argv + 2);
  return 2;
}
