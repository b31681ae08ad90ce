/* Stops one thread of a process, named as in /proc, until standard input ends: freeze PID NAME. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int named(const char *pid, const char *thread, const char *name) {
  char path[128];
  char found[64] = "";
  snprintf(path, sizeof path, "/proc/%s/task/%.20s/comm", pid, thread);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  if (fgets(found, sizeof found, file) == NULL) found[0] = '\0';
  fclose(file);
  found[strcspn(found, "\n")] = '\0';
  return strcmp(found, name) == 0;
}

static pid_t find(const char *pid, const char *name) {
  char path[64];
  pid_t thread = 0;
  snprintf(path, sizeof path, "/proc/%.20s/task", pid);
  DIR *folder = opendir(path);
  if (folder == NULL) return 0;
  for (struct dirent *entry = readdir(folder); entry != NULL && thread == 0; entry = readdir(folder)) {
    if (named(pid, entry->d_name, name)) thread = (pid_t)strtol(entry->d_name, NULL, 10);
  }
  closedir(folder);
  return thread;
}

int main(int argc, char **argv) {
  char byte;
  if (argc != 3) return 2;
  const pid_t thread = find(argv[1], argv[2]);
  if (thread == 0 || ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) < 0) {
    perror("freeze");
    return 1;
  }
  if (waitpid(thread, NULL, __WALL) < 0) return 1;
  puts("frozen");
  fflush(stdout);
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  ptrace(PTRACE_DETACH, thread, NULL, NULL);
  return 0;
}
