// SPDX-License-Identifier: GPL-3.0-or-later
// Source: sock_diag(7), include/uapi/linux/inet_diag.h, net/ipv4/inet_diag.c, net/ipv4/udp_diag.c, net/mptcp/mptcp_diag.c.
#include "sock_diag.hpp"

#include <algorithm>
#include <cstddef>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "netlink.hpp"

namespace bastion {

namespace {

constexpr size_t replyBytes = 32768;
constexpr int maxRestarts = 3;
/// The kernel answers at once; what does not is broken, and nobody may wait for it for ever.
constexpr timeval patience{2, 0};
constexpr uint8_t stateEstablished = 1;
constexpr uint8_t stateCloseWait = 8;

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 query;
  nlattr attribute;
  uint32_t protocol;
};

uint64_t cookieOf(const inet_diag_sockid& id) { return static_cast<uint64_t>(id.idiag_cookie[1]) << 32 | id.idiag_cookie[0]; }

/// Who connects counts its SYN among the bytes that were acknowledged, who accepts does not, and nobody counts it among the
/// bytes that were sent. Nothing if more or less is missing: an urgent pointer, Fast Open, or numbers that moved while they
/// were read. Source: tcp_connect_init, tcp_create_openreq_child, tcp_get_info; bytes_sent since 4.19.
Opened whoOpened(const inet_diag_msg& message, const tcp_info& info) {
  if (message.idiag_state != stateEstablished && message.idiag_state != stateCloseWait) return Opened::unknown;
  const uint64_t inFlight = static_cast<uint64_t>(message.idiag_wqueue) - info.tcpi_notsent_bytes;
  const uint64_t extra = info.tcpi_bytes_acked + inFlight - (info.tcpi_bytes_sent - info.tcpi_bytes_retrans);
  if (extra == 0) return Opened::byPeer;
  return extra == 1 ? Opened::here : Opened::unknown;
}

void readAttributes(const nlmsghdr& reply, const inet_diag_msg& message, DiagSocket& socket) {
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&reply));
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&reply, sizeof(inet_diag_msg)));
  for (; mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute)) {
    const uint16_t size = mnl_attr_get_payload_len(attribute);
    const void* payload = mnl_attr_get_payload(attribute);
    switch (mnl_attr_get_type(attribute)) {
      case INET_DIAG_SKV6ONLY:
        if (size >= 1) socket.v6Only = *static_cast<const uint8_t*>(payload) != 0;
        break;
      case INET_DIAG_INFO: {
        constexpr size_t needed = offsetof(tcp_info, tcpi_bytes_retrans) + sizeof(tcp_info::tcpi_bytes_retrans);
        if (socket.protocol != IPPROTO_TCP || size < needed) break;
        tcp_info info{};
        memcpy(&info, payload, std::min<size_t>(size, sizeof info));
        socket.opened = whoOpened(message, info);
        break;
      }
      default: break;
    }
  }
}

DiagSocket socketOf(const nlmsghdr& reply, uint16_t protocol) {
  const auto& message = *static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&reply));
  DiagSocket socket;
  socket.family = message.idiag_family == AF_INET ? 4 : 6;
  socket.state = message.idiag_state;
  socket.protocol = protocol;
  socket.localPort = message.id.idiag_sport;
  socket.remotePort = message.id.idiag_dport;
  // The words behind an IPv4 address are not the kernel's to fill.
  const size_t addressBytes = socket.family == 4 ? 4 : 16;
  memcpy(socket.local, message.id.idiag_src, addressBytes);
  memcpy(socket.remote, message.id.idiag_dst, addressBytes);
  socket.interfaceIndex = message.id.idiag_if;
  socket.uid = message.idiag_uid;
  socket.inode = message.idiag_inode;
  socket.cookie = cookieOf(message.id);
  readAttributes(reply, message, socket);
  return socket;
}

/// The end of a listing says how it ended. Source: net/netlink/af_netlink.c, netlink_dump_done.
int doneError(const nlmsghdr& reply) {
  return mnl_nlmsg_get_payload_len(&reply) < sizeof(int) ? 0 : errorOf(&reply);
}

/// A look-up of UDP wants the ends swapped, "for historical reasons". Source: net/ipv4/udp_diag.c, udp_dump_one.
DiagSocket swapped(const DiagSocket& socket) {
  DiagSocket other = socket;
  std::swap(other.localPort, other.remotePort);
  std::swap(other.local, other.remote);
  return other;
}

