// SPDX-License-Identifier: GPL-3.0-or-later
// Source: proc(5), /proc/net/tcp; net/ipv4/udp_diag.c.
#include "sockets.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cinttypes>
#include <cstdio>
#include <netinet/in.h>

namespace bastion {

namespace {

constexpr size_t maxCandidates = 16;
constexpr uint8_t stateListen = 10;

/// An AF_INET6 socket with mapped addresses sends IPv4; one bound to :: sends both.
void normalise(DiagSocket& row) {
  if (row.family != 6) return;
  const bool local = isMapped(row.local);
  const bool remote = isMapped(row.remote);
  if (!local && !remote) return;
  if (local) unmap(row.local);
  if (remote) unmap(row.remote);
  row.family = 4;
}

/// 0: cannot have sent it. Otherwise the higher the more of the tuple the socket itself says.
int rank(const DiagSocket& row, const bastion_tuple& tuple) {
  const bastion_destination& to = tuple.destination;
  // Who listens opens nothing: with no more than a port in common, another program's connection would be its.
  if (row.state == stateListen && to.protocol == IPPROTO_TCP) return 0;
  const bool dualStack = row.family == 6 && to.family == 4 && !row.v6Only && isAnyAddress(row.local) && isAnyAddress(row.remote);
  if (row.family != to.family && !dualStack) return 0;
  if (!isAnyAddress(row.local) && memcmp(row.local, tuple.source, 16) != 0) return 0;
  const bool ports = to.protocol != IPPROTO_ICMP && to.protocol != IPPROTO_ICMPV6;
  if (!isAnyAddress(row.remote)) {
    const bool same = memcmp(row.remote, to.address, 16) == 0 && (!ports || row.remotePort == to.port);
    return same ? 3 : 0;
  }
  return isAnyAddress(row.local) ? 1 : 2;
}

FoundSocket foundOf(const DiagSocket& row) { return {row.inode, row.uid, row.cookie}; }

std::vector<FoundSocket> choose(const std::vector<DiagSocket>& rows, const bastion_tuple& tuple, uint64_t cookie) {
  std::vector<std::pair<int, FoundSocket>> ranked;
  for (const DiagSocket& row : rows) {
    if (cookie != 0 && row.cookie == cookie) return {foundOf(row)};
    const bool another = cookie != 0 && row.cookie != 0;
    const int value = another ? 0 : rank(row, tuple);
    if (value > 0) ranked.emplace_back(value, foundOf(row));
  }
  if (ranked.size() > maxCandidates) return {};
  std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<FoundSocket> sockets;
  sockets.reserve(ranked.size());
  for (const auto& [value, socket] : ranked) sockets.push_back(socket);
  return sockets;
}

/// All sockets with the packet's local port. False: sock_diag is refused or does not list this protocol.
bool listByPort(SockDiag& diag, const bastion_tuple& tuple, std::vector<DiagSocket>& rows) {
  const auto add = [&](DiagSocket row) {
    normalise(row);
    rows.push_back(row);
  };
  DiagQuery query{.family = 6, .protocol = tuple.destination.protocol, .localPort = tuple.source_port};
  int error = diag.list(query, add);
  query.family = 4;
  if (error == 0 && tuple.destination.family == 4) error = diag.list(query, add);
  return error == 0;
}

/// The TCP socket with these very addresses. Found without looking at all of them, unless it listens and so has no peer.
bool lookUpStream(SockDiag& diag, const bastion_tuple& tuple, uint64_t cookie, uint32_t interfaceIndex,
                  std::vector<DiagSocket>& rows) {
  DiagSocket row;
  row.family = tuple.destination.family;
  row.protocol = IPPROTO_TCP;
  row.localPort = tuple.source_port;
  row.remotePort = tuple.destination.port;
  memcpy(row.local, tuple.source, sizeof row.local);
  memcpy(row.remote, tuple.destination.address, sizeof row.remote);
  row.interfaceIndex = interfaceIndex;
  row.cookie = cookie;
  const int error = diag.lookUp(row);
  normalise(row);
  if (error == 0) rows.push_back(row);
  return error == 0 || error == ENOENT;
}

/// Addresses are printed as 32-bit words in the machine's byte order.
bool parseHexAddress(const char* text, uint8_t* address) {
  const size_t words = strlen(text) / 8;
  if (words != 1 && words != 4) return false;
  for (size_t i = 0; i < words; i += 1) {
    unsigned word = 0;
    if (sscanf(text + i * 8, "%8x", &word) != 1) return false;
    const auto value = static_cast<uint32_t>(word);
    memcpy(address + i * 4, &value, 4);
  }
  return true;
}

void readTables(const bastion_tuple& tuple, std::vector<DiagSocket>& rows) {
  const bool v4 = tuple.destination.family == 4;
  const auto read = [&](const char* four, const char* six, uint16_t port) {
    const auto add = [&](DiagSocket row) {
      if (row.localPort != port) return;
      normalise(row);
      rows.push_back(row);
    };
    if (v4 && four != nullptr) readSocketTable(four, 4, add);
    if (six != nullptr) readSocketTable(six, 6, add);
  };
  // A ping socket's port is the echo identifier, a raw socket's the protocol number.
  switch (tuple.destination.protocol) {
    case IPPROTO_TCP: return read("/proc/net/tcp", "/proc/net/tcp6", tuple.source_port);
    case IPPROTO_UDP: return read("/proc/net/udp", "/proc/net/udp6", tuple.source_port);
    case IPPROTO_UDPLITE: return read("/proc/net/udplite", "/proc/net/udplite6", tuple.source_port);
    case IPPROTO_ICMP: read("/proc/net/icmp", nullptr, tuple.source_port); break;
    case IPPROTO_ICMPV6: read(nullptr, "/proc/net/icmp6", tuple.source_port); break;
    default: break;
  }
  if (rows.empty()) read("/proc/net/raw", "/proc/net/raw6", htons(tuple.destination.protocol));
}

}  // namespace

void readSocketTable(const char* path, uint8_t family, const std::function<void(const DiagSocket&)>& visit) {
  FILE* file = fopen(path, "re");
  if (file == nullptr) return;
  char line[512];
  while (fgets(line, sizeof line, file) != nullptr) {
    char local[33];
    char remote[33];
    unsigned localNumber = 0;
    unsigned remoteNumber = 0;
    unsigned state = 0;
    DiagSocket row;
    row.family = family;
    if (sscanf(line, "%*u: %32[0-9A-Fa-f]:%x %32[0-9A-Fa-f]:%x %x %*x:%*x %*x:%*x %*x %" SCNu32 " %*u %" SCNu64, local,
               &localNumber, remote, &remoteNumber, &state, &row.uid, &row.inode) != 7)
      continue;
    if (!parseHexAddress(local, row.local) || !parseHexAddress(remote, row.remote)) continue;
    row.state = static_cast<uint8_t>(state);
    row.localPort = htons(static_cast<uint16_t>(localNumber));
    row.remotePort = htons(static_cast<uint16_t>(remoteNumber));
    visit(row);
  }
  fclose(file);
}

std::vector<FoundSocket> findSockets(const bastion_tuple& tuple, uint64_t cookie, uint32_t interfaceIndex) {
  const uint8_t protocol = tuple.destination.protocol;
  SockDiag diag;
  std::vector<DiagSocket> rows;
  bool asked = false;
  if (protocol == IPPROTO_TCP) asked = lookUpStream(diag, tuple, cookie, interfaceIndex, rows);
  if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) asked = listByPort(diag, tuple, rows);
  if (!asked) {
    rows.clear();
    readTables(tuple, rows);
  }
  return choose(rows, tuple, cookie);
}

}  // namespace bastion
