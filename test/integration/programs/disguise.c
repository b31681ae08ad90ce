/*
 * Sends one datagram, after it has made itself look like another program.
 *
 *   disguise send ADDRESS PORT TAG               as it is
 *   disguise command NAME ADDRESS PORT TAG       with another command name
 *   disguise arguments WORDS ADDRESS PORT TAG    with another command line, written over its own; words are parted by blanks
 *   disguise memory ADDRESS PORT TAG             from a file without a name, executed again
 *   disguise bound SOURCE ADDRESS PORT TAG       from this source address, or out of this interface (a name)
 *   disguise wait FILE ADDRESS PORT TAG          prints its pid, adds a byte to FILE.ready, and sends when FILE is there
 *   disguise child PROGRAM WORD...               starts PROGRAM and waits for it
 *   disguise become PROGRAM WORD...              executes PROGRAM in its own place
 *   disguise orphan PROGRAM WORD...              starts PROGRAM from a child that ends first; adopts it as a subreaper
 *   disguise give exec|pass ADDRESS PORT TAG PROGRAM   opens a connected socket and lets PROGRAM send on it
 *   disguise adopted OTHER FILE PROGRAM WORD...  starts PROGRAM from a child that ends first, as a subreaper that then executes
 *                                                OTHER (`OTHER wait FILE 127.0.0.1 9 x`)
 *   disguise moved INTERFACE ADDRESS PORT TAG    a datagram without a tag that way, then the tag by the way of the routes
 *   disguise use TAG                             sends on descriptor 4
 *   disguise take TAG                            sends on the socket that is passed to it through descriptor 3
 *
 * A first word that begins with a slash, as the name of a script for an interpreter would stand there, is passed over.
 *
 * The payload is the counted text "lab-tag:TAG;". Exit status 0 when it was sent, else the error's number.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

enum { LINK = 3, LENT = 4, TEXT_BYTES = 128, LIMIT_S = 20, LOOK_NS = 2000000, DECIDED_NS = 500000000 };

static int send_on(int fd, const char *tag) {
  char text[TEXT_BYTES];
  int length = snprintf(text, sizeof text, "lab-tag:%s;", tag);
  /* A connected socket first reports what became of its last datagram. */
  for (int left = 2; left > 0; left--) {
    if (send(fd, text, (size_t)length, 0) >= 0) return 0;
  }
  return errno;
}

static int open_to(char **words, const char *source) {
  union address peer, own;
  socklen_t bytes = parse(&peer, words[0], atoi(words[1]));
  int fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
  if (source != NULL) {
    if (strpbrk(source, ".:") == NULL) {
      if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, source, (socklen_t)strlen(source)) < 0) return -1;
    } else {
      socklen_t length = parse(&own, source, 0);
      if (bind(fd, &own.any, length) < 0) return -1;
    }
  }
  return connect(fd, &peer.any, bytes) < 0 ? -1 : fd;
}

static int send_from(char **words, const char *source) {
  int fd = open_to(words, source);
  return fd < 0 ? errno : send_on(fd, words[2]);
}

/* The arguments lie behind one another, and the environment behind them. */
static void write_arguments(int count, char **own, const char *words) {
  char *first = own[0], *end = own[count - 1] + strlen(own[count - 1]);
  char *copy = strdup(words);
  memset(first, 0, (size_t)(end - first));
  for (char *at = copy; *at != 0 && first < end; at++) *first++ = *at == ' ' ? 0 : *at;
}

static int memory_file(char **words) {
  char path[32];
  struct stat info;
  int file = memfd_create("victim", 0), own = open("/proc/self/exe", O_RDONLY);
  if (fstat(own, &info) < 0 || sendfile(file, own, NULL, (size_t)info.st_size) < 0) return errno;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  execl(path, path, "send", words[0], words[1], words[2], (char *)NULL);
  return errno;
}

