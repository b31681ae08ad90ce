// SPDX-License-Identifier: GPL-3.0-or-later
// The netfilter watch's way into JavaScript.
#include "netfilter_watch_node.hpp"

#include <memory>

#include "netfilter_watch.hpp"
#include "values.hpp"

namespace bastion {

namespace {

struct Watching;
using Shared = std::shared_ptr<Watching>;
void deliver(Napi::Env env, Napi::Function callback, Shared* shared, void*);
void onEnvironmentEnd(Watching* watching);

/// Kept by the function `close` and by the thread-safe function, whichever lives longer.
struct Watching {
  std::unique_ptr<NetfilterWatch> watch;
  Napi::TypedThreadSafeFunction<Shared, void, deliver> tell;
  Napi::Env::CleanupHook<decltype(&onEnvironmentEnd), Watching> atEnd;

  void close() {
    if (watch) watch->close();
    if (tell) tell.Abort();
    tell = {};
  }
};

/// Runs before the environment takes its thread-safe functions down: no thread of ours may call one after that.
void onEnvironmentEnd(Watching* watching) { watching->close(); }

Napi::Object makeChanges(Napi::Env env, const NetfilterChanges& changes) {
  auto by = Napi::Array::New(env);
  for (const NetfilterChanger& changer : changes.by) {
    auto one = Napi::Object::New(env);
    one.Set("command", changer.command);
    one.Set("pid", changer.pid);
    by.Set(by.Length(), one);
  }
  auto object = Napi::Object::New(env);
  object.Set("by", by);
  object.Set("unnamed", changes.unnamed);
  return object;
}

void deliver(Napi::Env env, Napi::Function callback, Shared* shared, void*) {
  if (env == nullptr || callback.IsEmpty() || !(*shared)->tell) return;
  const NetfilterChanges changes = (*shared)->watch->take();
  if (changes.empty()) return;
  const Napi::HandleScope scope(env);
  callback.Call({makeChanges(env, changes)});
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

}  // namespace

Napi::Value watchNetfilter(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Reader reader(env);
  const bool legacy = reader.boolean(info[0], "legacy");
  const Napi::Function onChange = reader.function(info[1], "onChange");
  if (!reader.ok()) return {};
  const auto watching = std::make_shared<Watching>();
  Watching* self = watching.get();
  self->tell = decltype(self->tell)::New(
      env, onChange, "bastion netfilter", 0, 1, new Shared(watching),
      [](Napi::Env, void*, Shared* shared) { delete shared; }, static_cast<void*>(nullptr));
  if (!self->tell) return {};
  self->tell.Unref(env);
  self->watch = NetfilterWatch::open(legacy, [self] { self->tell.NonBlockingCall(); });
  if (!self->watch) {
    const std::string why = errorText(errno);
    self->close();
    Napi::Error::New(env, "cannot watch netfilter: " + why).ThrowAsJavaScriptException();
    return {};
  }
  self->atEnd = env.AddCleanupHook(onEnvironmentEnd, self);
  auto object = Napi::Object::New(env);
  object.Set("close", Napi::Function::New(
                          env,
                          [watching](const Napi::CallbackInfo& call) {
                            if (!watching->atEnd.IsEmpty()) watching->atEnd.Remove(call.Env());
                            watching->atEnd = {};
                            watching->close();
                          },
                          "close"));
  return object;
}

}  // namespace bastion
