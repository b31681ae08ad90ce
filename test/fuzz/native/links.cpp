// SPDX-License-Identifier: GPL-3.0-or-later
// Datagrams of rtnetlink, read message by message as the watch does.
#include <libmnl/libmnl.h>

#include "../../../native/src/link_message.hpp"
#include "../../../native/src/netlink.hpp"
#include "target.hpp"

using bastion::LinkChange;
using bastion::LinkMessage;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int left = static_cast<int>(size);
  const auto* message = reinterpret_cast<const nlmsghdr*>(data);
  for (; bastion::isWhole(message, left); message = mnl_nlmsg_next(message, &left)) {
    LinkChange change;
    if (bastion::readLinkMessage(message, change) != LinkMessage::change) continue;
    require(change.link.has_value() != change.address.has_value() && change.index != 0);
    if (change.link) require(change.link->name.size() <= 15 && change.link->kind.size() <= 31 && change.link->mac.size() <= 17);
    if (change.address) require(change.address->prefix <= (change.address->family == 4 ? 32 : 128) && change.address->label.size() <= 15);
  }
  return 0;
}
