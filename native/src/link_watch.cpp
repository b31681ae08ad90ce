// SPDX-License-Identifier: GPL-3.0-or-later
#include "link_watch.hpp"

#include <arpa/inet.h>
#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>

#include "link_dump.hpp"
#include "netlink.hpp"

namespace bastion {

namespace {

/// Longer than any message of rtnetlink about one interface.
constexpr size_t bufferBytes = 65'536;
/// Datagrams of one turn, so that a flood is told of while it lasts.
constexpr size_t datagramsInTurn = 4096;
/// Changes that wait to be taken; what was read as a whole may be more.
constexpr size_t waitingLimit = 16'384;
/// A dump that is disturbed is begun again so often at once, then again after the longer time.
constexpr int attempts = 8;
constexpr uint64_t againMs = 20;
constexpr uint64_t laterMs = 1000;

/// Of routes only the default ones: a router's others change thousands of times a second. Classic filters load in network order.
/// Source: struct nlmsghdr, struct rtmsg.
bool takeDefaultRoutesOnly(int fd) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(rtmsg, rtm_dst_len)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof *code, code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

bool tellsRoute(const nlmsghdr* message) { return message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE; }

}  // namespace

LinkWatch::LinkWatch(uint32_t receiveBytes, std::function<void()> notify)
    : receiveBytes_(receiveBytes), notify_(std::move(notify)), buffer_(bufferBytes) {}

LinkWatch::~LinkWatch() { close(); }

bool LinkWatch::subscribe() {
  events_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!events_.valid() || !takeDefaultRoutesOnly(events_.get())) return false;
  const int bytes = static_cast<int>(receiveBytes_);
  // Beyond the machine's limit where that is allowed.
  if (setsockopt(events_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    setsockopt(events_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(events_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE})
    if (setsockopt(events_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) return false;
  return true;
}

std::unique_ptr<LinkWatch> LinkWatch::open(uint32_t receiveBytes, std::function<void()> notify) {
  std::unique_ptr<LinkWatch> watch(new LinkWatch(receiveBytes, std::move(notify)));
  watch->wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!watch->wake_.valid() || !watch->subscribe()) return nullptr;
  watch->resyncAtNs_ = bootNs();
  LinkWatch* self = watch.get();
  const int failed = watch->thread_.start([self] { self->run(); });
  if (failed == 0) return watch;
  // Closing sets it too.
  watch.reset();
  errno = failed;
  return nullptr;
}

void LinkWatch::run() {
  while (!stopping_) {
    // Without a socket its number is negative, and it is passed over.
    pollfd waiting[] = {{wake_.get(), POLLIN, 0}, {events_.get(), POLLIN, 0}};
    const int ready = poll(waiting, 2, waitMs());
    if (stopping_) return;
    // Out of memory.
    if (ready < 0 && errno != EINTR) usleep(againMs * 1000);
    if (ready > 0 && (waiting[0].revents & POLLIN) != 0) {
      eventfd_t woken = 0;
      eventfd_read(wake_.get(), &woken);
      lookAgainIn(0);
    }
    if (ready > 0 && waiting[1].revents != 0) {
      std::vector<LinkChange> changes;
      const Drained drained = drain(changes);
      // What came before a loss did happen, in this order.
      tell(std::move(changes), false);
      if (drained == Drained::failed) reopenLater();
      if (drained == Drained::lost) {
        broken_ = true;
        lookAgainIn(againMs);
      }
    }
    if (resyncAtNs_ != 0 && bootNs() >= resyncAtNs_ && !readAll()) reopenLater();
  }
}

int LinkWatch::waitMs() const {
  if (resyncAtNs_ == 0) return -1;
  const uint64_t now = bootNs();
  return now >= resyncAtNs_ ? 0 : static_cast<int>((resyncAtNs_ - now) / nsPerMs + 1);
}

void LinkWatch::lookAgainIn(uint64_t ms) {
  const uint64_t at = bootNs() + ms * nsPerMs;
  if (resyncAtNs_ == 0 || at < resyncAtNs_) resyncAtNs_ = at;
}

/// The socket has failed, or there is none: another one, and everything read anew, after a pause.
void LinkWatch::reopenLater() {
  events_.reset();
  broken_ = true;
  resyncAtNs_ = bootNs() + laterMs * nsPerMs;
}

/// Takes what the kernel has announced. After a loss nothing more is added: what follows does not follow from what is known.
LinkWatch::Drained LinkWatch::drain(std::vector<LinkChange>& into) {
  bool lost = false;
  for (size_t count = 0; count < datagramsInTurn; count += 1) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(events_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return lost ? Drained::lost : Drained::all;
    if (got < 0 && (errno == ENOBUFS || errno == ENOMEM)) {
      lost = true;
      continue;
    }
    if (got < 0) return Drained::failed;
    // Only the kernel announces; a process with the right to it could send here too.
    if (from.nl_pid != 0) continue;
    int left = static_cast<int>(got);
    if (static_cast<size_t>(got) > buffer_.size()) {
      lost = true;
      continue;
    }
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    for (; isWhole(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (tellsRoute(message)) {
        routesChanged_ = true;
        continue;
      }
      LinkChange change;
      const LinkMessage read = readLinkMessage(message, change);
      if (read == LinkMessage::unreadable) {
        const std::scoped_lock lock(mutex_);
        news_.unreadable += 1;
        lost = true;
      }
      if (read == LinkMessage::change && !lost) into.push_back(std::move(change));
    }
  }
  return lost ? Drained::lost : Drained::more;
}

/// Everything as it is now: a dump, and on top of it what was announced from its beginning to its end, so that the result is
/// what there was when nothing more was announced. False where the socket has failed, or none is to be had.
bool LinkWatch::readAll() {
  {
    const std::scoped_lock lock(mutex_);
    // Taking it wakes this thread.
    if (overfull_) {
      resyncAtNs_ = 0;
      return true;
    }
  }
  resyncAtNs_ = 0;
  if (!events_.valid() && !subscribe()) return false;
  for (int attempt = 1; !stopping_; attempt += 1) {
    std::vector<LinkChange> before;
    std::vector<LinkChange> all;
    uint64_t unreadable = 0;
    if (drain(before) == Drained::failed) return false;
    const Dump dump = dumpLinks(buffer_, all, unreadable);
    if (dump == Dump::failed) {
      // What was announced before it is lost with it.
      broken_ = true;
      lookAgainIn(laterMs);
      return true;
    }
    const Drained drained = drain(all);
    if (drained == Drained::failed) return false;
    const bool last = attempt == attempts;
    if (drained != Drained::all) {
      broken_ = true;
      if (!last) continue;
      lookAgainIn(againMs);
      return true;
    }
    if (dump == Dump::interrupted && !last) continue;
    // Something that did not change may be missing in one that was disturbed to the end.
    if (dump == Dump::interrupted) lookAgainIn(laterMs);
    {
      const std::scoped_lock lock(mutex_);
      news_.unreadable += unreadable;
    }
    tell(std::move(all), true);
    return true;
  }
  return true;
}

void LinkWatch::tell(std::vector<LinkChange>&& changes, bool whole) {
  if (!whole && broken_) changes.clear();
  const bool routes = std::exchange(routesChanged_, false) || whole;
  if (changes.empty() && !routes) return;
  const std::scoped_lock lock(mutex_);
  news_.routes = news_.routes || routes;
  if (whole) {
    broken_ = false;
    news_.whole = true;
    news_.changes = std::move(changes);
    news_.resyncs += 1;
  } else if (news_.changes.size() + changes.size() > waitingLimit) {
    // What waits leads to a state that existed; everything is read anew when somebody has taken it.
    overfull_ = true;
    broken_ = true;
  } else {
    news_.changes.insert(news_.changes.end(), std::make_move_iterator(changes.begin()), std::make_move_iterator(changes.end()));
  }
  if (announced_ || stopping_) return;
  announced_ = true;
  notify_();
}

LinkNews LinkWatch::take() {
  const std::scoped_lock lock(mutex_);
  announced_ = false;
  if (overfull_) {
    overfull_ = false;
    eventfd_write(wake_.get(), 1);
  }
  LinkNews taken = std::move(news_);
  news_ = {};
  news_.resyncs = taken.resyncs;
  news_.unreadable = taken.unreadable;
  return taken;
}

void LinkWatch::close() {
  stopping_ = true;
  if (wake_.valid()) eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

}  // namespace bastion
