// SPDX-License-Identifier: GPL-3.0-or-later
/// A watch of the kernel's announcements and its way into JavaScript.
#pragma once

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common.hpp"
#include "waker.hpp"

namespace bastion {

/// Kept by the function `close` that JavaScript has and by the waker, until it is closed.
template <typename Watch>
class Watching {
 public:
  /// `open(wake)` starts the watch, null with errno set where it cannot; `make(env, watch)` takes what there is, an empty
  /// value for nothing. Returns the object with `close`, or throws "cannot watch WHAT".
  template <typename Open, typename Make>
  static Napi::Value start(Napi::Env env, const Napi::Function& callback, const char* what, Open open, Make make) {
    const auto watching = std::make_shared<Watching>();
    const auto deliver = [watching, make](Napi::Env loop, const Napi::Function& told) {
      const Napi::Value news = make(loop, *watching->watch_);
      if (!news.IsEmpty()) callFromLoop(loop, told, news);
    };
    watching->waker_ = Waker::make(env, callback, what, deliver);
    if (watching->waker_) watching->watch_ = open([waker = watching->waker_.get()] { waker->wake(); });
    if (!watching->watch_) {
      const std::string why = errorText(errno);
      watching->close();
      Napi::Error::New(env, std::string("cannot watch ") + what + ": " + why).ThrowAsJavaScriptException();
      return {};
    }
    watching->atEnd_ = env.AddCleanupHook(onEnvironmentEnd, watching.get());
    auto object = Napi::Object::New(env);
    object.Set("close", Napi::Function::New(
                            env,
                            [watching](const Napi::CallbackInfo& call) {
                              if (!watching->atEnd_.IsEmpty()) watching->atEnd_.Remove(call.Env());
                              watching->atEnd_ = {};
                              watching->close();
                            },
                            "close"));
    return object;
  }

 private:
  /// Runs before the environment takes its thread-safe functions down: no thread of ours may call one after that.
  static void onEnvironmentEnd(Watching* watching) { watching->close(); }

  void close() {
    if (watch_) watch_->close();
    if (waker_) waker_->close();
  }

  std::unique_ptr<Watch> watch_;
  std::shared_ptr<Waker> waker_;
  Napi::Env::CleanupHook<decltype(&onEnvironmentEnd), Watching> atEnd_;
};

}  // namespace bastion
