// SPDX-License-Identifier: GPL-3.0-or-later
// Source: RFC 791 3.1, RFC 8200 4, RFC 792, RFC 4443 2.1, RFC 4302 2.2.
#include "packet.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace bastion {

namespace {

constexpr int maxExtensionHeaders = 6;
constexpr uint16_t fragmentOffsetV4 = 0x1fff;
constexpr uint16_t fragmentOffsetV6 = 0xfff8;
constexpr size_t headerV6 = 40;
constexpr size_t headerUdp = 8;
constexpr uint8_t protocolDccp = 33;

using Bytes = std::span<const uint8_t>;

uint16_t wordAt(Bytes bytes, size_t offset) {
  return static_cast<uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

bool hasPorts(uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == IPPROTO_SCTP ||
         protocol == protocolDccp;
}

bool isEcho(uint8_t protocol, uint8_t type) {
  return protocol == IPPROTO_ICMP ? type == 8 || type == 0 : type == 128 || type == 129;
}

std::optional<size_t> readV4(Bytes bytes, bastion_tuple& tuple) {
  if (bytes.size() < 20) return std::nullopt;
  const size_t length = static_cast<size_t>(bytes[0] & 15) * 4;
  if (length < 20 || (wordAt(bytes, 6) & fragmentOffsetV4) != 0) return std::nullopt;
  tuple.destination.family = 4;
  tuple.destination.protocol = bytes[9];
  memcpy(tuple.source, &bytes[12], 4);
  memcpy(tuple.destination.address, &bytes[16], 4);
  return length;
}

bool isExtension(uint8_t protocol) {
  return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
         protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

std::optional<size_t> readV6(Bytes bytes, bastion_tuple& tuple) {
  if (bytes.size() < headerV6) return std::nullopt;
  tuple.destination.family = 6;
  memcpy(tuple.source, &bytes[8], 16);
  memcpy(tuple.destination.address, &bytes[24], 16);
  uint8_t next = bytes[6];
  size_t offset = headerV6;
  for (int headers = 0; isExtension(next); headers += 1) {
    if (headers == maxExtensionHeaders || bytes.size() < offset + 4) return std::nullopt;
    const uint8_t lengthField = bytes[offset + 1];
    size_t length = (static_cast<size_t>(lengthField) + 1) * 8;
    if (next == IPPROTO_AH) length = (static_cast<size_t>(lengthField) + 2) * 4;
    if (next == IPPROTO_FRAGMENT) {
      if ((wordAt(bytes, offset + 2) & fragmentOffsetV6) != 0) return std::nullopt;
      length = 8;
    }
    next = bytes[offset];
    offset += length;
  }
  tuple.destination.protocol = next;
  return offset;
}

bool readTransport(Bytes bytes, ParsedPacket& packet) {
  bastion_tuple& tuple = packet.tuple;
  const uint8_t protocol = tuple.destination.protocol;
  if (hasPorts(protocol)) {
    if (bytes.size() < 4) return false;
    memcpy(&tuple.source_port, &bytes[0], 2);
    memcpy(&tuple.destination.port, &bytes[2], 2);
    if (protocol == IPPROTO_UDP && bytes.size() > headerUdp) packet.payload = bytes.subspan(headerUdp);
  } else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
    if (bytes.size() < 6) return false;
    tuple.destination.port = htons(bytes[0]);
    if (isEcho(protocol, bytes[0])) memcpy(&tuple.source_port, &bytes[4], 2);
  }
  return true;
}

}  // namespace

std::optional<ParsedPacket> parsePacket(Bytes bytes) {
  if (bytes.empty()) return std::nullopt;
  ParsedPacket packet;
  const int version = bytes[0] >> 4;
  std::optional<size_t> offset;
  if (version == 4) offset = readV4(bytes, packet.tuple);
  if (version == 6) offset = readV6(bytes, packet.tuple);
  if (!offset) return std::nullopt;
  const Bytes rest = *offset <= bytes.size() ? bytes.subspan(*offset) : Bytes{};
  if (!readTransport(rest, packet)) return std::nullopt;
  return packet;
}

std::string addressText(uint8_t family, const uint8_t* address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family == 4 ? AF_INET : AF_INET6, address, text, sizeof text) == nullptr ? "" : text;
}

bool parseAddress(uint8_t family, const std::string& text, uint8_t* address) {
  memset(address, 0, 16);
  return inet_pton(family == 4 ? AF_INET : AF_INET6, text.c_str(), address) == 1;
}

}  // namespace bastion