inet_diag_sockid idOf(const DiagSocket& socket) {
  inet_diag_sockid id{};
  id.idiag_sport = socket.localPort;
  id.idiag_dport = socket.remotePort;
  memcpy(id.idiag_src, socket.local, sizeof id.idiag_src);
  memcpy(id.idiag_dst, socket.remote, sizeof id.idiag_dst);
  id.idiag_if = socket.interfaceIndex;
  id.idiag_cookie[0] = socket.cookie == 0 ? INET_DIAG_NOCOOKIE : static_cast<uint32_t>(socket.cookie);
  id.idiag_cookie[1] = socket.cookie == 0 ? INET_DIAG_NOCOOKIE : static_cast<uint32_t>(socket.cookie >> 32);
  return id;
}

}  // namespace

int SockDiag::open() {
  if (fd_.valid()) return 0;
  fd_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd_.valid()) return errno;
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  buffer_.resize(replyBytes);
  return 0;
}

int SockDiag::send(Kind kind, const DiagSocket& socket, const DiagQuery& query) {
  Request message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = kind == Kind::destroy ? SOCK_DESTROY : SOCK_DIAG_BY_FAMILY;
  // An end is acknowledged, a look-up answers.
  const int flags = kind == Kind::list ? NLM_F_DUMP : kind == Kind::destroy ? NLM_F_ACK : 0;
  message.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  message.header.nlmsg_seq = ++sequence_;
  message.query.sdiag_family = query.family == 4 ? AF_INET : AF_INET6;
  // A kernel that does not know the attribute must not take another protocol for it.
  message.query.sdiag_protocol = query.protocol > UINT8_MAX ? 0 : static_cast<uint8_t>(query.protocol);
  message.query.idiag_ext = query.progress ? 1 << (INET_DIAG_INFO - 1) : 0;
  message.query.idiag_states = query.states;
  message.query.id = idOf(socket);
  message.attribute = {NLA_HDRLEN + sizeof message.protocol, INET_DIAG_REQ_PROTOCOL};
  message.protocol = query.protocol;
  if (query.protocol <= UINT8_MAX) message.header.nlmsg_len = offsetof(Request, attribute);
  if (::send(fd_.get(), &message, message.header.nlmsg_len, 0) >= 0) return 0;
  return errno;
}

/// Answers to an earlier request that nobody waited for are passed over.
int SockDiag::receive(Kind kind, uint16_t protocol, const Visit& visit) {
  for (;;) {
    const ssize_t size = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    if (size == 0) return EPIPE;
    int left = static_cast<int>(size);
    for (const auto* reply = reinterpret_cast<const nlmsghdr*>(buffer_.data()); isWhole(reply, left);
         reply = mnl_nlmsg_next(reply, &left)) {
      if (reply->nlmsg_seq != sequence_) continue;
      if ((reply->nlmsg_flags & NLM_F_DUMP_INTR) != 0) return EINTR;
      if (reply->nlmsg_type == NLMSG_DONE) return doneError(*reply);
      if (reply->nlmsg_type == NLMSG_ERROR) return errorOf(reply);
      if (reply->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg))) visit(socketOf(*reply, protocol));
      if (kind == Kind::one) return 0;
    }
  }
}

/// A listing that changed under the kernel's hands, or for which the kernel was too busy, is asked for again.
int SockDiag::exchange(Kind kind, const DiagSocket& socket, const DiagQuery& query, const Visit& visit) {
  for (int restart = 0;; restart += 1) {
    int error = open();
    if (error == 0) error = send(kind, socket, query);
    if (error == 0) error = receive(kind, query.protocol, visit);
    const bool again = error == EINTR || error == EBUSY || error == ENOBUFS;
    // What is left of the broken answer goes with the socket.
    if (error != 0 && error != ENOENT) fd_.reset();
    if (!again || restart == maxRestarts) return error;
  }
}

int SockDiag::list(const DiagQuery& query, const Visit& visit) {
  DiagSocket from;
  from.localPort = query.localPort;
  return exchange(Kind::list, from, query, visit);
}

int SockDiag::lookUp(DiagSocket& socket) {
  const DiagQuery query{.family = socket.family, .protocol = socket.protocol};
  const bool datagram = socket.protocol == IPPROTO_UDP || socket.protocol == IPPROTO_UDPLITE;
  return exchange(Kind::one, datagram ? swapped(socket) : DiagSocket(socket), query, [&](const DiagSocket& found) { socket = found; });
}

int SockDiag::destroy(const DiagSocket& socket) {
  const DiagQuery query{.family = socket.family, .protocol = socket.protocol};
  return exchange(Kind::destroy, socket, query, [](const DiagSocket&) {});
}

}  // namespace bastion
