// SPDX-License-Identifier: GPL-3.0-or-later
// Attribution through sock_diag and /proc on a thread of its own: the receiver never waits for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "processes.hpp"
#include "sockets.hpp"
#include "thread.hpp"

namespace bastion {

struct Attribution {
  std::optional<bastion_owner> owner;
  Evidence evidence = Evidence::none;
  std::string path;
};

struct ResolveJob {
  uint64_t askId = 0;
  bastion_tuple tuple{};
  /// 0 if nobody knows it.
  uint64_t cookie = 0;
  /// Where the packet leaves; 0 if unknown.
  uint32_t interfaceIndex = 0;
};

class Resolver {
 public:
  using Done = std::function<void(uint64_t askId, Attribution attribution)>;
  using KernelOwner = std::function<bool(uint64_t cookie, bastion_owner& owner)>;

  /// `done` is called on the resolver's thread. `kernelOwner` looks into the hooks' records.
  Resolver(uint64_t networkNamespace, KernelOwner kernelOwner, Done done);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// 0 or an error number; before anything is submitted.
  int start() { return thread_.start([this] { run(); }); }
  /// False if the queue is full.
  bool submit(const ResolveJob& job);
  void stop();

 private:
  /// Sockets that can have sent a job's packet, and beside each its holder where that is remembered.
  struct Candidates {
    std::vector<FoundSocket> sockets;
    std::vector<std::optional<ProcessRecord>> known;
  };

  void run();
  void resolveAll(const std::deque<ResolveJob>& jobs);
  Attribution resolve(const ResolveJob& job, const Candidates& candidates, const SocketHoldings& holdings);
  std::optional<ProcessRecord> holderOf(const ResolveJob& job, const Candidates& candidates, const SocketHoldings& holdings,
                                        uint64_t& cookie);

  static constexpr size_t maxJobs = 1024;
  uint64_t networkNamespace_;
  KernelOwner kernelOwner_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ResolveJob> jobs_;
  std::atomic<bool> stopping_{false};
  SocketHolders holders_{stopping_};
  Thread thread_;
};

}  // namespace bastion
