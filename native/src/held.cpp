// SPDX-License-Identifier: GPL-3.0-or-later
#include "held.hpp"

namespace bastion {

HeldFlow* HeldTable::byId(uint64_t id) {
  const auto found = flows_.find(id);
  return found == flows_.end() ? nullptr : &found->second;
}

HeldFlow* HeldTable::byJoin(const FlowIdentity& join) {
  const auto found = joins_.find(join);
  return found == joins_.end() ? nullptr : byId(found->second);
}

bool HeldTable::hasRoom(uint32_t uid) const {
  if (packets_ >= limits_.total) return false;
  const auto found = perUid_.find(uid);
  return found == perUid_.end() || found->second < limits_.perUid;
}

bool HeldTable::hasGateRoom(uint32_t uid) const {
  if (gateFlows_ >= gateLimit) return false;
  const auto found = gatePerUid_.find(uid);
  return found == gatePerUid_.end() || found->second < gatePerUid;
}

bool HeldTable::addPacket(HeldFlow& flow, const HeldPacket& packet) {
  if (flow.packets.size() >= limits_.perFlow) return false;
  flow.packets.push_back(packet);
  packets_ += 1;
  perUid_[flow.limitUid] += 1;
  return true;
}

HeldFlow& HeldTable::insert(HeldFlow flow) {
  flow.id = ++lastId_;
  joins_[flow.join] = flow.id;
  deadlines_.emplace(flow.deadlineNs, flow.id);
  if (flow.fromGate) {
    gateFlows_ += 1;
    gatePerUid_[flow.limitUid] += 1;
  }
  return flows_.emplace(flow.id, std::move(flow)).first->second;
}

void HeldTable::setDeadline(HeldFlow& flow, uint64_t deadlineNs) {
  deadlines_.erase({flow.deadlineNs, flow.id});
  flow.deadlineNs = deadlineNs;
  deadlines_.emplace(deadlineNs, flow.id);
}

HeldFlow HeldTable::take(uint64_t id) {
  auto node = flows_.extract(id);
  HeldFlow flow = std::move(node.mapped());
  joins_.erase(flow.join);
  deadlines_.erase({flow.deadlineNs, flow.id});
  if (flow.fromGate) {
    gateFlows_ -= 1;
    if (--gatePerUid_[flow.limitUid] == 0) gatePerUid_.erase(flow.limitUid);
  }
  packets_ -= flow.packets.size();
  const auto count = perUid_.find(flow.limitUid);
  if (count != perUid_.end()) {
    count->second -= static_cast<uint32_t>(flow.packets.size());
    if (count->second == 0) perUid_.erase(count);
  }
  return flow;
}

std::vector<uint64_t> HeldTable::expired(uint64_t nowNs) const {
  std::vector<uint64_t> ids;
  for (const auto& [deadlineNs, id] : deadlines_) {
    if (deadlineNs > nowNs) break;
    ids.push_back(id);
  }
  return ids;
}

std::vector<uint64_t> HeldTable::all() const {
  std::vector<uint64_t> ids;
  for (const auto& [deadlineNs, id] : deadlines_) ids.push_back(id);
  return ids;
}

}  // namespace bastion
