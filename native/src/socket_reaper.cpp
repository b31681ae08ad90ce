// SPDX-License-Identifier: GPL-3.0-or-later
#include "socket_reaper.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <pthread.h>

namespace bastion {

namespace {

/// Source: include/net/tcp_states.h; of a UDP socket the first says that it is connected.
constexpr uint8_t stateEstablished = 1;
constexpr uint8_t stateListen = 10;

DiagSocket socketOf(const bastion_tuple& tuple, uint64_t cookie) {
  DiagSocket socket;
  socket.family = tuple.destination.family;
  socket.protocol = tuple.destination.protocol;
  socket.localPort = tuple.source_port;
  socket.remotePort = tuple.destination.port;
  memcpy(socket.local, tuple.source, sizeof socket.local);
  memcpy(socket.remote, tuple.destination.address, sizeof socket.remote);
  socket.cookie = cookie;
  return socket;
}

/// By its addresses, which is quick and finds an IPv6 socket that speaks IPv4 too; else among all with that port: one that is
/// bound to a device, or whose addresses netfilter has rewritten.
int find(SockDiag& diag, DiagSocket& socket) {
  const uint64_t cookie = socket.cookie;
  const int error = diag.lookUp(socket);
  // Stale: these addresses lead to another socket.
  if (error != ENOENT && error != ESTALE) return error;
  bool found = false;
  for (const uint8_t family : {4, 6}) {
    const DiagQuery query{.family = family, .protocol = socket.protocol, .localPort = socket.localPort};
    const int failure = diag.list(query, [&](const DiagSocket& other) {
      if (other.cookie != cookie) return;
      socket = other;
      found = true;
    });
    if (failure != 0) return failure;
  }
  return found ? 0 : ENOENT;
}

/// A server's socket, or one for many peers of which one was denied, is not ended.
bool isFor(const DiagSocket& socket, const bastion_destination& destination) {
  if (socket.protocol == IPPROTO_TCP) return socket.state != stateListen;
  return socket.state == stateEstablished && socket.remotePort == destination.port;
}

}  // namespace

int endSocket(SockDiag& diag, const bastion_tuple& tuple, uint64_t cookie) {
  DiagSocket socket = socketOf(tuple, cookie);
  const int error = find(diag, socket);
  if (error != 0) return error;
  if (socket.cookie != cookie) return ENOENT;
  return isFor(socket, tuple.destination) ? diag.destroy(socket) : ENOTCONN;
}

SocketReaper::~SocketReaper() { stop(); }

void SocketReaper::submit(const bastion_tuple& tuple, uint64_t cookie) {
  const uint8_t protocol = tuple.destination.protocol;
  if (cookie == 0 || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)) return;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    // Each packet of a flow asks for it again.
    const auto same = [cookie](const Job& job) { return job.cookie == cookie; };
    if (std::ranges::any_of(jobs_, same)) return;
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
    const int error = endSocket(diag, job.tuple, job.cookie);
    lock.lock();
    (error == 0 ? counters_.ended : error == ENOENT ? counters_.gone : counters_.failed) += 1;
    if (error != 0 && error != ENOENT) counters_.lastFailure = error;
  }
}

}  // namespace bastion
