// SPDX-License-Identifier: GPL-3.0-or-later
// Source: include/uapi/linux/netfilter/nfnetlink_queue.h, net/netfilter/nfnetlink_queue.c.
#include "queue_socket.hpp"

#include <arpa/inet.h>
#include <cinttypes>
#include <cstdio>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/socket.h>

#include "netlink.hpp"

namespace bastion {

namespace {

// Headers with all extension headers that are followed, and the 512 bytes of a classic DNS message.
constexpr uint32_t copyBytes = 768;
// A packet's netlink message: the bytes above and about 200 of attributes.
constexpr size_t messageBytes = 4096;
constexpr unsigned batchMessages = 32;
// What a full queue of this copy size can need: an overrun loses packets, so room is cheaper than care.
constexpr int receiveBufferBytes = 32 << 20;
constexpr uint32_t parametersSequence = 0xba5710;

std::string takenText(uint16_t number) {
  QueueStatus status;
  std::string text = "queue " + std::to_string(number) + " belongs to another process";
  if (readQueueStatus(number, status)) text += " (netlink port " + std::to_string(status.portId) + ")";
  return text;
}

bool fillPacket(const nlmsghdr* message, QueuedPacket& packet) {
  nlattr* attributes[NFQA_MAX + 1] = {};
  if (nfq_nlmsg_parse(message, attributes) < 0 || attributes[NFQA_PACKET_HDR] == nullptr) return false;
  const auto* header = static_cast<const nfqnl_msg_packet_hdr*>(mnl_attr_get_payload(attributes[NFQA_PACKET_HDR]));
  const auto number = [&attributes](int type, uint32_t otherwise) {
    return attributes[type] == nullptr ? otherwise : ntohl(mnl_attr_get_u32(attributes[type]));
  };
  packet.id = ntohl(header->packet_id);
  packet.mark = number(NFQA_MARK, 0);
  packet.forwarded = header->hook == NF_INET_FORWARD;
  packet.interfaceIndex = number(packet.forwarded ? NFQA_IFINDEX_INDEV : NFQA_IFINDEX_OUTDEV, 0);
  packet.uid = number(NFQA_UID, noUid);
  if (attributes[NFQA_PAYLOAD] != nullptr) {
    packet.data = static_cast<const uint8_t*>(mnl_attr_get_payload(attributes[NFQA_PAYLOAD]));
    packet.size = mnl_attr_get_payload_len(attributes[NFQA_PAYLOAD]);
  }
  packet.length = number(NFQA_CAP_LEN, packet.size);
  return true;
}

}  // namespace

void VerdictBatch::add(int fd, uint16_t queue, uint32_t id, bool accept, bool setMark, uint32_t mark) {
  if (used_ + messageBytes > capacityBytes) send(fd);
  nlmsghdr* message = nfq_nlmsg_put(&buffer_[used_], NFQNL_MSG_VERDICT, queue);
  nfq_nlmsg_verdict_put(message, static_cast<int>(id), accept ? NF_ACCEPT : NF_DROP);
  if (setMark) nfq_nlmsg_verdict_put_mark(message, mark);
  used_ += MNL_ALIGN(message->nlmsg_len);
}

void VerdictBatch::send(int fd) {
  if (used_ == 0) return;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  // A failure shows as a failed socket at the next receive; the kernel drops what stays undecided when it closes.
  while (sendto(fd, buffer_.data(), used_, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0 && errno == EINTR) {
  }
  used_ = 0;
}

QueueSocket::QueueSocket(uint16_t number, uint32_t maxLength)
    : number_(number), maxLength_(maxLength), buffer_(messageBytes * batchMessages) {}

bool QueueSocket::acknowledged(int fd, const char* message, QueueError& error, const char* what) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(message);
  const auto fail = [&error, what](int code) {
    error = {code, std::string(what) + ": " + errorText(code)};
    return false;
  };
  if (::send(fd, message, header->nlmsg_len, 0) < 0) return fail(errno);
  for (;;) {
    const ssize_t size = recv(fd, buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(nlmsgerr))) return fail(size < 0 ? errno : EPROTO);
    const auto* reply = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    if (reply->nlmsg_type != NLMSG_ERROR) continue;
    const auto* result = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(reply));
    return result->error == 0 || fail(-result->error);
  }
}