static int wait_for(const char *path) {
  struct timespec pause = {0, LOOK_NS};
  char ready[TEXT_BYTES * 2];
  snprintf(ready, sizeof ready, "%s.ready", path);
  printf("%d\n", (int)getpid());
  fflush(stdout);
  int mark = open(ready, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (mark >= 0 && write(mark, ".", 1) == 1) close(mark);
  while (access(path, F_OK) < 0) nanosleep(&pause, NULL);
  return 0;
}

static int status_of(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int start(char **words) {
  pid_t child = fork();
  if (child == 0) {
    execv(words[0], words);
    _exit(errno);
  }
  return status_of(child);
}

static int orphan(char **words) {
  int link[2];
  char byte;
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (pipe2(link, O_CLOEXEC) < 0) return errno;
  pid_t middle = fork();
  if (middle == 0) {
    if (fork() != 0) _exit(0);
    close(link[1]);
    /* The end of the file: the parent has seen the one between end. */
    if (read(link[0], &byte, 1) == 0) execv(words[0], words);
    _exit(errno);
  }
  status_of(middle);
  close(link[1]);
  return status_of(-1);
}

/* OTHER is the parent by then, and nobody whom PROGRAM was started by. */
static int adopted(char **words) {
  struct timespec pause = {0, 50 * LOOK_NS};
  pid_t own = getpid(), middle;
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  middle = fork();
  if (middle == 0) {
    if (fork() != 0) _exit(0);
    while (getppid() != own) nanosleep(&pause, NULL);
    nanosleep(&pause, NULL);
    execv(words[2], words + 2);
    _exit(errno);
  }
  status_of(middle);
  execl(words[0], words[0], "wait", words[1], "127.0.0.1", "9", "x", (char *)NULL);
  return errno;
}

static int send_by(int fd, const union address *peer, socklen_t bytes, unsigned interface, const char *text) {
  char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
  struct iovec part = {(void *)text, strlen(text)};
  struct msghdr message = {.msg_name = (void *)peer, .msg_namelen = bytes, .msg_iov = &part, .msg_iovlen = 1};
  if (interface != 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
    ((struct in_pktinfo *)CMSG_DATA(CMSG_FIRSTHDR(&message)))->ipi_ifindex = (int)interface;
  }
  return sendmsg(fd, &message, 0) < 0 ? errno : 0;
}

static int moved(const char *interface, char **words) {
  struct timespec pause = {0, DECIDED_NS};
  union address peer;
  char text[TEXT_BYTES];
  socklen_t bytes = parse(&peer, words[0], atoi(words[1]));
  int fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
  int error = send_by(fd, &peer, bytes, if_nametoindex(interface), "first");
  if (error != 0) return error;
  /* It is decided by then. */
  nanosleep(&pause, NULL);
  snprintf(text, sizeof text, "lab-tag:%s;", words[2]);
  return send_by(fd, &peer, bytes, 0, text);
}

static int give(char **words) {
  const char *tag = words[3], *program = words[4];
  struct timespec pause = {0, DECIDED_NS};
  int fd = open_to(words + 1, NULL), link[2];
  if (fd < 0 || send(fd, "lender", 6, 0) < 0) return errno;
  /* It is decided by then, and remembered. */
  nanosleep(&pause, NULL);
  if (strcmp(words[0], "exec") == 0) {
    dup2(fd, LENT);
    execl(program, program, "use", tag, (char *)NULL);
    return errno;
  }
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link);
  pid_t child = fork();
  if (child == 0) {
    dup2(link[1], LINK);
    execl(program, program, "take", tag, (char *)NULL);
    _exit(errno);
  }
  char byte = 1, control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  *CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
  return sendmsg(link[0], &message, 0) == 1 ? status_of(child) : errno;
}

static int take(const char *tag) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(LINK, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) return EBADMSG;
  return send_on(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)), tag);
}

int main(int argc, char **argv) {
  if (argc > 1 && argv[1][0] == '/') argv++, argc--;
  const char *what = argc > 1 ? argv[1] : "";
  char *kept[4] = {0};
  alarm(LIMIT_S);
  if (strcmp(what, "send") == 0 && argc == 5) return send_from(argv + 2, NULL);
  if (strcmp(what, "memory") == 0 && argc == 5) return memory_file(argv + 2);
  if (strcmp(what, "use") == 0 && argc == 3) return send_on(LENT, argv[2]);
  if (strcmp(what, "take") == 0 && argc == 3) return take(argv[2]);
  if (strcmp(what, "give") == 0 && argc == 7) return give(argv + 2);
  if (strcmp(what, "child") == 0 && argc > 2) return start(argv + 2);
  if (strcmp(what, "orphan") == 0 && argc > 2) return orphan(argv + 2);
  if (strcmp(what, "adopted") == 0 && argc > 4) return adopted(argv + 2);
  if (strcmp(what, "moved") == 0 && argc == 6) return moved(argv[2], argv + 3);
  if (strcmp(what, "become") == 0 && argc > 2) return execv(argv[2], argv + 2), errno;
  if (argc != 6) return EINVAL;
  for (int at = 0; at < 4; at++) kept[at] = strdup(argv[at + 2]);
  if (strcmp(what, "bound") == 0) return send_from(kept + 1, kept[0]);
  if (strcmp(what, "command") == 0) prctl(PR_SET_NAME, kept[0], 0, 0, 0);
  else if (strcmp(what, "arguments") == 0) write_arguments(argc, argv, kept[0]);
  else if (strcmp(what, "wait") == 0) wait_for(kept[0]);
  else return EINVAL;
  return send_from(kept + 1, NULL);
}
