// SPDX-License-Identifier: GPL-3.0-or-later
// What stands on the bpffs: a folder each for maps, programs and links, for root only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

struct bpf_program;

namespace bastion {

struct PinFolders {
  explicit PinFolders(const std::string& path) : root(path), maps(path + "/maps"), programs(path + "/progs"), links(path + "/links") {}
  std::string root;
  std::string maps;
  std::string programs;
  std::string links;
};

/// Makes the folders (0700). False with errno if the path is not on a bpffs or cannot be made.
bool makePinFolders(const PinFolders& folders);

/// Unlinks every pin and the folders.
void removePinFolders(const PinFolders& folders);

/// Unlinks the pins inside one folder, but those whose name is to be kept.
void emptyPinFolder(const std::string& folder, const std::function<bool(const std::string&)>& keep = nullptr);

/// Pins `fd` so that `path` never is without a pin: 0 or -errno.
int replacePin(int fd, const std::string& path);

/// Attaches the program to the cgroup, in place of the program that is pinned there for the same cgroup: 0 or -errno.
int attachPinned(bpf_program* program, int cgroupFd, const std::string& path, bool adopt);

/// Attaches the program to its tracepoint, in place of what is pinned there: 0 or -errno.
int attachTracepoint(bpf_program* program, const std::string& path);

enum class PinnedLayout { none, fits, another };

/// Are the pinned maps of this program's structures? `found` is the number of another layout, 0 where it cannot be read.
PinnedLayout pinnedLayout(const PinFolders& folders, uint32_t& found);

/// Is this very program pinned, for netfilter?
bool programIsPinned(int programFd, const std::string& path);

/// Is this very map pinned?
bool mapIsPinned(int mapFd, const std::string& path);

/// Is this very program attached by the pinned link, to that cgroup (-1: to its tracepoint)?
bool linkIsPinned(const bpf_program* program, int cgroupFd, const std::string& path);

}  // namespace bastion
