// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "link_message.hpp"

namespace bastion {

enum class Dump { whole, interrupted, failed };

/// All interfaces, then all addresses of this network namespace. `interrupted`: something changed meanwhile, and may be missing.
/// What cannot be read is left out and counted.
Dump dumpLinks(std::vector<char>& buffer, std::vector<LinkChange>& into, uint64_t& unreadable);

}  // namespace bastion
