// SPDX-License-Identifier: GPL-3.0-or-later
// Tells the network interfaces and addresses of this network namespace: all of them first, then each change as the kernel
// announces it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common.hpp"
#include "link_message.hpp"
#include "thread.hpp"

namespace bastion {

/// Everything since the last `take`.
struct LinkNews {
  /// The changes begin with everything that there is: what was told before counts no more.
  bool whole = false;
  std::vector<LinkChange> changes;
  /// A default route came, went or is another one.
  bool routes = false;
  /// How often everything was read again, and messages that could not be read, since the start.
  uint64_t resyncs = 0;
  uint64_t unreadable = 0;
};

class LinkWatch {
 public:
  /// `receiveBytes`: of the socket for announcements. `notify` is called from the thread of the watch, once until `take` was
  /// called. Nothing, with `errno` set, on failure.
  static std::unique_ptr<LinkWatch> open(uint32_t receiveBytes, std::function<void()> notify);
  ~LinkWatch();
  LinkWatch(const LinkWatch&) = delete;
  LinkWatch& operator=(const LinkWatch&) = delete;

  LinkNews take();
  /// Joins the thread; may be called twice.
  void close();

 private:
  enum class Drained { all, more, lost, failed };

  LinkWatch(uint32_t receiveBytes, std::function<void()> notify);
  bool subscribe();
  void run();
  int waitMs() const;
  Drained drain(std::vector<LinkChange>& into);
  bool readAll();
  void reopenLater();
  void lookAgainIn(uint64_t ms);
  void tell(std::vector<LinkChange>&& changes, bool whole);

  uint32_t receiveBytes_;
  std::function<void()> notify_;
  /// None after it failed, until everything is read again.
  UniqueFd events_;
  UniqueFd wake_;
  std::vector<char> buffer_;
  /// When everything is to be read again, on the boot clock; 0: it need not.
  uint64_t resyncAtNs_ = 0;
  /// Nothing was read yet, or something was lost: changes say nothing until everything was read again.
  bool broken_ = true;
  /// Of default routes, since they were last told.
  bool routesChanged_ = false;
  std::mutex mutex_;
  LinkNews news_;
  /// Too much waited to be taken: everything is read again when it was.
  bool overfull_ = false;
  bool announced_ = false;
  std::atomic<bool> stopping_{false};
  Thread thread_;
};

}  // namespace bastion
