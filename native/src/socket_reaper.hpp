// SPDX-License-Identifier: GPL-3.0-or-later
// Ends sockets whose flow was denied, so that their programs hear of it at once. A thread of its own: netlink may take a while.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "sock_diag.hpp"
#include "thread.hpp"

namespace bastion {

struct ReaperCounters {
  uint64_t ended = 0;
  /// Not there any more.
  uint64_t gone = 0;
  uint64_t failed = 0;
  /// Errno of the last that failed. EOPNOTSUPP: the kernel cannot end sockets (CONFIG_INET_DIAG_DESTROY).
  int lastFailure = 0;
  /// The queue was full; the next packet of the flow asks for it again.
  uint64_t left = 0;
};

/// Ends the socket with this very cookie; whoever uses it gets ECONNABORTED. Returns 0 or an errno: ENOENT if it is not there any
/// more; ENOTCONN if it listens, or is not connected to the tuple's destination and so may have other peers; EOPNOTSUPP if the
/// kernel was built without (CONFIG_INET_DIAG_DESTROY). An MPTCP subflow ends for itself, and the kernel does not tell its program,
/// which waits: only what a gate drops keeps it from going on over another one.
int endSocket(SockDiag& diag, const bastion_tuple& tuple, uint64_t cookie);

class SocketReaper {
 public:
  SocketReaper() = default;
  ~SocketReaper();
  SocketReaper(const SocketReaper&) = delete;
  SocketReaper& operator=(const SocketReaper&) = delete;

  /// 0 or an error number; before anything is submitted.
  int start() { return thread_.start([this] { run(); }); }

  /// Any thread; returns at once. What waits already is not taken twice.
  void submit(const bastion_tuple& tuple, uint64_t cookie);
  ReaperCounters counters() const;
  void stop();

 private:
  struct Job {
    bastion_tuple tuple{};
    uint64_t cookie = 0;
  };
  void run();

  static constexpr size_t maxJobs = 1024;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  ReaperCounters counters_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace bastion
