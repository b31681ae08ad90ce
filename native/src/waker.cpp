// SPDX-License-Identifier: GPL-3.0-or-later
#include "waker.hpp"

#include <cerrno>
#include <utility>

namespace bastion {

std::shared_ptr<Waker> Waker::make(Napi::Env env, const Napi::Function& callback, const char* name, Deliver deliver) {
  auto waker = std::make_shared<Waker>();
  waker->deliver_ = std::move(deliver);
  waker->setImmediate_ = Napi::Persistent(env.Global().Get("setImmediate").As<Napi::Function>());
  // Not kept by the function that it keeps itself.
  waker->turned_ = Napi::Persistent(Napi::Function::New(
      env,
      [weak = std::weak_ptr<Waker>(waker)](const Napi::CallbackInfo&) {
        if (const auto self = weak.lock(); self && self->function_) self->onTurn();
      },
      "turned"));
  auto kept = std::make_unique<Kept>(waker);
  waker->function_ = decltype(function_)::New(env, callback, name, 0, 1, kept.get(), onGone, static_cast<void*>(nullptr));
  if (!waker->function_) {
    env.GetAndClearPendingException();
    errno = ENOMEM;
    return nullptr;
  }
  // The thread-safe function owns it, see `onGone`.
  static_cast<void>(kept.release());
  waker->function_.Unref(env);
  return waker;
}

void Waker::wake() {
  if (state_.exchange(State::told) == State::idle) tell();
}

void Waker::close() {
  if (function_) function_.Abort();
  function_ = {};
  setImmediate_.Reset();
  turned_.Reset();
}

void Waker::tell() { function_.NonBlockingCall(); }

void Waker::onLoop(Napi::Env env, Napi::Function callback, Kept* kept, void*) {
  if (env == nullptr || callback.IsEmpty() || !(*kept)->function_) return;
  const Napi::HandleScope scope(env);
  const Kept self = *kept;
  self->calls_ += 1;
  if (self->calls_ == 1) callFromLoop(env, self->setImmediate_.Value(), self->turned_.Value());
  // What is put there from here on is told anew.
  self->state_ = self->calls_ < callsInTurn ? State::idle : State::full;
  self->deliver_(env, callback);
}

void Waker::onGone(Napi::Env, void*, Kept* kept) {
  // It may be what keeps this.
  (*kept)->deliver_ = nullptr;
  delete kept;
}

void Waker::onTurn() {
  const bool wasFull = calls_ >= callsInTurn;
  calls_ = 0;
  State state = State::full;
  if (wasFull && !state_.compare_exchange_strong(state, State::idle)) tell();
}

void callFromLoop(Napi::Env env, const Napi::Function& callback, Napi::Value argument) {
  callback.Call({argument});
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

}  // namespace bastion
