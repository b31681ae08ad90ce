// SPDX-License-Identifier: GPL-3.0-or-later
// Source: netlink(7), NLM_F_DUMP; Linux Documentation/userspace-api/netlink/intro, "Dump consistency".
#include "link_dump.hpp"

#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "common.hpp"
#include "netlink.hpp"

namespace bastion {

namespace {

/// The kernel answers at once; for one that does not, everything is asked again.
constexpr timeval answerWithin{5, 0};

union Request {
  nlmsghdr header;
  char bytes[NLMSG_SPACE(sizeof(ifinfomsg)) + 16];
};

bool ask(int fd, uint16_t type, uint32_t sequence) {
  Request request{};
  nlmsghdr* header = mnl_nlmsg_put_header(request.bytes);
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  // The statistics are most of what is told of an interface.
  if (type == RTM_GETLINK) {
    mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
    mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  } else {
    mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg));
  }
  return send(fd, request.bytes, header->nlmsg_len, 0) == static_cast<ssize_t>(header->nlmsg_len);
}

struct Answers {
  std::vector<LinkChange>& into;
  uint64_t& unreadable;
  bool interrupted = false;
  bool done = false;
  bool failed = false;
};

void take(const nlmsghdr* message, Answers& answers) {
  if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) answers.interrupted = true;
  if (message->nlmsg_type == NLMSG_DONE) {
    answers.done = true;
    return;
  }
  if (message->nlmsg_type == NLMSG_ERROR) {
    answers.failed = true;
    return;
  }
  LinkChange change;
  const LinkMessage read = readLinkMessage(message, change);
  if (read == LinkMessage::unreadable) answers.unreadable += 1;
  if (read == LinkMessage::change && !change.gone) answers.into.push_back(std::move(change));
}

void receive(int fd, std::vector<char>& buffer, uint32_t sequence, Answers& answers) {
  while (!answers.done && !answers.failed) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(fd, buffer.data(), buffer.size(), MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || static_cast<size_t>(got) > buffer.size()) {
      answers.failed = true;
      return;
    }
    if (from.nl_pid != 0) continue;
    int left = static_cast<int>(got);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; isWhole(message, left) && !answers.done && !answers.failed; message = mnl_nlmsg_next(message, &left))
      if (message->nlmsg_seq == sequence) take(message, answers);
  }
}

}  // namespace

Dump dumpLinks(std::vector<char>& buffer, std::vector<LinkChange>& into, uint64_t& unreadable) {
  // A socket of its own: what is announced meanwhile does not get between, and an answer never fills the other one.
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &answerWithin, sizeof answerWithin) != 0) return Dump::failed;
  Answers answers{into, unreadable};
  uint32_t sequence = 1;
  for (const uint16_t type : {RTM_GETLINK, RTM_GETADDR}) {
    answers.done = false;
    if (!ask(fd.get(), type, sequence)) return Dump::failed;
    receive(fd.get(), buffer, sequence, answers);
    if (answers.failed) return Dump::failed;
    sequence += 1;
  }
  return answers.interrupted ? Dump::interrupted : Dump::whole;
}

}  // namespace bastion
