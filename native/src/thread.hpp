// SPDX-License-Identifier: GPL-3.0-or-later
/// A thread whose start can fail: std::thread throws then, which ends a program that is built without exceptions.
#pragma once

#include <pthread.h>

#include <functional>
#include <memory>
#include <utility>

namespace bastion {

class Thread {
 public:
  Thread() = default;
  ~Thread() { join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  /// 0, or the error number: EAGAIN where the system gives no more threads.
  int start(std::function<void()> work) {
    auto given = std::make_unique<std::function<void()>>(std::move(work));
    const auto run = [](void* taken) -> void* {
      const std::unique_ptr<std::function<void()>> own(static_cast<std::function<void()>*>(taken));
      (*own)();
      return nullptr;
    };
    const int error = pthread_create(&thread_, nullptr, run, given.get());
    if (error != 0) return error;
    // The thread owns it.
    static_cast<void>(given.release());
    running_ = true;
    return 0;
  }

  bool joinable() const { return running_; }

  void join() {
    if (!running_) return;
    pthread_join(thread_, nullptr);
    running_ = false;
  }

 private:
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace bastion
