// SPDX-License-Identifier: GPL-3.0-or-later
// The NFQUEUE end of a netlink socket: configuration, packets in, verdicts out.
#pragma once

#include <vector>

#include "common.hpp"

namespace bastion {

struct QueuedPacket {
  uint32_t id = 0;
  uint32_t mark = 0;
  /// Where it goes to; for a forwarded packet, where it came from.
  uint32_t interfaceIndex = 0;
  /// Of the socket; `noUid` for a packet without one.
  uint32_t uid = 0;
  /// Length of the IP datagram, also where fewer bytes were copied.
  uint32_t length = 0;
  const uint8_t* data = nullptr;
  uint32_t size = 0;
  /// Seen in netfilter's FORWARD: no socket of this namespace is behind it.
  bool forwarded = false;
};

/// Verdicts that leave in as few messages to the kernel as possible. One batch belongs to one thread at a time.
class VerdictBatch {
 public:
  VerdictBatch() : buffer_(capacityBytes) {}
  /// `mark` is the packet's new mark, 0 with `drop` and wherever it did not change.
  void add(int fd, uint16_t queue, uint32_t id, bool accept, bool setMark, uint32_t mark);
  void send(int fd);
  /// Forgets what was not sent: the packets' queue is gone.
  void clear() { used_ = 0; }

 private:
  static constexpr size_t capacityBytes = 16384;
  static constexpr size_t messageBytes = 64;
  std::vector<char> buffer_;
  size_t used_ = 0;
};

struct QueueError {
  /// errno; EBUSY for a queue that another process has.
  int code = 0;
  std::string text;
};

class QueueSocket {
 public:
  enum class Read { packets, empty, overrun, failed };

  QueueSocket(uint16_t number, uint32_t maxLength);

  bool open(QueueError& error);
  void close() { fd_.reset(); }
  bool isOpen() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  /// Is the descriptor still a working socket?
  bool healthy() const;
  /// Its netlink port, by which the kernel names who has a queue; 0 while it is closed.
  uint32_t portId() const;
  /// Never waits. The packets' data lives until the next call. `drained`: the socket was found empty.
  Read receive(std::vector<QueuedPacket>& packets, bool& drained);
  int lastError() const { return lastError_; }

 private:
  bool configure(int fd, QueueError& error);
  bool acknowledged(int fd, const char* message, QueueError& error, const char* what);
  bool parseMessages(const char* data, size_t size, std::vector<QueuedPacket>& packets);

  uint16_t number_;
  uint32_t maxLength_;
  UniqueFd fd_;
  std::vector<char> buffer_;
  int lastError_ = 0;
};

/// What /proc/net/netfilter/nfnetlink_queue says of one queue; false where it is not there.
struct QueueStatus {
  uint32_t portId = 0;
  uint64_t length = 0;
  uint64_t dropped = 0;
  uint64_t userDropped = 0;
};
bool readQueueStatus(uint16_t number, QueueStatus& status);

}  // namespace bastion
