// SPDX-License-Identifier: GPL-3.0-or-later
// Source: proc(5).
#include "processes.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <mutex>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <thread>

#include "file_identity.hpp"

namespace bastion {

namespace {

// A socket that was passed on in the meantime is still attributed to its former holder: no longer than this.
constexpr uint64_t cacheNs = 2 * nsPerSecond;
constexpr int startTimeField = 22;
constexpr unsigned maxSearchers = 4;
/// Source: kernel/user_namespace.c, create_user_ns.
constexpr int maxUserNamespaces = 33;

std::string procPath(uint32_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

std::string readSmall(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  const ssize_t size = file.valid() ? read(file.get(), buffer, sizeof buffer) : -1;
  return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : std::string();
}

std::string readLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = readlink(path.c_str(), target, sizeof target);
  return size > 0 && size < static_cast<ssize_t>(sizeof target) ? std::string(target, static_cast<size_t>(size)) : std::string();
}

/// The name in parentheses is the process's own choice and may hold both spaces and parentheses: the last one ends it.
bool readStat(uint32_t pid, ProcessRecord& record) {
  static const uint64_t ticksPerSecond = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  const std::string text = readSmall(procPath(pid, "stat"));
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return false;
  const std::string name = text.substr(open + 1, close - open - 1);
  memcpy(record.command, name.data(), std::min(name.size(), sizeof record.command - 1));
  size_t position = close + 1;
  for (int field = 3; field < startTimeField && position != std::string::npos; field += 1)
    position = text.find(' ', position + 1);
  if (position == std::string::npos) return false;
  record.startNs = strtoull(text.c_str() + position, nullptr, 10) * (nsPerSecond / ticksPerSecond);
  return record.startNs != 0;
}

bool readIds(uint32_t pid, ProcessRecord& record) {
  const std::string text = readSmall(procPath(pid, "status"));
  const size_t uid = text.find("\nUid:");
  const size_t gid = text.find("\nGid:");
  if (uid == std::string::npos || gid == std::string::npos) return false;
  record.uid = static_cast<uint32_t>(strtoul(text.c_str() + uid + 5, nullptr, 10));
  record.gid = static_cast<uint32_t>(strtoul(text.c_str() + gid + 5, nullptr, 10));
  return true;
}

ino_t inodeOf(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

/// In a user namespace, uids are of its users' making: there it is whoever made the outermost one below ours.
uint32_t responsibleUser(uint32_t pid, uint32_t uid) {
  static const UniqueFd ours(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  uint32_t user = uid;
  UniqueFd space(open(procPath(pid, "ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  for (int level = 0; level < maxUserNamespaces && space.valid() && inodeOf(space.get()) != inodeOf(ours.get()); level += 1) {
    if (ioctl(space.get(), NS_GET_OWNER_UID, &user) < 0) break;
    space.reset(ioctl(space.get(), NS_GET_PARENT));
  }
  return user;
}

/// Where the version 2 hierarchy is mounted, and which of its folders is there; empty if it is not.
struct CgroupMount {
  std::string folder;
  std::string root;
};

CgroupMount findCgroupMount() {
  CgroupMount mount;
  FILE* file = fopen("/proc/self/mountinfo", "re");
  if (file == nullptr) return mount;
  char* line = nullptr;
  size_t capacity = 0;
  while (mount.folder.empty() && getline(&line, &capacity, file) > 0) {
    char root[PATH_MAX];
    char folder[PATH_MAX];
    static_assert(PATH_MAX == 4096, "the widths below");
    const bool ours = strstr(line, " - cgroup2 ") != nullptr;
    if (ours && sscanf(line, "%*u %*u %*s %4095s %4095s", root, folder) == 2) mount = {folder, root};
  }
  free(line);
  fclose(file);
  return mount;
}

/// A cgroup's number is its folder's inode. Source: fs/kernfs, kernfs_ino on 64-bit machines.
uint64_t readCgroup(uint32_t pid) {
  static const CgroupMount mount = findCgroupMount();
  // Version 2 is the last line where there are lines of version 1 too.
  const std::string text = "\n" + readSmall(procPath(pid, "cgroup"));
  const size_t found = text.find("\n0::");
  if (mount.folder.empty() || found == std::string::npos) return 0;
  const size_t start = found + 4;
  std::string path = text.substr(start, text.find('\n', start) - start);
  if (mount.root != "/" && path.starts_with(mount.root)) path.erase(0, mount.root.size());
  struct stat info {};
  return stat((mount.folder + path).c_str(), &info) == 0 ? info.st_ino : 0;
}

template <class Visit>
void eachNumber(const std::string& folder, Visit visit) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe on a stream that no other thread has
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (!visit(dirfd(directory), entry->d_name)) break;
  }
  closedir(directory);
}

uint32_t numberOf(const char* name) { return static_cast<uint32_t>(strtoul(name, nullptr, 10)); }

/// Sockets' inode numbers count in a file system of their own; its device says that a number is a socket's.
dev_t socketDevice() {
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct stat info {};
  return fd.valid() && fstat(fd.get(), &info) == 0 ? info.st_dev : 0;
}

/// Inode number of the socket behind a descriptor's entry, 0 if it is none. Half the price of reading the link's text; never
/// waits for a server, whatever file system another descriptor lies on.
uint64_t socketInode(int folder, const char* name) {
  static const dev_t device = socketDevice();
  struct statx info {};
  constexpr int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  if (statx(folder, name, flags, STATX_TYPE | STATX_INO, &info) < 0 || !S_ISSOCK(info.stx_mode)) return 0;
  return makedev(info.stx_dev_major, info.stx_dev_minor) == device ? info.stx_ino : 0;
}

/// Runs the same work here and on a few more processors, if the system gives threads for it.
template <class Work>
void onSeveralThreads(const Work& work) {
  const unsigned wanted = std::min(std::thread::hardware_concurrency(), maxSearchers);
  std::vector<pthread_t> others;
  while (others.size() + 1 < wanted) {
    pthread_t other{};
    const auto run = [](void* given) -> void* {
      (*static_cast<const Work*>(given))();
      return nullptr;
    };
    if (pthread_create(&other, nullptr, run, const_cast<Work*>(&work)) != 0) break;
    others.push_back(other);
  }
  work();
  for (const pthread_t other : others) pthread_join(other, nullptr);
}

std::vector<uint32_t> allProcesses() {
  std::vector<uint32_t> pids;
  eachNumber("/proc", [&](int, const char* name) {
    pids.push_back(numberOf(name));
    return true;
  });
  return pids;
}

}  // namespace

bool holdsSocket(const SocketHolding& holding, uint64_t wanted) {
  const std::string folder = procPath(holding.pid, "fd");
  if (socketInode(AT_FDCWD, (folder + "/" + std::to_string(holding.descriptor)).c_str()) == wanted) return true;
  bool found = false;
  // The process may have moved it to another descriptor.
  eachNumber(folder, [&](int directory, const char* name) {
    found = socketInode(directory, name) == wanted;
    return !found;
  });
  return found;
}

bool sameProcess(const ProcessRecord& a, const ProcessRecord& b) {
  return a.pid == b.pid && a.startNs == b.startNs && a.uid == b.uid && sameExecutable(a.executable, b.executable);
}

std::optional<ProcessRecord> readProcess(uint32_t pid) {
  ProcessRecord record;
  record.pid = pid;
  const auto file = identifyFile(procPath(pid, "exe"));
  if (!file || !readStat(pid, record) || !readIds(pid, record)) return std::nullopt;
  record.executable = file->executable;
  record.path = readLink(procPath(pid, "exe"));
  const std::string space = readLink(procPath(pid, "ns/mnt"));
  if (space.size() > 5) record.mountNamespace = static_cast<uint32_t>(strtoul(space.c_str() + 5, nullptr, 10));
  record.user = responsibleUser(pid, record.uid);
  record.cgroup = readCgroup(pid);
  return record;
}

bastion_owner ownerOf(const ProcessRecord& record) {
  bastion_owner owner{};
  owner.start_ns = record.startNs;
  owner.cgroup = record.cgroup;
  owner.executable = record.executable;
  owner.pid = record.pid;
  owner.uid = record.uid;
  owner.gid = record.gid;
  owner.user = record.user;
  owner.mount_namespace = record.mountNamespace;
  memcpy(owner.command, record.command, sizeof owner.command);
  return owner;
}

std::string runningPath(uint32_t pid, const bastion_executable& executable) {
  const std::string link = procPath(pid, "exe");
  const auto file = identifyFile(link);
  if (!file) return "";
  bastion_executable running = file->executable;
  // Not every file system tells the generation here; the kernel's own record always has it.
  if (running.generation == 0) running.generation = executable.generation;
  return sameExecutable(running, executable) ? readLink(link) : "";
}

std::optional<ProcessRecord> SocketHolders::fromCache(uint64_t inode) {
  const Known* known = cache_.find(inode);
  if (known == nullptr || known->untilNs < bootNs()) return std::nullopt;
  auto record = readProcess(known->holding.pid);
  if (!record || record->startNs != known->startNs || !holdsSocket(known->holding, inode)) return std::nullopt;
  return record;
}

SocketHoldings SocketHolders::search(const std::vector<uint64_t>& inodes) const {
  SocketHoldings found;
  for (const uint64_t inode : inodes) found.try_emplace(inode);
  if (found.empty()) return found;
  const std::vector<uint32_t> pids = allProcesses();
  std::atomic<size_t> next{0};
  std::mutex mutex;
  // Every process has to be looked at: a second holder that is another program must not stay unseen.
  const auto work = [&] {
    for (size_t at = next++; at < pids.size() && !stopping_.load(std::memory_order_relaxed); at = next++) {
      eachNumber(procPath(pids[at], "fd"), [&](int folder, const char* name) {
        const uint64_t inode = socketInode(folder, name);
        if (inode == 0 || !found.contains(inode)) return true;
        const std::scoped_lock lock(mutex);
        auto& holdings = found.find(inode)->second;
        if (holdings.empty() || holdings.back().pid != pids[at]) holdings.push_back({pids[at], numberOf(name)});
        return true;
      });
    }
  };
  onSeveralThreads(work);
  return found;
}

std::optional<ProcessRecord> SocketHolders::agree(uint64_t inode, const std::vector<SocketHolding>& holdings) {
  std::optional<ProcessRecord> owner;
  SocketHolding first;
  for (const SocketHolding& holding : holdings) {
    const auto record = readProcess(holding.pid);
    if (!record) return std::nullopt;
    if (owner && (owner->uid != record->uid || !sameExecutable(owner->executable, record->executable))) return std::nullopt;
    if (owner) continue;
    owner = record;
    first = holding;
  }
  // The socket must still be there after the record was read, or the record may be of a later process.
  if (!owner || !holdsSocket(first, inode)) return std::nullopt;
  cache_.put(inode, {first, owner->startNs, bootNs() + cacheNs});
  return owner;
}

}  // namespace bastion
