// SPDX-License-Identifier: GPL-3.0-or-later
#include "adoption.hpp"

#include <atomic>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unordered_map>

#include "network_namespace.hpp"
#include "processes.hpp"
#include "sock_diag.hpp"

namespace bastion {

namespace {

/// Source: include/net/tcp_states.h.
constexpr uint8_t stateEstablished = 1;
constexpr uint8_t stateSynReceived = 3;
constexpr uint8_t stateTimeWait = 6;
constexpr uint8_t stateCloseWait = 8;
constexpr uint8_t stateListen = 10;
/// A list that grows while it is read may leave one out, and numbers that are read while they move may say anything.
constexpr int rounds = 2;

/// Every socket of both lists, once; `opened` only where both agree. Time-wait sockets send nothing of a program's.
class SocketList {
 public:
  explicit SocketList(size_t most) : most_(most) {}

  void read() {
    SockDiag diag;
    for (int round = 0; round < rounds; round += 1) {
      leftOut_ = 0;
      for (const uint8_t family : {4, 6}) {
        for (const uint16_t protocol : {IPPROTO_TCP, IPPROTO_MPTCP}) {
          const DiagQuery query{.family = family, .protocol = protocol, .states = ~(1U << stateTimeWait), .progress = true};
          // A protocol that the kernel does not list leaves its sockets without a record, and so undecided.
          diag.list(query, [&](const DiagSocket& socket) { add(socket); });
        }
      }
    }
  }

  const std::vector<DiagSocket>& sockets() const { return sockets_; }
  size_t leftOut() const { return leftOut_; }

 private:
  void add(const DiagSocket& socket) {
    const auto known = places_.find(socket.cookie);
    if (known != places_.end()) {
      DiagSocket& before = sockets_[known->second];
      const Opened opened = before.opened == socket.opened ? socket.opened : Opened::unknown;
      before = socket;
      before.opened = opened;
      return;
    }
    if (sockets_.size() >= most_) {
      leftOut_ += 1;
      return;
    }
    places_.emplace(socket.cookie, sockets_.size());
    sockets_.push_back(socket);
  }

  size_t most_;
  size_t leftOut_ = 0;
  std::vector<DiagSocket> sockets_;
  std::unordered_map<uint64_t, size_t> places_;
};

/// What the socket's descriptors say. Each process is read once, and once more at the end.
class Owners {
 public:
  Owners(const SocketHolders& holders, const std::vector<DiagSocket>& sockets) {
    std::vector<uint64_t> inodes;
    for (const DiagSocket& socket : sockets) {
      if (socket.inode != 0) inodes.push_back(socket.inode);
    }
    holdings_ = holders.search(inodes);
  }

  /// The one program of one user that holds it; nothing if there is none, or several.
  const ProcessRecord* of(uint64_t inode) {
    const auto found = holdings_.find(inode);
    if (found == holdings_.end() || found->second.empty()) return nullptr;
    const ProcessRecord* owner = nullptr;
    for (const SocketHolding& holding : found->second) {
      const auto& record = process(holding.pid);
      if (!record || (owner != nullptr && !sameProgram(*owner, *record))) return nullptr;
      if (owner == nullptr) owner = &*record;
    }
    return holdsSocket(found->second.front(), inode) ? owner : nullptr;
  }

  /// Is this still the process that was read, and not another that got its number?
  bool still(const ProcessRecord& record) {
    const auto [place, isNew] = confirmed_.try_emplace(record.pid, false);
    if (isNew) {
      const auto again = readProcess(record.pid);
      place->second = again && sameProcess(record, *again);
    }
    return place->second;
  }

  static bool sameProgram(const ProcessRecord& a, const ProcessRecord& b) {
    return a.uid == b.uid && sameExecutable(a.executable, b.executable);
  }

 private:
  const std::optional<ProcessRecord>& process(uint32_t pid) {
    const auto known = processes_.find(pid);
    return known != processes_.end() ? known->second : processes_.emplace(pid, readProcess(pid)).first->second;
  }

