/*
 * What can be done with one socket, or one port, to be taken for something that was decided before.
 *
 *   sockets from PROTOCOL ADDRESS PORT FROM_PORT TEXT   from a given source port, which others may share; TCP connects only
 *   sockets hold PROTOCOL ADDRESS PORT FROM_PORT TEXT   the same, and keeps it until standard input ends
 *   sockets again PROTOCOL FIRST SECOND PORT TEXT       one socket: to FIRST, then dissolved, then to SECOND
 *   sockets spread FIRST COUNT PORT TEXT                one socket sends to COUNT addresses from FIRST on
 *   sockets batch FIRST COUNT PORT TEXT                 the same by sendmmsg
 *   sockets flood FIRST COUNT PORT TEXT                 the same, each from a socket of its own
 *   sockets detour PROTOCOL FINAL VIA PORT TEXT         with a source route over VIA: that is where packets go
 *   sockets lend HOW ADDRESS PORT PROGRAM TEXT          connects TCP to an echo server and hands the socket over by exec or
 *                                                       pass (SCM_RIGHTS); PROGRAM writes TEXT
 *   sockets write TEXT                                  writes to descriptor 3 and waits for the echo
 *   sockets take TEXT                                   writes to what arrives on descriptor 3
 *   sockets dissolve ADDRESS COUNT PORT TEXT            one thread sends by UDP, another takes the socket's port away meanwhile
 *   sockets crowd COUNT                                 opens so many sockets, prints how many, keeps them
 *
 * TEXT is sent as "lab-tag:TEXT;", by spread and batch as "lab-tag:TEXT-N;". Prints "ready" where it waits, and "sent" or the
 * system's name of what refused it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"

enum { LINK = 3, CONNECT_MS = 300, TEXT_BYTES = 64, BATCH = 50, FILES = 1 << 20 };

static int say(int error) {
  puts(error == 0 ? "sent" : strerrorname_np(error));
  fflush(stdout);
  return error == 0 ? 0 : 1;
}

static int is_tcp(const char *protocol) { return strcmp(protocol, "tcp") == 0; }

static int send_text(int fd, const char *text) {
  char tagged[TEXT_BYTES];
  int length = snprintf(tagged, sizeof tagged, "lab-tag:%s;", text);
  return send(fd, tagged, (size_t)length, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* Connects and waits a moment for what becomes of it. */
static int connect_soon(int fd, const union address *to, socklen_t bytes) {
  struct pollfd done = {.fd = fd, .events = POLLOUT};
  int error = 0;
  socklen_t size = sizeof error;
  if (connect(fd, &to->any, bytes) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (poll(&done, 1, CONNECT_MS) <= 0) return ETIMEDOUT;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

static int open_socket(const char *protocol, int family) {
  return socket(family, (is_tcp(protocol) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
}

static int from_port(char **words, int keep) {
  union address to, own;
  socklen_t bytes = parse(&to, words[1], atoi(words[2]));
  int fd = open_socket(words[0], to.any.sa_family), on = 1;
  char byte;
  parse(&own, to.any.sa_family == AF_INET ? "0.0.0.0" : "::", atoi(words[3]));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, &own.any, bytes) < 0) return say(errno);
  int error = connect_soon(fd, &to, bytes);
  if (error == 0) error = send_text(fd, words[4]);
  say(error);
  return keep && read(0, &byte, 1) < 0 ? 1 : error != 0;
}

static int again(char **words) {
  union address first, second, nobody = {.any = {.sa_family = AF_UNSPEC}};
  socklen_t bytes = parse(&first, words[1], atoi(words[3]));
  parse(&second, words[2], atoi(words[3]));
  int fd = open_socket(words[0], first.any.sa_family);
  int error = connect_soon(fd, &first, bytes);
  if (error == 0) error = send_text(fd, "first");
  if (error != 0) return say(error);
  if (connect(fd, &nobody.any, sizeof nobody.any) < 0) return say(errno);
  error = connect_soon(fd, &second, bytes);
  return say(error == 0 ? send_text(fd, words[4]) : error);
}

static void *take_port_away(void *socket_of) {
  const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  for (;;) connect(*(int *)socket_of, &nobody, sizeof nobody);
  return NULL;
}

static int dissolve(char **words) {
  char tagged[TEXT_BYTES];
  int length = snprintf(tagged, sizeof tagged, "lab-tag:%s;", words[3]);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  pthread_t thread;
  union address to;
  socklen_t bytes = parse(&to, words[0], atoi(words[2]));
  if (pthread_create(&thread, NULL, take_port_away, &fd) != 0) return say(EAGAIN);
  for (int at = 0; at < atoi(words[1]); at++) sendto(fd, tagged, (size_t)length, MSG_DONTWAIT, &to.any, bytes);
  return say(0);
}

/* So many sockets, because a decision and a limit can be a socket's. */
static int flood(char **words) {
  char tagged[TEXT_BYTES];
  int length = snprintf(tagged, sizeof tagged, "lab-tag:%s;", words[3]);
  for (int at = 0; at < atoi(words[1]); at++) {
    union address to;
    socklen_t bytes = parse(&to, words[0], atoi(words[2]));
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    to.v4.sin_addr.s_addr = htonl(ntohl(to.v4.sin_addr.s_addr) + (uint32_t)at);
    sendto(fd, tagged, (size_t)length, 0, &to.any, bytes);
    close(fd);
  }
  return say(0);
}

static int spread(char **words, int batch) {
  static struct mmsghdr messages[BATCH];
  static union address to[BATCH];
  static char texts[BATCH][TEXT_BYTES];
  struct iovec parts[BATCH];
  int count = atoi(words[1]), fd = socket(AF_INET, SOCK_DGRAM, 0), waiting = 0;
  for (int at = 0; at < count; at++) {
    socklen_t bytes = parse(&to[waiting], words[0], atoi(words[2]));
    to[waiting].v4.sin_addr.s_addr = htonl(ntohl(to[waiting].v4.sin_addr.s_addr) + (uint32_t)at);
    int length = snprintf(texts[waiting], TEXT_BYTES, "lab-tag:%s-%d;", words[3], at);
    parts[waiting] = (struct iovec){texts[waiting], (size_t)length};
    messages[waiting].msg_hdr = (struct msghdr){
        .msg_name = &to[waiting], .msg_namelen = bytes, .msg_iov = &parts[waiting], .msg_iovlen = 1};
    if (!batch) sendto(fd, texts[0], (size_t)length, 0, &to[0].any, bytes);
    else if (++waiting == BATCH || at + 1 == count) {
      /* A refused one ends the call: the rest is sent by the next. */
      for (int done = 0; done < waiting;) {
        int sent = sendmmsg(fd, messages + done, (unsigned)(waiting - done), 0);
        done += sent > 0 ? sent : 1;
      }
      waiting = 0;
    }
  }
  return say(0);
}

static int set_detour(int fd, int family, const char *via) {
  /* Loose source route with one place. Source: RFC 791 3.1. Segment routing with two. Source: RFC 8754 2. */
  uint8_t route4[8] = {131, 7, 4, 0, 0, 0, 0, 0}, route6[40] = {0, 4, 4, 1, 1};
  if (family == AF_INET) {
    inet_pton(AF_INET, via, route4 + 3);
    return setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route4, sizeof route4) < 0 ? errno : 0;
  }
  inet_pton(AF_INET6, via, route6 + 24);
  return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, route6, sizeof route6) < 0 ? errno : 0;
}

