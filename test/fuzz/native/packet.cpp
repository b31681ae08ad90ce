// SPDX-License-Identifier: GPL-3.0-or-later
// IP packets with their extension headers. The addon's reader and the BPF programs' have to say the same of each.
#include "../../../native/src/packet.hpp"
#include "target.hpp"

extern "C" int readPacketInKernel(const uint8_t* bytes, size_t size, bastion_tuple* tuple);

using bastion::ParsedPacket;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bastion_tuple tuple{};
  const int offset = readPacketInKernel(data, size, &tuple);
  const std::optional<ParsedPacket> packet = bastion::parsePacket({data, size});
  require(packet.has_value() == (offset >= 0));
  if (!packet) return 0;
  require(memcmp(&packet->tuple, &tuple, sizeof tuple) == 0);
  const uint8_t family = tuple.destination.family;
  require(family == 4 || family == 6);
  if (!packet->payload.empty()) require(packet->payload.data() >= data && packet->payload.data() + packet->payload.size() == data + size);
  const std::string text = bastion::addressText(family, tuple.destination.address);
  uint8_t again[16];
  require(bastion::parseAddress(family, text, again) && memcmp(again, tuple.destination.address, sizeof again) == 0);
  return 0;
}
