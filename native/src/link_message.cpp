// SPDX-License-Identifier: GPL-3.0-or-later
// Source: rtnetlink(7); Linux if_link.h, if_addr.h; rtnl_fill_ifinfo, inet_fill_ifaddr, inet6_fill_ifaddr.
#include "link_message.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace bastion {

namespace {

constexpr size_t macBytes = 6;
constexpr size_t kindBytes = 32;

struct LinkParts {
  LinkFacts facts;
  bool named = false;
  bool wrong = false;
};

struct AddressParts {
  AddressFacts facts;
  size_t bytes = 0;
  bool hasLocal = false;
  bool hasAddress = false;
  bool wrong = false;
};

std::string macText(const nlattr* attribute) {
  if (mnl_attr_get_payload_len(attribute) != macBytes) return "";
  const auto* bytes = static_cast<const uint8_t*>(mnl_attr_get_payload(attribute));
  char text[macBytes * 3];
  snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
  return text;
}

bool isText(const nlattr* attribute, size_t limit) {
  return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 && mnl_attr_get_payload_len(attribute) <= limit;
}

int readLinkInfo(const nlattr* attribute, void* data) {
  auto& parts = *static_cast<LinkParts*>(data);
  if (mnl_attr_get_type(attribute) != IFLA_INFO_KIND) return MNL_CB_OK;
  if (isText(attribute, kindBytes))
    parts.facts.kind = mnl_attr_get_str(attribute);
  else
    parts.wrong = true;
  return MNL_CB_OK;
}

int readLinkPart(const nlattr* attribute, void* data) {
  auto& parts = *static_cast<LinkParts*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
      parts.named = isText(attribute, IFNAMSIZ);
      parts.wrong = parts.wrong || !parts.named;
      if (parts.named) parts.facts.name = mnl_attr_get_str(attribute);
      break;
    case IFLA_ADDRESS: parts.facts.mac = macText(attribute); break;
    case IFLA_MASTER:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
        parts.facts.master = mnl_attr_get_u32(attribute);
      else
        parts.wrong = true;
      break;
    case IFLA_LINKINFO:
      if (mnl_attr_validate(attribute, MNL_TYPE_NESTED) != 0 || mnl_attr_parse_nested(attribute, readLinkInfo, &parts) < 0) parts.wrong = true;
      break;
    default: break;
  }
  return MNL_CB_OK;
}

/// libmnl rounds the length of a message up where it looks for attributes; the kernel's messages are of round length.
bool holds(const nlmsghdr* message, size_t head) {
  return message->nlmsg_len == NLMSG_ALIGN(message->nlmsg_len) && mnl_nlmsg_get_payload_len(message) >= head;
}

LinkMessage readLink(const nlmsghdr* message, LinkChange& change) {
  if (!holds(message, sizeof(ifinfomsg))) return LinkMessage::unreadable;
  const auto* head = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  // A bridge tells of its ports in messages of this type too: one that leaves it is not gone.
  if (head->ifi_family != AF_UNSPEC) return LinkMessage::other;
  if (head->ifi_index <= 0) return LinkMessage::unreadable;
  LinkParts parts;
  if (mnl_attr_parse(message, sizeof(ifinfomsg), readLinkPart, &parts) < 0 || parts.wrong) return LinkMessage::unreadable;
  const bool gone = message->nlmsg_type == RTM_DELLINK;
  // Wireless drivers tell of their own affairs in messages without a name.
  if (!gone && !parts.named) return LinkMessage::other;
  parts.facts.flags = head->ifi_flags;
  parts.facts.type = head->ifi_type;
  change.gone = gone;
  change.index = static_cast<uint32_t>(head->ifi_index);
  change.link = std::move(parts.facts);
  return LinkMessage::change;
}

void copyAddress(const nlattr* attribute, AddressParts& parts, std::array<uint8_t, 16>& into, bool& has) {
  has = mnl_attr_get_payload_len(attribute) == parts.bytes;
  if (has)
    memcpy(into.data(), mnl_attr_get_payload(attribute), parts.bytes);
  else
    parts.wrong = true;
}

int readAddressPart(const nlattr* attribute, void* data) {
  auto& parts = *static_cast<AddressParts*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case IFA_LOCAL: copyAddress(attribute, parts, parts.facts.address, parts.hasLocal); break;
    case IFA_ADDRESS: copyAddress(attribute, parts, parts.facts.peer, parts.hasAddress); break;
    case IFA_FLAGS:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
        parts.facts.flags = mnl_attr_get_u32(attribute);
      else
        parts.wrong = true;
      break;
    case IFA_LABEL:
      if (isText(attribute, IFNAMSIZ)) parts.facts.label = mnl_attr_get_str(attribute);
      break;
    default: break;
  }
  return MNL_CB_OK;
}

LinkMessage readAddress(const nlmsghdr* message, LinkChange& change) {
  if (!holds(message, sizeof(ifaddrmsg))) return LinkMessage::unreadable;
  const auto* head = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  if (head->ifa_family != AF_INET && head->ifa_family != AF_INET6) return LinkMessage::other;
  AddressParts parts;
  parts.bytes = head->ifa_family == AF_INET ? 4 : 16;
  parts.facts.family = head->ifa_family == AF_INET ? 4 : 6;
  parts.facts.prefix = head->ifa_prefixlen;
  parts.facts.scope = head->ifa_scope;
  parts.facts.flags = head->ifa_flags;
  if (mnl_attr_parse(message, sizeof(ifaddrmsg), readAddressPart, &parts) < 0 || parts.wrong) return LinkMessage::unreadable;
  if (head->ifa_index == 0 || head->ifa_prefixlen > parts.bytes * 8 || (!parts.hasLocal && !parts.hasAddress)) return LinkMessage::unreadable;
  // With a peer IFA_LOCAL is ours and IFA_ADDRESS the other end; IPv6 gives IFA_LOCAL only then.
  if (!parts.hasLocal) parts.facts.address = parts.facts.peer;
  if (!parts.hasAddress) parts.facts.peer = parts.facts.address;
  change.gone = message->nlmsg_type == RTM_DELADDR;
  change.index = head->ifa_index;
  change.address = std::move(parts.facts);
  return LinkMessage::change;
}

}  // namespace

LinkMessage readLinkMessage(const nlmsghdr* message, LinkChange& change) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: return readLink(message, change);
    case RTM_NEWADDR:
    case RTM_DELADDR: return readAddress(message, change);
    default: return LinkMessage::other;
  }
}

}  // namespace bastion
