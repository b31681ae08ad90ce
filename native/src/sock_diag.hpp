// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's own list of sockets: listing, looking one up, ending one. Of the calling thread's network namespace.
#pragma once

#include <functional>

#include "common.hpp"

namespace bastion {

/// Who began a TCP connection, as far as its sequence numbers tell.
enum class Opened : uint8_t { unknown, here, byPeer };

/// A socket as the kernel lists it. Addresses and ports in network byte order, addresses as the socket has them: those of an
/// AF_INET6 socket that speaks IPv4 are mapped.
struct DiagSocket {
  /// Of the socket, not of its addresses: 4 or 6.
  uint8_t family = 0;
  /// Source: include/net/tcp_states.h. Also for UDP: established if connected, else close.
  uint8_t state = 0;
  /// As socket() was told: IPPROTO_MPTCP is more than a byte holds.
  uint16_t protocol = 0;
  uint16_t localPort = 0;
  uint16_t remotePort = 0;
  uint8_t local[16] = {};
  uint8_t remote[16] = {};
  /// Of the device that it is bound to, else 0.
  uint32_t interfaceIndex = 0;
  uint32_t uid = 0;
  /// 0: no process has it as a descriptor (not accepted yet, closed already, the kernel's own).
  uint64_t inode = 0;
  uint64_t cookie = 0;
  bool v6Only = false;
  /// Only where progress was asked for.
  Opened opened = Opened::unknown;
};

struct DiagQuery {
  uint8_t family = 4;
  uint16_t protocol = 0;
  /// Network byte order; 0: all.
  uint16_t localPort = 0;
  /// Bits by state.
  uint32_t states = ~0U;
  /// Work out `opened`: a TCP listing is three times as long then.
  bool progress = false;
};

/// One netlink socket; one thread at a time. Every method returns 0 or an errno: ENOENT where no such socket is, or the kernel
/// does not list this protocol; EOPNOTSUPP where it cannot end sockets.
class SockDiag {
 public:
  using Visit = std::function<void(const DiagSocket&)>;

  /// Bounded by what the kernel sends; `visit` may see a socket twice if the list changed meanwhile.
  int list(const DiagQuery& query, const Visit& visit);
  /// The socket that these addresses lead to; with a cookie in `socket` only that very one. Fills the rest of `socket`.
  int lookUp(DiagSocket& socket);
  /// Ends it: whoever uses it gets ECONNABORTED. All of family, addresses, ports, interface and cookie must be its own.
  int destroy(const DiagSocket& socket);

 private:
  enum class Kind { list, one, destroy };

  int open();
  int send(Kind kind, const DiagSocket& socket, const DiagQuery& query);
  int receive(Kind kind, uint16_t protocol, const Visit& visit);
  int exchange(Kind kind, const DiagSocket& socket, const DiagQuery& query, const Visit& visit);

  UniqueFd fd_;
  uint32_t sequence_ = 0;
  std::string buffer_;
};

constexpr uint8_t mappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

inline bool isMapped(const uint8_t* address) { return memcmp(address, mappedPrefix, sizeof mappedPrefix) == 0; }

inline bool isAnyAddress(const uint8_t* address) {
  constexpr uint8_t zeros[16] = {};
  return memcmp(address, zeros, sizeof zeros) == 0;
}

/// ::ffff:192.0.2.1 becomes 192.0.2.1 in the first four bytes.
inline void unmap(uint8_t* address) {
  uint8_t plain[16] = {};
  memcpy(plain, address + sizeof mappedPrefix, 4);
  memcpy(address, plain, sizeof plain);
}

}  // namespace bastion
