// SPDX-License-Identifier: GPL-3.0-or-later
#include "adoption.hpp"

#include <atomic>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unordered_set>

#include "network_namespace.hpp"
#include "processes.hpp"
#include "sock_diag.hpp"

namespace bastion {

namespace {

/// Source: include/net/tcp_states.h.
constexpr uint8_t stateTimeWait = 6;
constexpr uint8_t stateListen = 10;
constexpr uint8_t stateNewSynRecv = 12;

std::vector<DiagSocket> listTcp() {
  std::vector<DiagSocket> sockets;
  SockDiag diag;
  for (const uint8_t family : {4, 6}) {
    DiagQuery query;
    query.family = family;
    query.protocol = IPPROTO_TCP;
    query.states = ~(1U << stateTimeWait | 1U << stateNewSynRecv);
    query.progress = true;
    diag.list(query, [&sockets](const DiagSocket& socket) {
      // Without an inode nobody holds it any more, or not yet.
      if (socket.cookie != 0 && socket.inode != 0 && sockets.size() < BASTION_MAX_OWNERS) sockets.push_back(socket);
    });
  }
  return sockets;
}

/// Accepted: the counters say so, or they say nothing and somebody listens on the port.
bool isInbound(const DiagSocket& socket, const std::unordered_set<uint16_t>& listening) {
  if (socket.state == stateListen) return false;
  if (socket.opened != Opened::unknown) return socket.opened == Opened::byPeer;
  return listening.contains(socket.localPort);
}

}  // namespace

std::vector<bastion_owner> findOlderSockets() {
  const std::vector<DiagSocket> sockets = listTcp();
  std::unordered_set<uint16_t> listening;
  std::vector<uint64_t> inodes;
  for (const DiagSocket& socket : sockets) {
    if (socket.state == stateListen) listening.insert(socket.localPort);
    inodes.push_back(socket.inode);
  }
  const std::atomic<bool> never{false};
  SocketHolders holders(never);
  const SocketHoldings holdings = inodes.empty() ? SocketHoldings{} : holders.search(inodes);
  const uint64_t networkNamespace = networkNamespaceCookie();
  std::vector<bastion_owner> owners;
  for (const DiagSocket& socket : sockets) {
    const auto found = holdings.find(socket.inode);
    const auto holder = found == holdings.end() ? std::nullopt : holders.agree(socket.inode, found->second);
    bastion_owner owner = holder ? ownerOf(*holder) : bastion_owner{};
    owner.cookie = socket.cookie;
    owner.network_namespace = networkNamespace;
    owner.socket_type = SOCK_STREAM;
    owner.flags = BASTION_OWNER_ADOPTED | (isInbound(socket, listening) ? BASTION_OWNER_INBOUND : 0);
    owner.user = owner.uid;
    owners.push_back(owner);
  }
  return owners;
}

}  // namespace bastion
