// SPDX-License-Identifier: GPL-3.0-or-later
// Source: statx(2), proc(5) mountinfo: its third field is the superblock's s_dev, also where st_dev differs (btrfs).
#include "file_identity.hpp"

#include <cstdio>
#include <fcntl.h>
#include <linux/fs.h>
#include <mutex>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unordered_map>

namespace bastion {

namespace {

constexpr uint32_t minorBits = 20;

uint32_t kernelDevice(uint32_t majorNumber, uint32_t minorNumber) { return majorNumber << minorBits | minorNumber; }

/// Mount id to device. Ids are used again after an unmount, so the table is read anew whenever the kernel says it changed.
class MountTable {
 public:
  std::optional<uint32_t> device(uint64_t mountId) {
    const std::scoped_lock lock(mutex_);
    if (!watch_.valid()) watch_.reset(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    pollfd changed{watch_.get(), POLLPRI, 0};
    const bool stale = !watch_.valid() || devices_.empty() || (poll(&changed, 1, 0) > 0 && (changed.revents & POLLERR) != 0);
    if (stale) refresh();
    const auto found = devices_.find(mountId);
    if (found == devices_.end()) return std::nullopt;
    return found->second;
  }

 private:
  void refresh() {
    devices_.clear();
    FILE* file = fopen("/proc/self/mountinfo", "re");
    if (file == nullptr) return;
    char* line = nullptr;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
      unsigned long long id = 0;
      unsigned majorNumber = 0;
      unsigned minorNumber = 0;
      if (sscanf(line, "%llu %*u %u:%u", &id, &majorNumber, &minorNumber) == 3)
        devices_[id] = kernelDevice(majorNumber, minorNumber);
    }
    free(line);
    fclose(file);
  }

  std::mutex mutex_;
  UniqueFd watch_;
  std::unordered_map<uint64_t, uint32_t> devices_;
};

MountTable& mountTable() {
  static MountTable table;
  return table;
}

uint32_t inodeGeneration(int pathFd) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", pathFd);
  const UniqueFd file(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  // The number is declared as long and written as int. Source: include/uapi/linux/fs.h, fs/ext4/ioctl.c.
  long generation = 0;
  if (!file.valid() || ioctl(file.get(), FS_IOC_GETVERSION, &generation) < 0) return 0;
  return static_cast<uint32_t>(generation);
}

}  // namespace

std::optional<FileIdentity> identifyFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct statx info {};
  constexpr unsigned wanted = STATX_BASIC_STATS | STATX_MNT_ID;
  if (!file.valid() || statx(file.get(), "", AT_EMPTY_PATH, wanted, &info) < 0 || !S_ISREG(info.stx_mode)) return std::nullopt;
  FileIdentity identity;
  std::optional<uint32_t> device;
  if ((info.stx_mask & STATX_MNT_ID) != 0) device = mountTable().device(info.stx_mnt_id);
  identity.executable.device = device.value_or(kernelDevice(info.stx_dev_major, info.stx_dev_minor));
  identity.executable.inode = info.stx_ino;
  identity.executable.ctime_sec = static_cast<uint64_t>(info.stx_ctime.tv_sec);
  identity.executable.generation = inodeGeneration(file.get());
  identity.uid = info.stx_uid;
  identity.mode = info.stx_mode;
  identity.sizeBytes = info.stx_size;
  return identity;
}

}  // namespace bastion
