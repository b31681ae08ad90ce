// SPDX-License-Identifier: GPL-3.0-or-later
// The other processes of a desktop: a number of them, each with descriptors of the usual kinds, that do nothing.
//   crowd PROCESSES DESCRIPTORS
// Prints "ready"; ends with its stdin.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void hold(int descriptors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < descriptors; i++) {
    int fd = i % 3 == 0 ? socket(AF_UNIX, SOCK_STREAM, 0) : open("/dev/null", O_RDONLY);
    if (fd < 0) _exit(1);
  }
  for (;;) pause();
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: crowd PROCESSES DESCRIPTORS\n");
    return 2;
  }
  int processes = atoi(argv[1]), descriptors = atoi(argv[2]);
  for (int i = 0; i < processes; i++) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) hold(descriptors);
  }
  printf("ready\n");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {}
  return 0;
}
