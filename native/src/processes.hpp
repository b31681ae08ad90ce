// SPDX-License-Identifier: GPL-3.0-or-later
// Which process holds a socket, from /proc: the slow way, for sockets that the hooks did not see.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bounded.hpp"

namespace bastion {

struct ProcessRecord {
  uint32_t pid = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mountNamespace = 0;
  /// See bastion_owner.user.
  uint32_t user = 0;
  /// In the version 2 hierarchy, as the kernel numbers it; 0 if there is none.
  uint64_t cgroup = 0;
  /// Since boot, as exact as /proc/PID/stat is (1/100 s).
  uint64_t startNs = 0;
  bastion_executable executable{};
  std::string path;
  char command[BASTION_COMMAND_BYTES] = {};
};

bool sameProcess(const ProcessRecord& a, const ProcessRecord& b);

/// Reads one process; nothing if it has gone or has no executable. What changed while it was read shows in a second reading.
std::optional<ProcessRecord> readProcess(uint32_t pid);

/// The record of a process as the hooks spell it, without a socket.
bastion_owner ownerOf(const ProcessRecord& record);

/// Path of a process's executable, if that is this very file; empty otherwise.
std::string runningPath(uint32_t pid, const bastion_executable& executable);

struct SocketHolding {
  uint32_t pid = 0;
  uint32_t descriptor = 0;
};

/// Does the process still hold the socket with this inode, under this descriptor or another?
bool holdsSocket(const SocketHolding& holding, uint64_t inode);

/// Who holds which socket, one entry or more for each process.
using SocketHoldings = std::unordered_map<uint64_t, std::vector<SocketHolding>>;

/// Finds holders of sockets. One thread only.
class SocketHolders {
 public:
  explicit SocketHolders(const std::atomic<bool>& stopping) : stopping_(stopping) {}

  /// The program that was found to hold the socket a moment ago and still does.
  std::optional<ProcessRecord> fromCache(uint64_t inode);
  /// Looks at every descriptor of every process once, for all these sockets. Nothing of it counts if it was stopped meanwhile.
  SocketHoldings search(const std::vector<uint64_t>& inodes) const;
  /// The one program behind these holdings; nothing if there is none or if different programs share the socket.
  std::optional<ProcessRecord> agree(uint64_t inode, const std::vector<SocketHolding>& holdings);

 private:
  struct Known {
    SocketHolding holding;
    uint64_t startNs = 0;
    uint64_t untilNs = 0;
  };

  const std::atomic<bool>& stopping_;
  BoundedTable<uint64_t, Known> cache_{4096};
};

}  // namespace bastion
