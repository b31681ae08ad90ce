// SPDX-License-Identifier: GPL-3.0-or-later
// Source: proc(5).
#include "processes.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "file_identity.hpp"

namespace bastion {

namespace {

// A socket that was passed on in the meantime is still attributed to its former holder: no longer than this.
constexpr uint64_t cacheNs = 2 * nsPerSecond;
constexpr int startTimeField = 22;

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

std::optional<ProcessRecord> readOnce(uint32_t pid) {
  ProcessRecord record;
  record.pid = pid;
  const auto file = identifyFile(procPath(pid, "exe"));
  if (!file || !readStat(pid, record) || !readIds(pid, record)) return std::nullopt;
  record.executable = file->executable;
  record.path = readLink(procPath(pid, "exe"));
  const std::string space = readLink(procPath(pid, "ns/mnt"));
  if (space.size() > 5) record.mountNamespace = static_cast<uint32_t>(strtoul(space.c_str() + 5, nullptr, 10));
  return record;
}

template <class Visit>
void eachNumber(const std::string& folder, Visit visit) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (!visit(dirfd(directory), entry->d_name)) break;
  }
  closedir(directory);
}

bool holdsSocket(uint32_t pid, const std::string& wanted) {
  bool found = false;
  eachNumber(procPath(pid, "fd"), [&](int folder, const char* name) {
    char target[64];
    const ssize_t size = readlinkat(folder, name, target, sizeof target);
    found = size == static_cast<ssize_t>(wanted.size()) && memcmp(target, wanted.data(), wanted.size()) == 0;
    return !found;
  });
  return found;
}

std::string socketName(uint64_t inode) { return "socket:[" + std::to_string(inode) + "]"; }

}  // namespace

bool sameProcess(const ProcessRecord& a, const ProcessRecord& b) {
  return a.pid == b.pid && a.startNs == b.startNs && a.uid == b.uid && sameExecutable(a.executable, b.executable);
}

std::optional<ProcessRecord> readProcess(uint32_t pid) {
  const auto first = readOnce(pid);
  if (!first) return std::nullopt;
  const auto second = readOnce(pid);
  if (!second || !sameProcess(*first, *second)) return std::nullopt;
  return second;
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

std::optional<ProcessRecord> SocketHolders::fromCache(uint64_t socketInode) {
  const Known* known = cache_.find(socketInode);
  if (known == nullptr || known->untilNs < bootNs()) return std::nullopt;
  auto record = readProcess(known->pid);
  if (!record || record->startNs != known->startNs || !holdsSocket(known->pid, socketName(socketInode))) return std::nullopt;
  return record;
}

std::vector<uint32_t> SocketHolders::holders(uint64_t socketInode) const {
  const std::string wanted = socketName(socketInode);
  std::vector<uint32_t> found;
  eachNumber("/proc", [&](int, const char* name) {
    const auto pid = static_cast<uint32_t>(strtoul(name, nullptr, 10));
    if (holdsSocket(pid, wanted)) found.push_back(pid);
    return !stopping_.load(std::memory_order_relaxed);
  });
  return found;
}

std::optional<ProcessRecord> SocketHolders::find(uint64_t socketInode) {
  if (socketInode == 0) return std::nullopt;
  if (auto known = fromCache(socketInode)) return known;
  std::optional<ProcessRecord> owner;
  for (const uint32_t pid : holders(socketInode)) {
    const auto record = readProcess(pid);
    if (!record) return std::nullopt;
    if (owner && (owner->uid != record->uid || !sameExecutable(owner->executable, record->executable))) return std::nullopt;
    if (!owner) owner = record;
  }
  // The socket must still be there after the record was read, or the record may be of a later process.
  if (!owner || !holdsSocket(owner->pid, socketName(socketInode))) return std::nullopt;
  cache_.put(socketInode, {owner->pid, owner->startNs, bootNs() + cacheNs});
  return owner;
}

}  // namespace bastion
