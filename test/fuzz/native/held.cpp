// SPDX-License-Identifier: GPL-3.0-or-later
// The table of packets that wait, in any order of calls that the data path may make. Its counts have to be those of its entries.
#include "../../../native/src/held.hpp"
#include "target.hpp"

using bastion::HeldFlow;
using bastion::HeldTable;

namespace {

constexpr bastion::HeldLimits limits{.total = 24, .perFlow = 4, .perUid = 12};

/// One byte of the input after the other, 0 behind its end.
struct Choices {
  const uint8_t* data;
  size_t size;
  uint8_t next() {
    if (size == 0) return 0;
    size -= 1;
    return *data++;
  }
};

void insert(HeldTable& table, Choices& choices) {
  HeldFlow flow;
  flow.join.sourcePort = choices.next() % 8;
  flow.limitUid = choices.next() % 3;
  flow.fromGate = choices.next() % 2 != 0;
  flow.deadlineNs = 1 + choices.next();
  // As the data path does: what joins a flow that waits is added to it.
  if (table.byJoin(flow.join) != nullptr) return;
  if (flow.fromGate ? !table.hasGateRoom(flow.limitUid) : !table.hasRoom(flow.limitUid)) return;
  const bool gate = flow.fromGate;
  HeldFlow& there = table.insert(std::move(flow));
  if (!gate) require(table.addPacket(there, {1, 0}));
}

void check(HeldTable& table) {
  size_t packets = 0;
  uint64_t first = 0;
  const auto ids = table.all();
  for (const uint64_t id : ids) {
    HeldFlow* flow = table.byId(id);
    require(flow != nullptr && flow->packets.size() <= limits.perFlow && table.byJoin(flow->join) == flow);
    packets += flow->packets.size();
    if (first == 0) first = flow->deadlineNs;
    require(flow->deadlineNs >= first);
  }
  require(table.packets() == packets && packets <= limits.total);
  require(ids.empty() || table.nextDeadlineNs() == first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  HeldTable table(limits);
  Choices choices{data, size};
  while (choices.size > 0) {
    const uint8_t what = choices.next();
    const auto ids = table.all();
    if (what % 4 == 0 || ids.empty()) {
      insert(table, choices);
    } else {
      HeldFlow& flow = *table.byId(ids[choices.next() % ids.size()]);
      if (what % 4 == 1) table.take(flow.id);
      if (what % 4 == 2) table.setDeadline(flow, 1 + choices.next());
      if (what % 4 == 3 && !flow.fromGate && table.hasRoom(flow.limitUid)) table.addPacket(flow, {what, 0});
    }
    check(table);
  }
  for (const uint64_t id : table.expired(~0ULL)) table.take(id);
  require(table.packets() == 0 && table.nextDeadlineNs() == 0 && table.hasRoom(0) && table.perUid_.empty() && table.gatePerUid_.empty());
  return 0;
}
