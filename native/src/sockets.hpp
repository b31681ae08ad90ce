// SPDX-License-Identifier: GPL-3.0-or-later
// Which socket has a tuple: sock_diag, and /proc/net where sock_diag is refused or does not know the protocol.
#pragma once

#include <vector>

#include "sock_diag.hpp"

namespace bastion {

struct FoundSocket {
  uint64_t inode = 0;
  uint32_t uid = 0;
  /// 0 from /proc/net.
  uint64_t cookie = 0;
};

/// Every socket that can have sent the packet, the most exact first; at most 16, else none. With `cookie` other than 0 only
/// the socket that has it, where cookies are known. Never matches by destination alone. `interfaceIndex` is where the packet
/// leaves: without it, a TCP socket that is bound to a device is not found.
std::vector<FoundSocket> findSockets(const bastion_tuple& tuple, uint64_t cookie, uint32_t interfaceIndex);

/// Every socket of a table like /proc/net/raw, without cookies; nothing if it is not there. Ports in network byte order: a
/// raw socket's is the protocol number, a ping socket's the echo identifier. No protocol: the file's name says it.
void readSocketTable(const char* path, uint8_t family, const std::function<void(const DiagSocket&)>& visit);

}  // namespace bastion
