/*
 * Preloaded into a helper under test: calls of its addon into the C library are counted by their place and made to fail where the
 * plan says so; see plan.ts. A call that libbpf makes counts at the place in the addon that called libbpf, and at its own.
 *
 * Only calls of the addon and of libbpf: what node itself calls passes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FRAMES = 24, LINE_BYTES = 512, PATH_BYTES = 512, PLAN_BYTES = 1024 };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
/* The plan's file in memory, and what was read of it last. */
static const char *shared;
static char plan_text[PLAN_BYTES];
static char plan_id[64], plan_site[LINE_BYTES];
static int plan_record, plan_once, plan_error;
static long plan_skip, met;
static __thread int busy;

static const struct { const char *name; int number; } ERRORS[] = {
  {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM},
};

static const char *file_in_folder(const char *name, char *path) {
  const char *folder = getenv("BASTION_INJECT");
  if (folder == NULL) return NULL;
  snprintf(path, PATH_BYTES, "%s/%s", folder, name);
  return path;
}

/* By system calls of its own: the functions of the library are the ones that are wrapped. */
static void map_plan(void) {
  char path[PATH_BYTES];
  if (shared != NULL || file_in_folder("plan", path) == NULL) return;
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *at = (void *)syscall(SYS_mmap, NULL, PLAN_BYTES, PROT_READ, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) shared = at;
  syscall(SYS_close, fd);
}

/* A plan that is being written ends with another word than it begins with. */
static void read_plan(void) {
  char text[PLAN_BYTES + 1] = {0};
  map_plan();
  if (shared == NULL || memcmp(shared, plan_text, PLAN_BYTES) == 0) return;
  memcpy(text, shared, PLAN_BYTES);
  memcpy(plan_text, text, PLAN_BYTES);
  met = 0;
  plan_id[0] = '\0';
  char *rest = text, *field[8] = {0};
  for (int at = 0; at < 8; at += 1) field[at] = strsep(&rest, "\t");
  if (field[7] == NULL || strlen(field[0]) >= sizeof plan_id || strcmp(field[0], field[7]) != 0) return;
  strcpy(plan_id, field[0]);
  plan_record = strcmp(field[1], "record") == 0;
  plan_error = 0;
  for (size_t at = 0; at < sizeof ERRORS / sizeof *ERRORS; at += 1)
    if (strcmp(ERRORS[at].name, field[2]) == 0) plan_error = ERRORS[at].number;
  plan_once = strcmp(field[3], "once") == 0;
  plan_skip = strtol(field[4], NULL, 10);
  snprintf(plan_site, sizeof plan_site, "%s", field[6]);
}

/* Can this kind of call have a part in the plan? The place of a call costs time to find. */
static int concerns(const char *call) {
  char start[64];
  if (plan_id[0] == '\0') return 0;
  if (plan_record) return 1;
  int length = snprintf(start, sizeof start, "native.%s ", call);
  return strncmp(plan_site, start, (size_t)length) == 0;
}

static void tell(const char *what, const char *site) {
  char path[PATH_BYTES], line[LINE_BYTES * 2];
  if (file_in_folder("seen", path) == NULL) return;
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  int bytes = snprintf(line, sizeof line, "%s\t%s\t%s\n", plan_id, what, site);
  if (syscall(SYS_write, fd, line, bytes) < 0) { /* The test misses it and says so. */ }
  syscall(SYS_close, fd);
}

/* Libraries that call for the addon. */
static int is_between(const char *name) { return strstr(name, "/libbpf") != NULL || strstr(name, "/libstdc++") != NULL; }

static int is_addon(const char *name) { return strstr(name, "/bastion.node") != NULL; }

/* The place of this call, 0 for one that is not ours. */
static int site_of(const char *call, char *site) {
  void *frames[FRAMES];
  int count = backtrace(frames, FRAMES);
  long library = 0;
  Dl_info info, self;
  if (dladdr((void *)&plan_text, &self) == 0) return 0;
  for (int at = 0; at < count; at += 1) {
    if (dladdr(frames[at], &info) == 0 || info.dli_fname == NULL) return 0;
    if (info.dli_fbase == self.dli_fbase) continue;
    long offset = (long)((char *)frames[at] - (char *)info.dli_fbase);
    if (is_addon(info.dli_fname)) {
      if (library == 0) snprintf(site, LINE_BYTES, "native.%s +%lx -", call, offset);
      else snprintf(site, LINE_BYTES, "native.%s +%lx library+%lx", call, offset, library);
      return 1;
    }
    if (!is_between(info.dli_fname)) return 0;
    if (library == 0) library = offset;
  }
  return 0;
}

static int ours(void *address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == NULL) return 0;
  return is_addon(info.dli_fname) || is_between(info.dli_fname);
}

