/* Ways to send, each tried by a process of its own, round after round: what leak.c, ways.c and detours.c have in common. */
#ifndef TRIES_H
#define TRIES_H

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"

enum { TEXT_BYTES = 128, WAY_LIMIT_S = 3, MAX_ROUNDS = 100000, MAX_WAYS = 99 };

struct target {
  const char *v4, *v6, *lender, *own;
  int port;
  char text[TEXT_BYTES];
};

struct way {
  const char *name;
  int (*send)(const struct target *to);
};

static inline int result(long sent) { return sent < 0 && errno != EINPROGRESS ? errno : 0; }

static inline int try_one(const struct way *way, const struct target *to) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    alarm(WAY_LIMIT_S);
    _exit(way->send(to));
  }
  if (child < 0 || waitpid(child, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
}

/*
 * Words: ADDRESS4 ADDRESS6 FIRST_PORT TAG [ROUNDS [LENDER]]. In each round every way once; way N sends the counted text
 * "lab-tag:TAG-WAY;" to FIRST_PORT + N. Prints for each way its name, and "sent" or the system's name of what refused it last.
 */
static inline int try_all(const struct way *list, int argc, char **words) {
  static int errors[MAX_WAYS];
  static char own[PATH_MAX];
  int first = argc < 4 ? 0 : atoi(words[2]), rounds = argc < 5 ? 1 : atoi(words[4]);
  if (argc < 4 || argc > 6 || rounds < 1 || rounds > MAX_ROUNDS || readlink("/proc/self/exe", own, sizeof own - 1) < 0) return 2;
  struct target to = {.v4 = words[0], .v6 = words[1], .lender = argc == 6 ? words[5] : own, .own = own};
  for (int round = 0; round < rounds; round++) {
    for (int at = 0; at < MAX_WAYS && list[at].name != NULL; at++) {
      to.port = first + at;
      snprintf(to.text, sizeof to.text, "lab-tag:%s-%s;", words[3], list[at].name);
      errors[at] = try_one(&list[at], &to);
    }
  }
  for (int at = 0; at < MAX_WAYS && list[at].name != NULL; at++)
    printf("%s %s\n", list[at].name, errors[at] == 0 ? "sent" : strerrorname_np(errors[at]));
  return 0;
}

#endif
