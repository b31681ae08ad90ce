// SPDX-License-Identifier: GPL-3.0-or-later
#include "memory.hpp"

#include <algorithm>

namespace bastion {

namespace {

constexpr uint64_t withoutCookieNs = 10 * nsPerSecond;

}  // namespace

FlowIdentity flowIdentity(const bastion_tuple& tuple, const bastion_owner* owner, uint32_t packetUid) {
  FlowIdentity flow;
  flow.key.destination = tuple.destination;
  if (owner != nullptr && owner->cookie != 0) {
    flow.key.cookie = owner->cookie;
    flow.key.start_ns = owner->start_ns;
    flow.key.executable = owner->executable;
    flow.key.pid = owner->pid;
    return flow;
  }
  memcpy(flow.source, tuple.source, sizeof flow.source);
  flow.sourcePort = tuple.source_port;
  flow.uid = packetUid;
  return flow;
}

std::optional<Verdict> DecisionMemory::live(const bastion_verdict* known, uint64_t nowNs) const {
  if (known == nullptr || known->generation != generation()) return std::nullopt;
  if (known->until_ns != 0 && nowNs >= known->until_ns) return std::nullopt;
  return static_cast<Verdict>(known->verdict);
}

std::optional<Verdict> DecisionMemory::recallFlow(const FlowIdentity& flow, uint64_t nowNs) {
  return live(flows_.find(flow), nowNs);
}

std::optional<Verdict> DecisionMemory::recallProgram(const bastion_owner& owner, const bastion_destination& destination,
                                                     uint64_t nowNs) {
  bastion_verdict_key key{};
  key.executable = owner.executable;
  key.network_namespace = owner.network_namespace;
  key.uid = owner.uid;
  key.destination = destination;
  return live(programs_.find(key), nowNs);
}

void DecisionMemory::rememberFlow(const FlowIdentity& flow, Verdict verdict, uint64_t untilNs, uint64_t nowNs) {
  const bool withCookie = flow.key.cookie != 0;
  uint64_t until = untilNs;
  if (!withCookie) until = untilNs == 0 ? nowNs + withoutCookieNs : std::min(untilNs, nowNs + withoutCookieNs);
  const bastion_verdict value{static_cast<uint32_t>(verdict), generation(), until};
  flows_.put(flow, value);
  if (withCookie && kernel_ != nullptr) kernel_->writeFlow(flow.key, value);
}

void DecisionMemory::rememberProgram(const bastion_verdict_key& key, Verdict verdict, uint64_t untilNs) {
  const bastion_verdict value{static_cast<uint32_t>(verdict), generation(), untilNs};
  const auto evicted = programs_.put(key, value);
  if (kernel_ == nullptr) return;
  if (evicted) kernel_->deleteVerdict(*evicted);
  kernel_->writeVerdict(key, value);
}

void DecisionMemory::forgetAll() {
  if (kernel_ == nullptr) generation_ += 1;
  else kernel_->bumpGeneration();
}

}  // namespace bastion
