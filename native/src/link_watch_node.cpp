// SPDX-License-Identifier: GPL-3.0-or-later
// The link watch's way into JavaScript.
#include "link_watch_node.hpp"

#include <memory>

#include "link_watch.hpp"
#include "packet.hpp"
#include "values.hpp"

namespace bastion {

namespace {

constexpr uint32_t smallestBuffer = 1024;
constexpr uint32_t largestBuffer = 64 * 1024 * 1024;

struct Watching;
using Shared = std::shared_ptr<Watching>;
void deliver(Napi::Env env, Napi::Function callback, Shared* shared, void*);
void onEnvironmentEnd(Watching* watching);

/// Kept by the function `close` and by the thread-safe function, whichever lives longer.
struct Watching {
  std::unique_ptr<LinkWatch> watch;
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

/// `LinkTold` of native/binding.ts, in its order.
Napi::Array makeChange(Napi::Env env, const LinkChange& change) {
  uint32_t at = 0;
  auto parts = Napi::Array::New(env, change.link ? 8 : 9);
  const auto add = [&](const auto& value) { parts.Set(at++, value); };
  add(Napi::Boolean::New(env, change.gone));
  add(Napi::Number::New(env, change.index));
  if (change.link) {
    add(Napi::String::New(env, change.link->name));
    add(Napi::Number::New(env, change.link->flags));
    add(Napi::Number::New(env, change.link->type));
    add(Napi::String::New(env, change.link->kind));
    add(Napi::String::New(env, change.link->mac));
    add(Napi::Number::New(env, change.link->master));
  } else if (change.address) {
    const AddressFacts& facts = *change.address;
    add(Napi::Number::New(env, facts.family));
    add(Napi::String::New(env, addressText(facts.family, facts.address.data())));
    add(Napi::String::New(env, addressText(facts.family, facts.peer.data())));
    add(Napi::Number::New(env, facts.prefix));
    add(Napi::Number::New(env, facts.scope));
    add(Napi::Number::New(env, facts.flags));
    add(Napi::String::New(env, facts.label));
  }
  return parts;
}

Napi::Object makeNews(Napi::Env env, const LinkNews& news) {
  auto changes = Napi::Array::New(env, news.changes.size());
  uint32_t at = 0;
  for (const LinkChange& change : news.changes) {
    const Napi::HandleScope scope(env);
    changes.Set(at++, makeChange(env, change));
  }
  auto object = Napi::Object::New(env);
  object.Set("whole", news.whole);
  object.Set("changes", changes);
  object.Set("routes", news.routes);
  object.Set("resyncs", static_cast<double>(news.resyncs));
  object.Set("unreadable", static_cast<double>(news.unreadable));
  return object;
}

void deliver(Napi::Env env, Napi::Function callback, Shared* shared, void*) {
  if (env == nullptr || callback.IsEmpty() || !(*shared)->tell) return;
  const LinkNews news = (*shared)->watch->take();
  if (!news.whole && !news.routes && news.changes.empty()) return;
  const Napi::HandleScope scope(env);
  callback.Call({makeNews(env, news)});
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

}  // namespace

Napi::Value watchLinks(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Reader reader(env);
  const uint32_t receiveBytes = reader.numberOf(info[0], "receiveBytes", smallestBuffer, largestBuffer);
  const Napi::Function onNews = reader.function(info[1], "onNews");
  if (!reader.ok()) return {};
  const auto watching = std::make_shared<Watching>();
  Watching* self = watching.get();
  self->tell = decltype(self->tell)::New(
      env, onNews, "bastion links", 0, 1, new Shared(watching),
      [](Napi::Env, void*, Shared* shared) { delete shared; }, static_cast<void*>(nullptr));
  if (!self->tell) return {};
  self->tell.Unref(env);
  self->watch = LinkWatch::open(receiveBytes, [self] { self->tell.NonBlockingCall(); });
  if (!self->watch) {
    const std::string why = errorText(errno);
    self->close();
    Napi::Error::New(env, "cannot watch the network interfaces: " + why).ThrowAsJavaScriptException();
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
