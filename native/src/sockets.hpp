// SPDX-License-Identifier: GPL-3.0-or-later
// Which socket has a tuple: sock_diag, and /proc/net where sock_diag is refused or does not know the protocol.
#pragma once

#include <vector>

#include "common.hpp"

namespace bastion {

struct FoundSocket {
  uint64_t inode = 0;
  uint32_t uid = 0;
  /// 0 from /proc/net.
  uint64_t cookie = 0;
};

/// Every socket that can have sent the packet, the most exact first; at most 16, else none. With `cookie` other than 0 only
/// the socket that has it, where cookies are known. Never matches by destination alone.
std::vector<FoundSocket> findSockets(const bastion_tuple& tuple, uint64_t cookie);

}  // namespace bastion
