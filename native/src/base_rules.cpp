// SPDX-License-Identifier: GPL-3.0-or-later
// Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h; net/netfilter/nfnetlink.c, nfnetlink_rcv_batch().
#include "base_rules.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "common.hpp"
#include "netlink.hpp"

namespace bastion {

namespace {

/// Also in helper/adapters/netfilter/boot-rules.ts, which makes it.
constexpr char tableName[] = "bastion_boot";
constexpr uint32_t lookSequence = 1;
constexpr uint32_t deleteSequence = 3;

nlmsghdr* put(char* at, uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family, uint16_t resource) {
  nlmsghdr* message = mnl_nlmsg_put_header(at);
  message->nlmsg_type = type;
  message->nlmsg_flags = flags;
  message->nlmsg_seq = sequence;
  auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  general->nfgen_family = family;
  general->version = NFNETLINK_V0;
  general->res_id = htons(resource);
  return message;
}

size_t putAboutTable(char* at, uint16_t what, uint32_t sequence) {
  const uint16_t type = NFNL_SUBSYS_NFTABLES << 8 | what;
  nlmsghdr* message = put(at, type, NLM_F_REQUEST | NLM_F_ACK, sequence, NFPROTO_INET, 0);
  mnl_attr_put_strz(message, NFTA_TABLE_NAME, tableName);
  return MNL_ALIGN(message->nlmsg_len);
}

size_t putBatch(char* buffer) {
  char* at = buffer;
  at += put(at, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, deleteSequence - 1, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
  at += putAboutTable(at, NFT_MSG_DELTABLE, deleteSequence);
  at += put(at, NFNL_MSG_BATCH_END, NLM_F_REQUEST, deleteSequence + 1, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
  return static_cast<size_t>(at - buffer);
}

/// The first error of any message, 0 for the acknowledgement of `sequence`, ETIMEDOUT for no answer. The kernel works on
/// messages while they are sent: every answer is there already.
int readAnswer(int fd, uint32_t sequence) {
  alignas(nlmsghdr) char buffer[8192];
  while (true) {
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    int left = static_cast<int>(got);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer); isWhole(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      const int error = errorOf(message);
      if (error != 0 || message->nlmsg_seq == sequence) return error;
    }
  }
}

int ask(int fd, const char* buffer, size_t size, uint32_t sequence) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  while (sendto(fd, buffer, size, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0) {
    if (errno != EINTR) return errno;
  }
  return readAnswer(fd, sequence);
}

}  // namespace

BaseRules removeBaseRules(std::string& why) {
  const auto fail = [&why](int code) {
    why = errorText(code);
    return BaseRules::failed;
  };
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd.valid()) return errno == EPROTONOSUPPORT ? BaseRules::absent : fail(errno);
  alignas(nlmsghdr) char buffer[256] = {};
  // A look first: a batch that fails waits for every processor once, and this is called again and again.
  int code = ask(fd.get(), buffer, putAboutTable(buffer, NFT_MSG_GETTABLE, lookSequence), lookSequence);
  // A kernel without nf_tables has no such table either.
  if (code == ENOENT || code == EOPNOTSUPP || code == EINVAL) return BaseRules::absent;
  if (code != 0) return fail(code);
  memset(buffer, 0, sizeof buffer);
  code = ask(fd.get(), buffer, putBatch(buffer), deleteSequence);
  if (code == 0) return BaseRules::removed;
  return code == ENOENT ? BaseRules::absent : fail(code);
}

}  // namespace bastion
