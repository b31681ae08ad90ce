// SPDX-License-Identifier: GPL-3.0-or-later
// Source: flock(2): the lock belongs to the open file, and ends when its last descriptor is closed.
#include "folder_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

#include "common.hpp"

namespace bastion {

FolderLock lockFolder(const std::string& path, std::string& why) {
  // Not the folder itself: whoever can open a thing can lock it.
  const std::string file = path + "/lock";
  UniqueFd lock(open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (lock.valid() && flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
    // Stays open on purpose.
    lock.release();
    return FolderLock::ours;
  }
  if (lock.valid() && errno == EWOULDBLOCK) return FolderLock::taken;
  why = file + ": " + errorText(errno);
  return FolderLock::failed;
}

}  // namespace bastion
