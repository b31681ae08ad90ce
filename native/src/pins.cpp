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

bool onBpffs(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
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
    rmdir(folders.root.c_str());
    errno = ENOTSUP;
    return false;
  }
  return makeFolder(folders.maps) && makeFolder(folders.programs) && makeFolder(folders.links);
}

void emptyPinFolder(const std::string& folder, const std::function<bool(const std::string&)>& keep) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return;
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
      bpf_link__disconnect(pinned);
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

bool pinnedLayoutFits(const PinFolders& folders) {
  const UniqueFd map(bpf_obj_get((folders.maps + "/settings").c_str()));
  if (!map.valid()) return false;
  bpf_map_info info{};
  __u32 size = sizeof info;
  bastion_settings settings{};
  const __u32 zero = 0;
  if (bpf_obj_get_info_by_fd(map.get(), &info, &size) < 0 || info.value_size != sizeof settings) return false;
  return bpf_map_lookup_elem(map.get(), &zero, &settings) == 0 && settings.layout == BASTION_LAYOUT;
}

}  // namespace bastion
