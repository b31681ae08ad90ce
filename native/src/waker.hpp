// SPDX-License-Identifier: GPL-3.0-or-later
/// How a thread says to JavaScript that there is something to take.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>

namespace bastion {

/// A few calls at most in each turn of the event loop: whoever makes work for a thread cannot keep the loop from its sockets and
/// timers. A thread-safe function alone calls up to 1,000 times, as long as there is more, before the loop goes on. Source:
/// node src/node_api.cc, ThreadSafeFunction::Dispatch.
class Waker : public std::enable_shared_from_this<Waker> {
 public:
  using Deliver = std::function<void(Napi::Env, const Napi::Function&)>;

  /// What comes while something is delivered need not wait for the rest of the turn, until there were so many.
  static constexpr int callsInTurn = 4;

  /// `deliver` takes what there is and gives it to `callback`, on the loop's thread; it is kept until some time after `close`.
  /// Null with errno set: no way could be made, nothing is thrown. The loop does not stay alive for it.
  static std::shared_ptr<Waker> make(Napi::Env env, const Napi::Function& callback, const char* name, Deliver deliver);

  /// From any thread, after something was put where `deliver` takes it.
  void wake();

  /// On the loop's thread, when no thread calls `wake` any more: nothing is delivered afterwards. Idempotent.
  void close();

 private:
  using Kept = std::shared_ptr<Waker>;
  /// `told`: the loop knows, or will when its turn is over. `full`: this turn had its calls, and nothing new has come since.
  enum class State { idle, told, full };

  static void onLoop(Napi::Env env, Napi::Function callback, Kept* kept, void*);
  static void onGone(Napi::Env env, void*, Kept* kept);
  void onTurn();
  void tell();

  Napi::TypedThreadSafeFunction<Kept, void, onLoop> function_;
  Napi::FunctionReference setImmediate_;
  Napi::FunctionReference turned_;
  Deliver deliver_;
  std::atomic<State> state_{State::idle};
  /// In this turn. The loop's own.
  int calls_ = 0;
};

/// Calls into JavaScript from the loop; what is thrown there is the process's uncaught exception.
void callFromLoop(Napi::Env env, const Napi::Function& callback, Napi::Value argument);

}  // namespace bastion
