// SPDX-License-Identifier: GPL-3.0-or-later
#include "pins.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <dirent.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vector>

#include "common.hpp"

namespace bastion {

namespace {

bool makeFolder(const std::string& path) {
  struct stat info {};
  if (mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return false;
  if (lstat(path.c_str(), &info) < 0) return false;
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
    errno = EPERM;
    return false;
  }
  return chmod(path.c_str(), 0700) == 0;
}

template <class Info>
bool infoOf(int fd, Info& info) {
  __u32 size = sizeof info;
  return bpf_obj_get_info_by_fd(fd, &info, &size) == 0;
}

/// Far above any layout's.
constexpr uint32_t settingsLimitBytes = 1 << 16;

/// errno says why not: ENOTSUP for a file system of another kind.
bool onBpffs(const std::string& path) {
  struct statfs info {};
  if (statfs(path.c_str(), &info) < 0) return false;
  errno = ENOTSUP;
  return static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

/// The id of a cgroup is the number of its folder's inode. Source: kernel/cgroup/cgroup.c, cgroup_id().
bool linkIsFor(int linkFd, int cgroupFd, __u32 programType) {
  bpf_link_info info{};
  __u32 size = sizeof info;
  struct stat folder {};
  if (bpf_obj_get_info_by_fd(linkFd, &info, &size) < 0 || fstat(cgroupFd, &folder) < 0) return false;
  return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == folder.st_ino && info.cgroup.attach_type == programType;
}

}  // namespace

bool makePinFolders(const PinFolders& folders) {
  if (!makeFolder(folders.root)) return false;
  if (!onBpffs(folders.root)) {
    const int why = errno;
    rmdir(folders.root.c_str());
    errno = why;
    return false;
  }
  return makeFolder(folders.maps) && makeFolder(folders.programs) && makeFolder(folders.links);
}

void emptyPinFolder(const std::string& folder, const std::function<bool(const std::string&)>& keep) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe on a stream that no other thread has
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && !(keep && keep(entry->d_name))) unlinkat(dirfd(directory), entry->d_name, 0);
  }
  closedir(directory);
}

void removePinFolders(const PinFolders& folders) {
  if (!onBpffs(folders.root)) return;
  for (const std::string& folder : {folders.links, folders.programs, folders.maps}) {
    emptyPinFolder(folder);
    rmdir(folder.c_str());
  }
  rmdir(folders.root.c_str());
}

int replacePin(int fd, const std::string& path) {
  const std::string fresh = path + "_new";
  unlink(fresh.c_str());
  if (bpf_obj_pin(fd, fresh.c_str()) < 0) return -errno;
  if (rename(fresh.c_str(), path.c_str()) == 0) return 0;
  const int error = errno;
  unlink(fresh.c_str());
  return -error;
}

int attachPinned(bpf_program* program, int cgroupFd, const std::string& path, bool adopt) {
  if (adopt) {
    bpf_link* pinned = bpf_link__open(path.c_str());
    if (pinned != nullptr) {
      const bool ours = linkIsFor(bpf_link__fd(pinned), cgroupFd, bpf_program__expected_attach_type(program));
      const int result = ours ? bpf_link__update_program(pinned, program) : -ENOLINK;
      // Closes our handle; the pin keeps the link. A handle left open would keep the program attached when the pins are removed.
      bpf_link__destroy(pinned);
      if (result == 0) return 0;
    }
  }
  bpf_link* link = bpf_program__attach_cgroup(program, cgroupFd);
  if (link == nullptr) return -errno;
  // The old link goes only when this rename takes its pin away: both are attached until then.
  const int result = replacePin(bpf_link__fd(link), path);
  bpf_link__destroy(link);
  return result;
}

int attachTracepoint(bpf_program* program, const std::string& path) {
  bpf_link* link = bpf_program__attach(program);
  if (link == nullptr) return -errno;
  const int result = replacePin(bpf_link__fd(link), path);
  bpf_link__destroy(link);
  return result;
}

PinnedLayout pinnedLayout(const PinFolders& folders, uint32_t& found) {
  const UniqueFd map(bpf_obj_get((folders.maps + "/settings").c_str()));
  found = 0;
  if (!map.valid()) return PinnedLayout::none;
  bpf_map_info info{};
  __u32 size = sizeof info;
  const __u32 zero = 0;
  if (bpf_obj_get_info_by_fd(map.get(), &info, &size) < 0 || info.value_size < sizeof found || info.value_size > settingsLimitBytes)
    return PinnedLayout::another;
  // The number stands first in every layout.
  std::vector<uint8_t> settings(info.value_size);
  if (bpf_map_lookup_elem(map.get(), &zero, settings.data()) < 0) return PinnedLayout::another;
  memcpy(&found, settings.data(), sizeof found);
  const bool fits = info.value_size == sizeof(bastion_settings) && found == BASTION_LAYOUT;
  return fits ? PinnedLayout::fits : PinnedLayout::another;
}

bool programIsPinned(int programFd, const std::string& path) {
  const UniqueFd pinned(bpf_obj_get(path.c_str()));
  bpf_prog_info ours{};
  bpf_prog_info theirs{};
  if (!pinned.valid()) return isShortage();
  return infoOf(programFd, ours) && infoOf(pinned.get(), theirs) && ours.id == theirs.id;
}

bool mapIsPinned(int mapFd, const std::string& path) {
  const UniqueFd pinned(bpf_obj_get(path.c_str()));
  bpf_map_info ours{};
  bpf_map_info theirs{};
  if (!pinned.valid()) return isShortage();
  return infoOf(mapFd, ours) && infoOf(pinned.get(), theirs) && ours.id == theirs.id;
}

bool linkIsPinned(const bpf_program* program, int cgroupFd, const std::string& path) {
  const UniqueFd pinned(bpf_obj_get(path.c_str()));
  bpf_prog_info ours{};
  bpf_link_info link{};
  if (!pinned.valid()) return isShortage();
  if (!infoOf(bpf_program__fd(program), ours) || !infoOf(pinned.get(), link) || link.prog_id != ours.id) return false;
  return cgroupFd < 0 || linkIsFor(pinned.get(), cgroupFd, bpf_program__expected_attach_type(program));
}

}  // namespace bastion