  SocketHoldings holdings_;
  std::unordered_map<uint32_t, std::optional<ProcessRecord>> processes_;
  std::unordered_map<uint32_t, bool> confirmed_;
};

/// Could this listening socket have accepted that connection? A port alone says nothing: another address's may be anybody's.
bool covers(const DiagSocket& listener, const DiagSocket& connection) {
  if (listener.localPort != connection.localPort) return false;
  if (listener.interfaceIndex != 0 && listener.interfaceIndex != connection.interfaceIndex) return false;
  const auto speaksV4 = [](const DiagSocket& socket) { return socket.family == 4 || isMapped(socket.local); };
  if (isAnyAddress(listener.local)) return listener.family == 4 ? speaksV4(connection) : !speaksV4(connection) || !listener.v6Only;
  if (speaksV4(listener) != speaksV4(connection)) return false;
  const auto plain = [](const DiagSocket& socket) { return socket.local + (socket.family == 6 && isMapped(socket.local) ? sizeof mappedPrefix : 0); };
  return memcmp(plain(listener), plain(connection), speaksV4(listener) ? 4 : 16) == 0;
}

class Adoption {
 public:
  Adoption(const std::vector<DiagSocket>& sockets, Owners& owners) : sockets_(sockets), owners_(owners) {
    for (const DiagSocket& socket : sockets_) {
      if (socket.state == stateListen && socket.protocol == IPPROTO_TCP) listeners_.emplace(socket.localPort, &socket);
    }
  }

  bastion_owner adopt(const DiagSocket& socket, uint64_t networkNamespace) {
    const ProcessRecord* holder = socket.inode == 0 ? nullptr : owners_.of(socket.inode);
    // What an MPTCP socket opens further is its own doing, whoever opened its first subflow.
    const bool mayAnswer = socket.state != stateListen && socket.protocol == IPPROTO_TCP;
    const DiagSocket* listener = mayAnswer ? listenerOf(socket, holder) : nullptr;
    // Nobody has it until it is accepted: then whoever listens.
    if (listener != nullptr && socket.inode == 0 && isOpen(socket)) holder = owners_.of(listener->inode);
    const bool sure = holder != nullptr && owners_.still(*holder);
    bastion_owner owner = sure ? ownerOf(*holder) : bastion_owner{};
    owner.cookie = socket.cookie;
    owner.network_namespace = networkNamespace;
    owner.socket_type = SOCK_STREAM;
    owner.flags = BASTION_OWNER_ADOPTED | (listener == nullptr ? 0 : BASTION_OWNER_INBOUND);
    return owner;
  }

 private:
  static bool isOpen(const DiagSocket& socket) {
    return socket.state == stateEstablished || socket.state == stateCloseWait || socket.state == stateSynReceived;
  }

  /// The socket that accepted this connection. Where its numbers do not say who opened it, only one of the same program, or for
  /// one that nobody has taken yet, any: a port that is just the same number must not make an answer of what was asked.
  const DiagSocket* listenerOf(const DiagSocket& socket, const ProcessRecord* holder) {
    if (socket.opened == Opened::here) return nullptr;
    const auto [begin, end] = listeners_.equal_range(socket.localPort);
    for (auto place = begin; place != end; ++place) {
      const DiagSocket& listener = *place->second;
      if (!covers(listener, socket)) continue;
      if (socket.opened == Opened::byPeer || (socket.inode == 0 && isOpen(socket))) return &listener;
      const ProcessRecord* server = holder == nullptr ? nullptr : owners_.of(listener.inode);
      if (server != nullptr && Owners::sameProgram(*server, *holder)) return &listener;
    }
    return nullptr;
  }

  const std::vector<DiagSocket>& sockets_;
  Owners& owners_;
  std::unordered_multimap<uint16_t, const DiagSocket*> listeners_;
};

}  // namespace

OlderSockets findOlderSockets(size_t most) {
  SocketList list(most);
  list.read();
  OlderSockets older;
  older.leftOut = list.leftOut();
  if (list.sockets().empty()) return older;
  const std::atomic<bool> never{false};
  const SocketHolders holders(never);
  Owners owners(holders, list.sockets());
  Adoption adoption(list.sockets(), owners);
  const uint64_t networkNamespace = networkNamespaceCookie();
  for (const DiagSocket& socket : list.sockets()) {
    if (socket.cookie != 0) older.owners.push_back(adoption.adopt(socket, networkNamespace));
  }
  return older;
}

}  // namespace bastion
