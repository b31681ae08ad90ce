// SPDX-License-Identifier: GPL-3.0-or-later
// What one message of rtnetlink says of an interface or an address.
#pragma once

#include <array>
#include <optional>
#include <string>

#include <linux/netlink.h>

#include "common.hpp"

namespace bastion {

/// One interface.
struct LinkFacts {
  std::string name;
  /// IFF_*, ARPHRD_* as the kernel has them.
  uint32_t flags = 0;
  uint16_t type = 0;
  /// Such as `veth`; '' for a device of hardware.
  std::string kind;
  /// Six bytes with colons; '' for none and for addresses of another form.
  std::string mac;
  /// Index of the bridge or bond that it belongs to; 0 for none.
  uint32_t master = 0;
};

/// One address of an interface.
struct AddressFacts {
  /// 4 or 6.
  uint8_t family = 4;
  uint8_t prefix = 0;
  /// RT_SCOPE_*.
  uint8_t scope = 0;
  /// IFA_F_*.
  uint32_t flags = 0;
  std::array<uint8_t, 16> address{};
  /// The other end; the address itself where there is none.
  std::array<uint8_t, 16> peer{};
  std::string label;
};

struct LinkChange {
  bool gone = false;
  uint32_t index = 0;
  /// One of the two.
  std::optional<LinkFacts> link;
  std::optional<AddressFacts> address;
};

enum class LinkMessage { change, other, unreadable };

/// `message` has to lie within the bytes that were received. `other`: it says nothing of links or addresses.
LinkMessage readLinkMessage(const nlmsghdr* message, LinkChange& change);

}  // namespace bastion