/* The error that this call shall meet, 0 for none. */
static int fault(const char *call, void *address) {
  char site[LINE_BYTES];
  int found = 0;
  if (busy || !ours(address)) return 0;
  busy = 1;
  int kept = errno;
  pthread_mutex_lock(&turn);
  read_plan();
  if (concerns(call) && site_of(call, site)) {
    if (plan_record) tell("met", site);
    else if (strcmp(site, plan_site) == 0) {
      met += 1;
      if (met > plan_skip && (!plan_once || met == plan_skip + 1)) {
        found = plan_error;
        tell("failed", site);
      }
    }
  }
  pthread_mutex_unlock(&turn);
  errno = kept;
  busy = 0;
  return found;
}

#define WRAP(type, name, failure, declared, passed) \
  type name declared { \
    static type (*real) declared; \
    if (real == NULL) real = (type (*) declared)dlsym(RTLD_NEXT, #name); \
    int error = fault(#name, __builtin_return_address(0)); \
    if (error == 0) return real passed; \
    errno = error; \
    return failure; \
  }

WRAP(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, bind, -1, (int fd, const struct sockaddr *address, socklen_t bytes), (fd, address, bytes))
WRAP(ssize_t, send, -1, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags))
WRAP(ssize_t, sendto, -1, (int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t length), (fd, data, bytes, flags, to, length))
WRAP(ssize_t, recv, -1, (int fd, void *data, size_t bytes, int flags), (fd, data, bytes, flags))
WRAP(ssize_t, recvmsg, -1, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, recvmmsg, -1, (int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *limit), (fd, messages, count, flags, limit))
WRAP(int, setsockopt, -1, (int fd, int level, int name, const void *value, socklen_t bytes), (fd, level, name, value, bytes))
WRAP(int, getsockopt, -1, (int fd, int level, int name, void *value, socklen_t *bytes), (fd, level, name, value, bytes))
WRAP(void *, mmap, MAP_FAILED, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset), (at, bytes, protection, flags, fd, offset))
WRAP(int, eventfd, -1, (unsigned int count, int flags), (count, flags))
WRAP(int, epoll_create1, -1, (int flags), (flags))
WRAP(int, epoll_ctl, -1, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
WRAP(int, timerfd_create, -1, (int clock, int flags), (clock, flags))
WRAP(int, timerfd_settime, -1, (int fd, int flags, const struct itimerspec *when, struct itimerspec *before), (fd, flags, when, before))
WRAP(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode))
WRAP(DIR *, opendir, NULL, (const char *path), (path))
WRAP(int, stat, -1, (const char *path, struct stat *stats), (path, stats))
WRAP(int, lstat, -1, (const char *path, struct stat *stats), (path, stats))
WRAP(int, fstat, -1, (int fd, struct stat *stats), (fd, stats))
WRAP(int, statx, -1, (int folder, const char *path, int flags, unsigned int mask, struct statx *stats), (folder, path, flags, mask, stats))
WRAP(int, statfs, -1, (const char *path, struct statfs *stats), (path, stats))
WRAP(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
WRAP(int, chmod, -1, (const char *path, mode_t mode), (path, mode))
WRAP(int, rename, -1, (const char *from, const char *to), (from, to))
WRAP(int, unlink, -1, (const char *path), (path))
WRAP(int, unlinkat, -1, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(int, rmdir, -1, (const char *path), (path))
WRAP(ssize_t, readlink, -1, (const char *path, char *text, size_t bytes), (path, text, bytes))
WRAP(ssize_t, read, -1, (int fd, void *data, size_t bytes), (fd, data, bytes))
WRAP(ssize_t, getrandom, -1, (void *data, size_t bytes, unsigned int flags), (data, bytes, flags))

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  int error = fault("pthread_create", __builtin_return_address(0));
  return error == 0 ? real(thread, attributes, start, argument) : error;
}

int open(const char *path, int flags, ...) {
  static int (*real)(const char *, int, ...);
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "open");
  int error = fault("open", __builtin_return_address(0));
  if (error == 0) return real(path, flags, mode);
  errno = error;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*real)(int, unsigned long, ...);
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
  int error = fault("ioctl", __builtin_return_address(0));
  if (error == 0) return real(fd, request, argument);
  errno = error;
  return -1;
}

/* libbpf reaches bpf() by this one; the number of the command is a part of the name. */
long syscall(long number, ...) {
  static long (*real)(long, ...);
  long values[6];
  va_list rest;
  va_start(rest, number);
  for (int at = 0; at < 6; at += 1) values[at] = va_arg(rest, long);
  va_end(rest);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
  if (!busy && number == SYS_bpf) {
    char call[32];
    snprintf(call, sizeof call, "bpf-%ld", values[0]);
    int error = fault(call, __builtin_return_address(0));
    if (error != 0) {
      errno = error;
      return -1;
    }
  }
  return real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
