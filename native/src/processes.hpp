// SPDX-License-Identifier: GPL-3.0-or-later
// Which process holds a socket, from /proc: the slow way, for sockets that the hooks did not see.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "bounded.hpp"

namespace bastion {

struct ProcessRecord {
  uint32_t pid = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mountNamespace = 0;
  /// Since boot, as exact as /proc/PID/stat is (1/100 s).
  uint64_t startNs = 0;
  bastion_executable executable{};
  std::string path;
  char command[BASTION_COMMAND_BYTES] = {};
};

bool sameProcess(const ProcessRecord& a, const ProcessRecord& b);

/// Reads one process; nothing if it has gone, has no executable or changed while it was read.
std::optional<ProcessRecord> readProcess(uint32_t pid);

/// Path of a process's executable, if that is this very file; empty otherwise.
std::string runningPath(uint32_t pid, const bastion_executable& executable);

/// Finds holders of sockets. One thread only.
class SocketHolders {
 public:
  explicit SocketHolders(const std::atomic<bool>& stopping) : stopping_(stopping) {}

  /// The one program that holds the socket; nothing if there is none or if different programs share it.
  std::optional<ProcessRecord> find(uint64_t socketInode);

 private:
  struct Known {
    uint32_t pid = 0;
    uint64_t startNs = 0;
    uint64_t untilNs = 0;
  };
  std::optional<ProcessRecord> fromCache(uint64_t socketInode);
  std::vector<uint32_t> holders(uint64_t socketInode) const;

  const std::atomic<bool>& stopping_;
  BoundedTable<uint64_t, Known> cache_{4096};
};

}  // namespace bastion
