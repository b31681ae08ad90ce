// SPDX-License-Identifier: GPL-3.0-or-later
// Source: sock_diag(7), include/uapi/linux/inet_diag.h, net/ipv4/udp_diag.c; /proc/net/tcp in proc(5).
#include "sockets.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cinttypes>
#include <cstdio>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

namespace bastion {

namespace {

constexpr size_t replyBytes = 32768;
constexpr size_t maxCandidates = 16;

/// A socket table's row, whatever it was read from. Mapped addresses are IPv4 here.
struct Row {
  uint8_t family = 0;
  uint8_t local[16] = {};
  uint8_t remote[16] = {};
  uint16_t localPort = 0;
  uint16_t remotePort = 0;
  FoundSocket socket;
};

constexpr uint8_t zeros[16] = {};
constexpr uint8_t mappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool isAny(const uint8_t* address) { return memcmp(address, zeros, 16) == 0; }

void unmap(uint8_t* address) {
  uint8_t plain[16] = {};
  memcpy(plain, address + 12, 4);
  memcpy(address, plain, 16);
}

/// An AF_INET6 socket with mapped addresses sends IPv4; one bound to :: sends both.
void normalise(Row& row) {
  if (row.family != 6) return;
  const bool local = memcmp(row.local, mappedPrefix, 12) == 0;
  const bool remote = memcmp(row.remote, mappedPrefix, 12) == 0;
  if (!local && !remote) return;
  if (local) unmap(row.local);
  if (remote) unmap(row.remote);
  row.family = 4;
}

/// 0: cannot have sent it. Otherwise the higher the more of the tuple the socket itself says.
int rank(const Row& row, const bastion_tuple& tuple) {
  const bastion_destination& to = tuple.destination;
  const bool dualStack = row.family == 6 && to.family == 4 && isAny(row.local) && isAny(row.remote);
  if (row.family != to.family && !dualStack) return 0;
  if (!isAny(row.local) && memcmp(row.local, tuple.source, 16) != 0) return 0;
  const bool ports = to.protocol != IPPROTO_ICMP && to.protocol != IPPROTO_ICMPV6;
  if (!isAny(row.remote)) {
    const bool same = memcmp(row.remote, to.address, 16) == 0 && (!ports || row.remotePort == to.port);
    return same ? 3 : 0;
  }
  return isAny(row.local) ? 1 : 2;
}

std::vector<FoundSocket> choose(const std::vector<Row>& rows, const bastion_tuple& tuple, uint64_t cookie) {
  std::vector<std::pair<int, FoundSocket>> ranked;
  for (const Row& row : rows) {
    if (cookie != 0 && row.socket.cookie == cookie) return {row.socket};
    const bool another = cookie != 0 && row.socket.cookie != 0;
    const int value = another ? 0 : rank(row, tuple);
    if (value > 0) ranked.emplace_back(value, row.socket);
  }
  if (ranked.size() > maxCandidates) return {};
  std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<FoundSocket> sockets;
  for (const auto& [value, socket] : ranked) sockets.push_back(socket);
  return sockets;
}

Row rowOf(const inet_diag_msg& message) {
  Row row;
  row.family = message.idiag_family == AF_INET ? 4 : 6;
  const size_t size = row.family == 4 ? 4 : 16;
  memcpy(row.local, message.id.idiag_src, size);
  memcpy(row.remote, message.id.idiag_dst, size);
  row.localPort = message.id.idiag_sport;
  row.remotePort = message.id.idiag_dport;
  row.socket = {message.idiag_inode, message.idiag_uid,
                static_cast<uint64_t>(message.id.idiag_cookie[1]) << 32 | message.id.idiag_cookie[0]};
  normalise(row);
  return row;
}

/// All sockets of one address family and protocol with this local port, or the one with this tuple. False: refused.
bool diagnose(const bastion_tuple& tuple, uint8_t family, bool exact, std::vector<Row>& rows) {
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid()) return false;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | (exact ? 0 : NLM_F_DUMP));
  message.request.sdiag_family = family == 4 ? AF_INET : AF_INET6;
  message.request.sdiag_protocol = tuple.destination.protocol;
  message.request.idiag_states = ~0U;
  message.request.id.idiag_sport = tuple.source_port;
  message.request.id.idiag_cookie[0] = message.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (exact) {
    message.request.id.idiag_dport = tuple.destination.port;
    memcpy(message.request.id.idiag_src, tuple.source, 16);
    memcpy(message.request.id.idiag_dst, tuple.destination.address, 16);
  }
  if (send(fd.get(), &message, sizeof message, 0) < 0) return false;
  std::vector<char> buffer(replyBytes);
  for (;;) {
    const ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    int left = static_cast<int>(size);
    for (const auto* reply = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(reply, left);
         reply = mnl_nlmsg_next(reply, &left)) {
      if (reply->nlmsg_type == NLMSG_DONE) return true;
      if (reply->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(reply))->error;
        return exact && error == ENOENT;
      }
      if (reply->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg)))
        rows.push_back(rowOf(*static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(reply))));
      if (exact) return true;
    }
  }
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

void readTable(const char* path, uint8_t family, uint16_t localPort, std::vector<Row>& rows) {
  FILE* file = fopen(path, "re");
  if (file == nullptr) return;
  char line[512];
  while (fgets(line, sizeof line, file) != nullptr) {
    char local[33];
    char remote[33];
    unsigned localNumber = 0;
    unsigned remoteNumber = 0;
    Row row;
    row.family = family;
    if (sscanf(line, "%*u: %32[0-9A-Fa-f]:%x %32[0-9A-Fa-f]:%x %*x %*x:%*x %*x:%*x %*x %" SCNu32 " %*u %" SCNu64, local,
               &localNumber, remote, &remoteNumber, &row.socket.uid, &row.socket.inode) != 6)
      continue;
    if (localNumber != ntohs(localPort) || !parseHexAddress(local, row.local) || !parseHexAddress(remote, row.remote)) continue;
    row.localPort = localPort;
    row.remotePort = htons(static_cast<uint16_t>(remoteNumber));
    normalise(row);
    rows.push_back(row);
  }
  fclose(file);
}

void readTables(const bastion_tuple& tuple, std::vector<Row>& rows) {
  const bool v4 = tuple.destination.family == 4;
  const auto read = [&](const char* four, const char* six, uint16_t port) {
    if (v4 && four != nullptr) readTable(four, 4, port, rows);
    if (six != nullptr) readTable(six, 6, port, rows);
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

std::vector<FoundSocket> findSockets(const bastion_tuple& tuple, uint64_t cookie) {
  const uint8_t protocol = tuple.destination.protocol;
  std::vector<Row> rows;
  bool asked = false;
  if (protocol == IPPROTO_TCP) {
    asked = diagnose(tuple, tuple.destination.family, true, rows);
  } else if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) {
    asked = diagnose(tuple, 6, false, rows);
    if (asked && tuple.destination.family == 4) asked = diagnose(tuple, 4, false, rows);
  }
  if (!asked) {
    rows.clear();
    readTables(tuple, rows);
  }
  return choose(rows, tuple, cookie);
}

}  // namespace bastion
