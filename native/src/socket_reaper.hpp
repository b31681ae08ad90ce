// SPDX-License-Identifier: GPL-3.0-or-later
// Ends sockets whose flow was denied, so that their programs hear of it at once. A thread of its own: netlink may take a while.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "common.hpp"

namespace bastion {

struct ReaperCounters {
  uint64_t ended = 0;
  /// Not there any more, or the kernel cannot end sockets (CONFIG_INET_DIAG_DESTROY).
  uint64_t failed = 0;
  /// The queue was full; the next packet of the flow asks for it again.
  uint64_t left = 0;
};

class SocketReaper {
 public:
  SocketReaper();
  ~SocketReaper();
  SocketReaper(const SocketReaper&) = delete;
  SocketReaper& operator=(const SocketReaper&) = delete;

  /// The socket of this cookie, if it is a TCP socket, or a UDP one that is connected to the tuple's destination. Others send to
  /// many peers, of which one was denied.
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
  std::thread thread_;
};

}  // namespace bastion
