// SPDX-License-Identifier: GPL-3.0-or-later
// Reads messages of rtnetlink that were spoiled at random, under the sanitizers. Argument: how many. Ends with 0 if what was
// read of each is bounded, and prints how many were read and how many were not.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "../../../native/src/link_message.hpp"

using bastion::LinkChange;
using bastion::LinkMessage;

namespace {

constexpr size_t space = 512;
alignas(nlmsghdr) char sample[space];

const nlmsghdr* makeLink() {
  nlmsghdr* header = mnl_nlmsg_put_header(sample);
  header->nlmsg_type = RTM_NEWLINK;
  auto* head = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
  head->ifi_index = 7;
  head->ifi_type = 1;
  const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
  mnl_attr_put_strz(header, IFLA_IFNAME, "eth0");
  mnl_attr_put(header, IFLA_ADDRESS, sizeof mac, mac);
  mnl_attr_put_u32(header, IFLA_MASTER, 9);
  nlattr* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
  mnl_attr_nest_end(header, info);
  return header;
}

const nlmsghdr* makeAddress(bool six) {
  nlmsghdr* header = mnl_nlmsg_put_header(sample);
  header->nlmsg_type = RTM_NEWADDR;
  auto* head = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg)));
  head->ifa_family = six ? AF_INET6 : AF_INET;
  head->ifa_prefixlen = six ? 64 : 24;
  head->ifa_index = 7;
  const uint8_t bytes[16] = {10, 0, 0, 1};
  mnl_attr_put(header, IFA_ADDRESS, six ? 16 : 4, bytes);
  if (!six) mnl_attr_put(header, IFA_LOCAL, 4, bytes);
  mnl_attr_put_u32(header, IFA_FLAGS, IFA_F_PERMANENT);
  mnl_attr_put_strz(header, IFA_LABEL, "eth0");
  return header;
}

bool isBounded(const LinkChange& change) {
  if (change.link.has_value() == change.address.has_value() || change.index == 0) return false;
  if (change.link) return change.link->name.size() <= 15 && change.link->kind.size() <= 31 && change.link->mac.size() <= 17;
  return change.address->prefix <= (change.address->family == 4 ? 32 : 128) && change.address->label.size() <= 15;
}

}  // namespace

int main(int count, char** arguments) {
  const long wanted = count > 1 ? atol(arguments[1]) : 0;
  std::mt19937 random(7);
  long read = 0;
  long unreadable = 0;
  for (long at = 0; at < wanted; at += 1) {
    const nlmsghdr* whole = at % 3 == 0 ? makeLink() : makeAddress(at % 3 == 1);
    // In memory of exactly its length: one byte too far is found.
    uint32_t length = whole->nlmsg_len;
    if (random() % 4 == 0) length = sizeof(nlmsghdr) + random() % (length - sizeof(nlmsghdr) + 1);
    const std::unique_ptr<char[]> bytes(new char[length]);
    memcpy(bytes.get(), whole, length);
    auto* message = reinterpret_cast<nlmsghdr*>(bytes.get());
    message->nlmsg_len = length;
    for (uint32_t spoiled = random() % 4; spoiled > 0 && length > sizeof(nlmsghdr); spoiled -= 1)
      bytes[sizeof(nlmsghdr) + random() % (length - sizeof(nlmsghdr))] = static_cast<char>(random());
    if (!mnl_nlmsg_ok(message, static_cast<int>(length))) continue;
    LinkChange change;
    const LinkMessage outcome = bastion::readLinkMessage(message, change);
    if (outcome == LinkMessage::change && !isBounded(change)) return 1;
    read += outcome == LinkMessage::change;
    unreadable += outcome == LinkMessage::unreadable;
  }
  printf("%ld read, %ld unreadable\n", read, unreadable);
  return 0;
}
