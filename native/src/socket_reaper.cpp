// SPDX-License-Identifier: GPL-3.0-or-later
#include "socket_reaper.hpp"

#include <netinet/in.h>
#include <pthread.h>

#include "sock_diag.hpp"

namespace bastion {

namespace {

/// Source: include/net/tcp_states.h; of a UDP socket it says that it is connected.
constexpr uint8_t stateEstablished = 1;

void fillAddresses(DiagSocket& socket, const bastion_tuple& tuple, bool mapped) {
  const auto fill = [mapped](uint8_t* to, const uint8_t* from) {
    if (!mapped) {
      memcpy(to, from, 16);
      return;
    }
    memcpy(to, mappedPrefix, sizeof mappedPrefix);
    memcpy(to + sizeof mappedPrefix, from, 4);
  };
  fill(socket.local, tuple.source);
  fill(socket.remote, tuple.destination.address);
}

/// False where no such socket is. A packet of IPv4 may be that of an IPv6 socket.
bool end(SockDiag& diag, const bastion_tuple& tuple, uint64_t cookie, bool mapped) {
  DiagSocket socket;
  socket.family = mapped ? 6 : tuple.destination.family;
  socket.protocol = tuple.destination.protocol;
  socket.localPort = tuple.source_port;
  socket.remotePort = tuple.destination.port;
  socket.cookie = cookie;
  fillAddresses(socket, tuple, mapped);
  if (diag.lookUp(socket) != 0 || socket.cookie != cookie) return false;
  if (socket.protocol == IPPROTO_UDP && (socket.state != stateEstablished || socket.remotePort != tuple.destination.port)) return false;
  return diag.destroy(socket) == 0;
}

}  // namespace

SocketReaper::SocketReaper() : thread_([this] { run(); }) {}

SocketReaper::~SocketReaper() { stop(); }

void SocketReaper::submit(const bastion_tuple& tuple, uint64_t cookie) {
  const uint8_t protocol = tuple.destination.protocol;
  if (cookie == 0 || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)) return;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    if (jobs_.size() >= maxJobs) {
      counters_.left += 1;
      return;
    }
    jobs_.push_back({tuple, cookie});
  }
  wake_.notify_one();
}

ReaperCounters SocketReaper::counters() const {
  const std::scoped_lock lock(mutex_);
  return counters_;
}

void SocketReaper::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void SocketReaper::run() {
  pthread_setname_np(pthread_self(), "bastion-reaper");
  SockDiag diag;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = jobs_.front();
    jobs_.pop_front();
    lock.unlock();
    const bool ended = end(diag, job.tuple, job.cookie, false) || (job.tuple.destination.family == 4 && end(diag, job.tuple, job.cookie, true));
    lock.lock();
    (ended ? counters_.ended : counters_.failed) += 1;
  }
}

}  // namespace bastion