bool QueueSocket::configure(int fd, QueueError& error) {
  alignas(nlmsghdr) char buffer[256];
  const auto begin = [this, &buffer] {
    nlmsghdr* message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number_);
    message->nlmsg_flags |= NLM_F_ACK;
    return message;
  };
  nfq_nlmsg_cfg_put_cmd(begin(), AF_UNSPEC, NFQNL_CFG_CMD_BIND);
  if (!acknowledged(fd, buffer, error, "cannot bind the packet queue")) {
    // The kernel says EPERM for a queue of another socket, EBUSY for one of our own; EPERM is a lack of rights as well.
    QueueStatus status;
    if (error.code == EBUSY || (error.code == EPERM && readQueueStatus(number_, status))) error = {EBUSY, takenText(number_)};
    return false;
  }
  nfq_nlmsg_cfg_put_qmaxlen(begin(), maxLength_);
  if (!acknowledged(fd, buffer, error, "cannot set the queue's length")) return false;
  nlmsghdr* flags = begin();
  mnl_attr_put_u32(flags, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_UID_GID));
  mnl_attr_put_u32(flags, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_UID_GID | NFQA_CFG_F_FAIL_OPEN));
  if (!acknowledged(fd, buffer, error, "cannot set the queue's flags")) return false;
  // Packets come from here on, so no answer is waited for: it could only be read past the first of them.
  nlmsghdr* parameters = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number_);
  parameters->nlmsg_seq = parametersSequence;
  nfq_nlmsg_cfg_put_params(parameters, NFQNL_COPY_PACKET, copyBytes);
  if (::send(fd, buffer, parameters->nlmsg_len, 0) >= 0) return true;
  error = {errno, "cannot set the queue's copy mode: " + errorText(errno)};
  return false;
}

bool QueueSocket::open(QueueError& error) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) < 0) {
    error = {errno, "cannot open a netfilter socket: " + errorText(errno)};
    return false;
  }
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receiveBufferBytes, sizeof receiveBufferBytes) < 0)
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receiveBufferBytes, sizeof receiveBufferBytes);
  if (!configure(fd.get(), error)) return false;
  fd_ = std::move(fd);
  return true;
}

bool QueueSocket::healthy() const {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  return getsockopt(fd_.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_NETFILTER;
}

uint32_t QueueSocket::portId() const {
  sockaddr_nl local{};
  socklen_t size = sizeof local;
  if (!fd_.valid() || getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&local), &size) < 0) return 0;
  return local.nl_family == AF_NETLINK ? local.nl_pid : 0;
}

bool QueueSocket::parseMessages(const char* data, size_t size, std::vector<QueuedPacket>& packets) {
  int left = static_cast<int>(size);
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(data); isWhole(message, left);
       message = mnl_nlmsg_next(message, &left)) {
    if (message->nlmsg_type == NLMSG_ERROR) {
      const int error = errorOf(message);
      if (message->nlmsg_seq == parametersSequence && error != 0) {
        lastError_ = error;
        return false;
      }
      continue;
    }
    QueuedPacket packet;
    if (message->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) && fillPacket(message, packet))
      packets.push_back(packet);
  }
  return true;
}

QueueSocket::Read QueueSocket::receive(std::vector<QueuedPacket>& packets, bool& drained) {
  mmsghdr messages[batchMessages] = {};
  iovec parts[batchMessages];
  for (unsigned i = 0; i < batchMessages; i += 1) {
    parts[i] = {&buffer_[i * messageBytes], messageBytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  packets.clear();
  const int count = recvmmsg(fd_.get(), messages, batchMessages, MSG_DONTWAIT, nullptr);
  drained = count < static_cast<int>(batchMessages);
  if (count < 0) {
    lastError_ = errno;
    drained = errno == EAGAIN;
    if (errno == EAGAIN || errno == EINTR) return Read::empty;
    return errno == ENOBUFS || errno == ENOMEM ? Read::overrun : Read::failed;
  }
  for (int i = 0; i < count; i += 1) {
    if (!parseMessages(&buffer_[static_cast<size_t>(i) * messageBytes], messages[i].msg_len, packets)) return Read::failed;
  }
  return Read::packets;
}

bool readQueueStatus(uint16_t number, QueueStatus& status) {
  FILE* file = fopen("/proc/net/netfilter/nfnetlink_queue", "re");
  if (file == nullptr) return false;
  unsigned queue = 0;
  bool found = false;
  while (!found && fscanf(file, "%u %" SCNu32 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64 " %*u %*u", &queue, &status.portId,
                          &status.length, &status.dropped, &status.userDropped) == 5)
    found = queue == number;
  fclose(file);
  return found;
}

}  // namespace bastion
