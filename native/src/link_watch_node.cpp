// SPDX-License-Identifier: GPL-3.0-or-later
// The link watch's way into JavaScript.
#include "link_watch_node.hpp"

#include <utility>

#include "link_watch.hpp"
#include "packet.hpp"
#include "values.hpp"
#include "watching.hpp"

namespace bastion {

namespace {

constexpr uint32_t smallestBuffer = 1024;
constexpr uint32_t largestBuffer = 64 * 1024 * 1024;

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

}  // namespace

Napi::Value watchLinks(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Reader reader(env);
  const uint32_t receiveBytes = reader.numberOf(info[0], "receiveBytes", smallestBuffer, largestBuffer);
  const Napi::Function onNews = reader.function(info[1], "onNews");
  if (!reader.ok()) return {};
  return Watching<LinkWatch>::start(
      env, onNews, "the network interfaces",
      [receiveBytes](auto wake) { return LinkWatch::open(receiveBytes, std::move(wake)); },
      [](Napi::Env loop, LinkWatch& watch) {
        const LinkNews news = watch.take();
        const bool nothing = !news.whole && !news.routes && news.changes.empty();
        return nothing ? Napi::Value() : makeNews(loop, news);
      });
}

}  // namespace bastion
