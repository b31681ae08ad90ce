// SPDX-License-Identifier: GPL-3.0-or-later
// One packet's tuple, by the same rules as native/bpf/packet.h.
#pragma once

#include <optional>
#include <span>

#include "common.hpp"

namespace bastion {

struct ParsedPacket {
  bastion_tuple tuple{};
  /// UDP payload as far as it was copied; empty for everything else.
  std::span<const uint8_t> payload;
};

/// Nothing for a packet without a sound tuple: too short, a later fragment, too many extension headers.
std::optional<ParsedPacket> parsePacket(std::span<const uint8_t> bytes);

/// Canonical text (RFC 5952 for IPv6).
std::string addressText(uint8_t family, const uint8_t* address);

/// Fills 16 bytes; false if the text is not an address of this family.
bool parseAddress(uint8_t family, const std::string& text, uint8_t* address);

}  // namespace bastion
