// SPDX-License-Identifier: GPL-3.0-or-later
// What was decided and may be repeated: the thread's own copy of the kernel's decision maps, and all there is without them.
#pragma once

#include <optional>

#include "bounded.hpp"
#include "kernel_part.hpp"

namespace bastion {

/// One flow as a decision covers it: the socket in the hands of one process where the cookie is known, else source, uid and
/// destination.
struct FlowIdentity {
  bastion_flow_key key{};
  uint8_t source[16] = {};
  uint32_t uid = 0;
  uint16_t sourcePort = 0;
  uint16_t reserved = 0;
};
static_assert(sizeof(FlowIdentity) == sizeof(bastion_flow_key) + 24, "compared byte by byte");

/// `owner` as the kernel knows it (zero for a socket older than the hooks), or nullptr without kernel records.
FlowIdentity flowIdentity(const bastion_tuple& tuple, const bastion_owner* owner, uint32_t packetUid);

/// A decision on its way into the memory.
struct Decision {
  Verdict verdict = Verdict::refuse;
  /// 0: as long as the key can be met; without a cookie never longer than 10 s, because a port is used again.
  uint64_t untilNs = 0;
  uint32_t hitSlot = 0;
};

/// Not thread-safe: the data path's lock is held.
class DecisionMemory {
 public:
  /// `kernel` may be nullptr.
  explicit DecisionMemory(KernelPart* kernel) : kernel_(kernel) {}

  std::optional<Verdict> recallFlow(const FlowIdentity& flow, uint64_t nowNs);
  std::optional<Verdict> recallProgram(const bastion_owner& owner, const bastion_destination& destination, bool reply,
                                       uint64_t nowNs);
  /// `user`: whose share of the table it takes.
  void rememberFlow(const FlowIdentity& flow, const Decision& decision, uint32_t user, uint64_t nowNs);
  void rememberProgram(const bastion_verdict_key& key, const Decision& decision);

  /// Between `begin` and `end` what is remembered belongs to the next generation; with `end` everything else is forgotten.
  void begin();
  void end(uint64_t policy);
  /// Takes over what the kernel remembers, if it belongs to this policy; else everything is forgotten.
  bool adopt(uint64_t policy);

 private:
  std::optional<Verdict> live(const bastion_verdict* known, uint64_t nowNs) const;
  uint32_t generation() const { return kernel_ == nullptr ? generation_ : kernel_->generation(); }
  uint32_t nextGeneration() const;

  KernelPart* kernel_;
  uint32_t generation_ = 1;
  bool between_ = false;
  // Fewer than the kernel's own limits, so that its maps never are the ones to overflow.
  SharedTable<FlowIdentity, bastion_verdict> flows_{BASTION_MAX_FLOWS / 2, BASTION_MAX_FLOWS / 8};
  SharedTable<bastion_verdict_key, bastion_verdict> programs_{BASTION_MAX_VERDICTS - 1024, BASTION_MAX_VERDICTS / 4};
};

}  // namespace bastion
