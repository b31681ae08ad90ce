// SPDX-License-Identifier: GPL-3.0-or-later
// Messages of NFQUEUE, the packets in them, and the queue's line in /proc.
#include <cstdio>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include "target.hpp"

static const uint8_t* fileBytes = nullptr;
static size_t fileSize = 0;
static volatile uint8_t lastSum = 0;
static FILE* openInput(const char*, const char*) { return fmemopen(const_cast<uint8_t*>(fileBytes), fileSize, "r"); }

#define fopen openInput
#include "../../../native/src/queue_socket.cpp"
#undef fopen

#include "../../../native/src/packet.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static bastion::QueueSocket queue(1, 1024);
  std::vector<bastion::QueuedPacket> packets;
  const Padded padded(data, size);
  queue.parseMessages(padded.get(), size, packets);
  require(packets.size() <= size / sizeof(nlmsghdr));
  for (const auto& packet : packets) {
    require(packet.size <= size && (packet.data != nullptr || packet.size == 0));
    // Every byte that is said to be there is looked at.
    uint8_t sum = 0;
    for (uint32_t at = 0; at < packet.size; at += 1) sum = static_cast<uint8_t>(sum + packet.data[at]);
    lastSum = sum;
    if (packet.data != nullptr) bastion::parsePacket({packet.data, packet.size});
  }
  fileBytes = data;
  fileSize = size;
  bastion::QueueStatus status;
  bastion::readQueueStatus(1, status);
  return 0;
}
