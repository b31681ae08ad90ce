// SPDX-License-Identifier: GPL-3.0-or-later
// The packets that wait: one entry for each undecided flow, with its limits and deadlines.
#pragma once

#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "memory.hpp"
#include "resolver.hpp"

namespace bastion {

struct HeldPacket {
  uint32_t id = 0;
  uint32_t mark = 0;
};

enum class Origin { process, kernel, forwarded };

enum class AskState { resolving, waiting, told };

/// One undecided flow. `waiting`: not yet told to JavaScript.
struct HeldFlow {
  uint64_t id = 0;
  FlowIdentity identity;
  /// With the source: what joins a packet to this flow.
  FlowIdentity join;
  bastion_tuple tuple{};
  Attribution attribution;
  AskState state = AskState::waiting;
  std::vector<HeldPacket> packets;
  std::vector<uint8_t> payload;
  uint32_t interfaceIndex = 0;
  uint32_t length = 0;
  uint32_t limitUid = 0;
  uint64_t heldAtNs = 0;
  uint64_t deadlineNs = 0;
  /// A server answers a peer that spoke first.
  bool answersPeer = false;
  Origin origin = Origin::process;
  /// The gate dropped a packet, and nothing waits.
  bool fromGate = false;
};

struct HeldLimits {
  uint32_t total = 0;
  uint32_t perFlow = 0;
  uint32_t perUid = 0;
};

/// Not thread-safe: the data path's lock is held.
class HeldTable {
 public:
  explicit HeldTable(const HeldLimits& limits) : limits_(limits) {}

  HeldFlow* byId(uint64_t id);
  HeldFlow* byJoin(const FlowIdentity& join);
  /// Is there room for one more packet of this uid?
  bool hasRoom(uint32_t uid) const;
  /// Is there room for one more flow of this uid of which nothing is held?
  bool hasGateRoom(uint32_t uid) const;
  /// False if the flow holds all that it may.
  bool addPacket(HeldFlow& flow, const HeldPacket& packet);
  HeldFlow& insert(HeldFlow flow);
  void setDeadline(HeldFlow& flow, uint64_t deadlineNs);
  /// Takes the flow out.
  HeldFlow take(uint64_t id);
  std::vector<uint64_t> expired(uint64_t nowNs) const;
  std::vector<uint64_t> all() const;
  /// 0 if nothing waits.
  uint64_t nextDeadlineNs() const { return deadlines_.empty() ? 0 : deadlines_.begin()->first; }
  size_t packets() const { return packets_; }

 private:
  HeldLimits limits_;
  uint64_t lastId_ = 0;
  size_t packets_ = 0;
  std::unordered_map<uint64_t, HeldFlow> flows_;
  std::unordered_map<FlowIdentity, uint64_t, ByteHash<FlowIdentity>, ByteEqual<FlowIdentity>> joins_;
  std::unordered_map<uint32_t, uint32_t> perUid_;
  static constexpr size_t gateLimit = 4096;
  static constexpr uint32_t gatePerUid = 1024;
  size_t gateFlows_ = 0;
  std::unordered_map<uint32_t, uint32_t> gatePerUid_;
  std::set<std::pair<uint64_t, uint64_t>> deadlines_;
};

}  // namespace bastion
