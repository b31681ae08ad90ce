// SPDX-License-Identifier: GPL-3.0-or-later
// A file as the kernel names it: s_dev, inode, change time, inode generation.
#pragma once

#include <optional>
#include <string>

#include "common.hpp"

namespace bastion {

struct FileIdentity {
  bastion_executable executable{};
  uint32_t uid = 0;
  uint32_t mode = 0;
  uint64_t sizeBytes = 0;
};

/// Regular files only; links are followed. `generation` is 0 where the file system does not tell it: comparisons then rest
/// on device, inode and change time. Any thread.
std::optional<FileIdentity> identifyFile(const std::string& path);

}  // namespace bastion
