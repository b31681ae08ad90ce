// SPDX-License-Identifier: GPL-3.0-or-later
#include "netfilter_watch.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "legacy_tables.hpp"
#include "netlink.hpp"

namespace bastion {

namespace {

constexpr int legacyEveryMs = 25;
/// More at a time are "somebody".
constexpr size_t changersLimit = 16;
constexpr uint16_t newGeneration = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;

/// One commit is announced object by object, then as a new generation: the last is enough, and a flood of the others must
/// not fill the socket. Classic filters load in network order. Source: struct nlmsghdr, nf_tables_commit.
bool takeGenerationsOnly(int fd) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(newGeneration), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof *code, code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

int readChanger(const nlattr* attribute, void* data) {
  auto& changer = *static_cast<NetfilterChanger*>(data);
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type == NFTA_GEN_PROC_PID && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
    changer.pid = ntohl(mnl_attr_get_u32(attribute));
  else if (type == NFTA_GEN_PROC_NAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
    changer.command = mnl_attr_get_str(attribute);
  return MNL_CB_OK;
}

}  // namespace

NetfilterWatch::NetfilterWatch(std::function<void()> notify) : notify_(std::move(notify)) {}

NetfilterWatch::~NetfilterWatch() { close(); }

bool NetfilterWatch::openNetlink() {
  netlink_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!netlink_.valid() || !takeGenerationsOnly(netlink_.get())) return false;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  const int group = NFNLGRP_NFTABLES;
  return bind(netlink_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         setsockopt(netlink_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0;
}

std::unique_ptr<NetfilterWatch> NetfilterWatch::open(bool legacy, std::function<void()> notify) {
  std::unique_ptr<NetfilterWatch> watch(new NetfilterWatch(std::move(notify)));
  watch->wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!watch->wake_.valid()) return nullptr;
  if (legacy) {
    watch->legacy_ = std::make_unique<LegacyTables>();
    if (!watch->legacy_->open()) return nullptr;
    watch->legacy_->changed();
  } else if (!watch->openNetlink()) {
    return nullptr;
  }
  NetfilterWatch* self = watch.get();
  const int failed = watch->thread_.start([self] { self->run(); });
  if (failed == 0) return watch;
  // Closing sets it too.
  watch.reset();
  errno = failed;
  return nullptr;
}

void NetfilterWatch::run() {
  pollfd waiting[] = {{wake_.get(), POLLIN, 0}, {netlink_.get(), POLLIN, 0}};
  while (!stopping_) {
    const int ready = poll(waiting, 2, legacy_ ? legacyEveryMs : -1);
    if (stopping_ || (ready < 0 && errno != EINTR)) return;
    if (ready > 0 && (waiting[1].revents & (POLLIN | POLLERR)) != 0) receive();
    if (legacy_ && legacy_->changed()) add(std::nullopt);
  }
}

void NetfilterWatch::receive() {
  alignas(nlmsghdr) char buffer[8192];
  while (true) {
    sockaddr_nl from{};
    iovec data{buffer, sizeof buffer};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    const ssize_t got = recvmsg(netlink_.get(), &message, 0);
    if (got < 0 && errno == EINTR) continue;
    // The kernel could not queue an announcement: somebody changed something.
    if (got < 0 && errno == ENOBUFS) {
      add(std::nullopt);
      continue;
    }
    if (got <= 0) return;
    // Only the kernel announces; a process with the right to it could send here too.
    if (from.nl_pid != 0) continue;
    NetfilterChanger changer;
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
    if (!isWhole(header, static_cast<int>(got)) || header->nlmsg_type != newGeneration) continue;
    mnl_attr_parse(header, sizeof(nfgenmsg), readChanger, &changer);
    if (changer.command.empty())
      add(std::nullopt);
    else
      add(std::move(changer));
  }
}

void NetfilterWatch::add(std::optional<NetfilterChanger> changer) {
  const std::scoped_lock lock(mutex_);
  auto& by = changes_.by;
  if (!changer)
    changes_.unnamed = true;
  else if (std::find(by.begin(), by.end(), *changer) == by.end()) {
    if (by.size() < changersLimit)
      by.push_back(std::move(*changer));
    else
      changes_.unnamed = true;
  }
  if (announced_ || stopping_) return;
  announced_ = true;
  notify_();
}

NetfilterChanges NetfilterWatch::take() {
  const std::scoped_lock lock(mutex_);
  announced_ = false;
  return std::exchange(changes_, {});
}

void NetfilterWatch::close() {
  stopping_ = true;
  if (wake_.valid()) eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

}  // namespace bastion
