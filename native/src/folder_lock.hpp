// SPDX-License-Identifier: GPL-3.0-or-later
// One helper for each state folder: a lock that goes with its process, however that ends.
#pragma once

#include <string>

namespace bastion {

enum class FolderLock { ours, taken, failed };

/// Locks the file `lock` in the folder, which root alone can open, until this process ends. `why` it failed is a sentence.
FolderLock lockFolder(const std::string& path, std::string& why);

}  // namespace bastion
