// SPDX-License-Identifier: GPL-3.0-or-later
#include "memory.hpp"

#include <algorithm>
#include <array>

namespace bastion {

namespace {

constexpr uint64_t withoutCookieNs = 10 * nsPerSecond;

}  // namespace

FlowIdentity flowIdentity(const bastion_tuple& tuple, const bastion_owner* owner, uint32_t packetUid) {
  FlowIdentity flow;
  flow.key.destination = tuple.destination;
  if (owner != nullptr && owner->cookie != 0) {
    flow.key.cookie = owner->cookie;
    if ((owner->flags & BASTION_OWNER_ADOPTED) != 0) return flow;
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

uint32_t DecisionMemory::nextGeneration() const {
  const uint32_t next = generation() + 1;
  // 0 stands for "nothing was decided" in a socket's record.
  return next == 0 ? 1 : next;
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
                                                     bool reply, uint64_t nowNs) {
  bastion_verdict_key key{};
  key.executable = owner.executable;
  key.network_namespace = owner.network_namespace;
  key.uid = owner.uid;
  bastion_destination anyAddress{};
  anyAddress.port = destination.port;
  anyAddress.protocol = destination.protocol;
  bastion_destination anyPort = destination;
  anyPort.port = 0;
  anyPort.protocol = 0;
  const std::array<std::pair<uint32_t, bastion_destination>, 4> forms = {{
      {BASTION_FORM_PROGRAM, {}},
      {BASTION_FORM_ANY_ADDRESS, anyAddress},
      {BASTION_FORM_EXACT, destination},
      {BASTION_FORM_ANY_PORT, anyPort},
  }};
  for (const auto& [form, part] : forms) {
    key.form = form | (reply ? BASTION_FORM_REPLY : 0);
    key.destination = part;
    if (const auto verdict = live(programs_.find(key), nowNs)) return verdict;
  }
  return std::nullopt;
}

void DecisionMemory::rememberFlow(const FlowIdentity& flow, const Decision& decision, uint32_t user, uint64_t nowNs) {
  const bool withCookie = flow.key.cookie != 0;
  uint64_t until = decision.untilNs;
  if (!withCookie) until = until == 0 ? nowNs + withoutCookieNs : std::min(until, nowNs + withoutCookieNs);
  const uint32_t age = between_ ? nextGeneration() : generation();
  const bastion_verdict value{static_cast<uint32_t>(decision.verdict), age, until, decision.hitSlot, 0};
  const auto evicted = flows_.put(flow, value, user);
  if (kernel_ == nullptr) return;
  if (evicted && evicted->key.cookie != 0) kernel_->deleteFlow(evicted->key);
  if (withCookie) kernel_->writeFlow(flow.key, value);
}

void DecisionMemory::rememberProgram(const bastion_verdict_key& key, const Decision& decision) {
  const uint32_t age = between_ ? nextGeneration() : generation();
  const bastion_verdict value{static_cast<uint32_t>(decision.verdict), age, decision.untilNs, decision.hitSlot, 0};
  const auto evicted = programs_.put(key, value, key.uid);
  if (kernel_ == nullptr) return;
  if (evicted) kernel_->deleteVerdict(*evicted);
  kernel_->writeVerdict(key, value);
}

void DecisionMemory::begin() {
  // A helper that dies before `end` leaves entries that no policy stands for.
  if (kernel_ != nullptr) kernel_->setPolicy(0);
  between_ = true;
}

void DecisionMemory::end(uint64_t policy) {
  const uint32_t next = nextGeneration();
  between_ = false;
  if (kernel_ == nullptr) {
    generation_ = next;
    return;
  }
  kernel_->setGeneration(next);
  kernel_->setPolicy(policy);
}

bool DecisionMemory::adopt(uint64_t policy) {
  if (kernel_ == nullptr || policy == 0 || kernel_->policy() != policy) {
    begin();
    if (kernel_ != nullptr) kernel_->emptyDecisions();
    flows_.clear();
    programs_.clear();
    end(0);
    return false;
  }
  kernel_->eachFlow([this](const bastion_flow_key& key, const bastion_verdict& verdict) {
    FlowIdentity flow;
    flow.key = key;
    // Whose it is the key does not say: one share for all that was taken over.
    if (const auto evicted = flows_.put(flow, verdict, noUid)) kernel_->deleteFlow(evicted->key);
  });
  kernel_->eachVerdict([this](const bastion_verdict_key& key, const bastion_verdict& verdict) {
    if (const auto evicted = programs_.put(key, verdict, key.uid)) kernel_->deleteVerdict(*evicted);
  });
  return true;
}

}  // namespace bastion