/* The second time round the route is set on a connection that is open. */
static int detour(char **words) {
  union address to;
  socklen_t bytes = parse(&to, words[1], atoi(words[3]));
  int fd = open_socket(words[0], to.any.sa_family);
  int error = set_detour(fd, to.any.sa_family, words[2]);
  if (error == 0) error = connect_soon(fd, &to, bytes);
  if (error == 0) error = send_text(fd, words[4]);
  close(fd);
  if (!is_tcp(words[0])) return say(error);
  fd = open_socket(words[0], to.any.sa_family);
  error = connect_soon(fd, &to, bytes);
  if (error == 0) error = set_detour(fd, to.any.sa_family, words[2]);
  if (error == 0) error = send_text(fd, words[4]);
  return say(error);
}

static int write_and_wait(int fd, const char *text) {
  struct pollfd echoed = {.fd = fd, .events = POLLIN};
  char answer[TEXT_BYTES];
  int error = send_text(fd, text);
  if (error == 0 && poll(&echoed, 1, CONNECT_MS) <= 0) error = ETIMEDOUT;
  if (error == 0 && recv(fd, answer, sizeof answer, MSG_DONTWAIT) < 0) error = errno;
  return say(error);
}

static int take(const char *text) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(LINK, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) return say(ECHILD);
  return write_and_wait(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)), text);
}

static int pass(int fd, const char *taker, const char *text) {
  int link[2], status;
  char byte = 1, control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link);
  pid_t child = fork();
  if (child == 0) {
    dup2(link[1], LINK);
    execl(taker, taker, "take", text, (char *)NULL);
    _exit(1);
  }
  *CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
  sendmsg(link[0], &message, 0);
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int lend(char **words) {
  union address to;
  socklen_t bytes = parse(&to, words[1], atoi(words[2]));
  int fd = open_socket("tcp", to.any.sa_family), error = connect_soon(fd, &to, bytes);
  if (error != 0) return say(error);
  if (strcmp(words[0], "pass") == 0) return pass(fd, words[3], words[4]);
  dup2(fd, LINK);
  execl(words[3], words[3], "write", words[4], (char *)NULL);
  return say(errno);
}

static int crowd(int count) {
  struct rlimit files = {FILES, FILES};
  char byte;
  int opened = 0;
  if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  while (opened < count && socket(AF_INET, SOCK_STREAM, 0) >= 0) opened++;
  printf("ready %d\n", opened);
  fflush(stdout);
  return read(0, &byte, 1) < 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[1] : "";
  char **words = argv + 2;
  if (strcmp(what, "from") == 0 && argc == 7) return from_port(words, 0);
  if (strcmp(what, "hold") == 0 && argc == 7) return from_port(words, 1);
  if (strcmp(what, "again") == 0 && argc == 7) return again(words);
  if (strcmp(what, "spread") == 0 && argc == 6) return spread(words, 0);
  if (strcmp(what, "batch") == 0 && argc == 6) return spread(words, 1);
  if (strcmp(what, "flood") == 0 && argc == 6) return flood(words);
  if (strcmp(what, "dissolve") == 0 && argc == 6) return dissolve(words);
  if (strcmp(what, "detour") == 0 && argc == 7) return detour(words);
  if (strcmp(what, "lend") == 0 && argc == 7) return lend(words);
  if (strcmp(what, "write") == 0 && argc == 3) return write_and_wait(LINK, words[0]);
  if (strcmp(what, "take") == 0 && argc == 3) return take(words[0]);
  if (strcmp(what, "crowd") == 0 && argc == 3) return crowd(atoi(words[0]));
  return 2;
}
