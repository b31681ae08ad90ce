// SPDX-License-Identifier: GPL-3.0-or-later
// The netfilter watch's way into JavaScript.
#include "netfilter_watch_node.hpp"

#include <utility>

#include "netfilter_watch.hpp"
#include "values.hpp"
#include "watching.hpp"

namespace bastion {

namespace {

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

}  // namespace

Napi::Value watchNetfilter(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Reader reader(env);
  const bool legacy = reader.boolean(info[0], "legacy");
  const Napi::Function onChange = reader.function(info[1], "onChange");
  if (!reader.ok()) return {};
  return Watching<NetfilterWatch>::start(
      env, onChange, "netfilter", [legacy](auto wake) { return NetfilterWatch::open(legacy, std::move(wake)); },
      [](Napi::Env loop, NetfilterWatch& watch) {
        const NetfilterChanges changes = watch.take();
        return changes.empty() ? Napi::Value() : makeChanges(loop, changes);
      });
}

}  // namespace bastion
