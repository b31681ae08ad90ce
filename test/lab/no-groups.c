/*
 * Preloaded into polkitd where a user namespace maps one user only: setting supplementary groups is refused there
 * (user_namespaces(7), "setgroups"), and the daemon would give up although there are none to set.
 */
#include <grp.h>
#include <sys/types.h>

int initgroups(const char *user, gid_t group) {
  (void)user;
  (void)group;
  return 0;
}

int setgroups(size_t size, const gid_t *list) {
  (void)size;
  (void)list;
  return 0;
}
