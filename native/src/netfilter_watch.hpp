// SPDX-License-Identifier: GPL-3.0-or-later
// Says that somebody changed the netfilter rules of this network namespace. What was changed is for the caller to look at.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common.hpp"
#include "thread.hpp"

namespace bastion {

/// As the kernel names it: the command of the task that committed the change, and its number in the first PID namespace.
struct NetfilterChanger {
  std::string command;
  uint32_t pid = 0;
  bool operator==(const NetfilterChanger&) const = default;
};

/// Everything since the last `take`.
struct NetfilterChanges {
  std::vector<NetfilterChanger> by;
  /// There were changes whose author is not known: the kernel does not name him, or there were too many.
  bool unnamed = false;
  bool empty() const { return by.empty() && !unnamed; }
};

class LegacyTables;

class NetfilterWatch {
 public:
  /// nf_tables announces each commit; xtables (`legacy`) announces nothing, so its tables are looked at 40 times a second.
  /// `notify` is called from a thread of the watch, once until `take` was called. Nothing, with `errno` set, on failure.
  static std::unique_ptr<NetfilterWatch> open(bool legacy, std::function<void()> notify);
  ~NetfilterWatch();
  NetfilterWatch(const NetfilterWatch&) = delete;
  NetfilterWatch& operator=(const NetfilterWatch&) = delete;

  NetfilterChanges take();
  /// Joins the thread; may be called twice.
  void close();

 private:
  explicit NetfilterWatch(std::function<void()> notify);
  bool openNetlink();
  void run();
  void receive();
  void add(std::optional<NetfilterChanger> changer);

  std::function<void()> notify_;
  UniqueFd netlink_;
  UniqueFd wake_;
  std::unique_ptr<LegacyTables> legacy_;
  std::mutex mutex_;
  NetfilterChanges changes_;
  bool announced_ = false;
  std::atomic<bool> stopping_{false};
  Thread thread_;
};

}  // namespace bastion
