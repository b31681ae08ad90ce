// SPDX-License-Identifier: GPL-3.0-or-later
#include "traffic.hpp"

#include <bpf/bpf.h>

namespace bastion {

namespace {

/// From here on, programs that are silent leave the kernel's table.
constexpr size_t crowded = size_t{BASTION_MAX_TRAFFIC} / 4 * 3;

constexpr bastion_traffic_key nobody{{}, noUid, 0};

bool same(const bastion_traffic& a, const bastion_traffic& b) { return memcmp(&a, &b, sizeof a) == 0; }

void add(bastion_traffic& to, const bastion_traffic& more) {
  to.sent.bytes += more.sent.bytes;
  to.sent.packets += more.sent.packets;
  to.received.bytes += more.received.bytes;
  to.received.packets += more.received.packets;
}

std::vector<TrafficRow> entriesOf(int mapFd) {
  std::vector<TrafficRow> rows;
  TrafficRow row;
  bastion_traffic_key next{};
  const void* from = nullptr;
  while (rows.size() < BASTION_MAX_TRAFFIC && bpf_map_get_next_key(mapFd, from, &next) == 0) {
    row.key = next;
    from = &row.key;
    if (bpf_map_lookup_elem(mapFd, &row.key, &row.amounts) == 0) rows.push_back(row);
  }
  return rows;
}

}  // namespace

TrafficTable::Total* TrafficTable::totalOf(const bastion_traffic_key& key) {
  const auto known = totals_.find(key);
  if (known != totals_.end()) return &known->second;
  return totals_.size() < limit ? &totals_[key] : nullptr;
}

std::vector<TrafficRow> TrafficTable::read(int mapFd) {
  std::vector<TrafficRow> rows = entriesOf(mapFd);
  const bool full = rows.size() >= crowded;
  readings_ += 1;
  for (TrafficRow& row : rows) {
    const bastion_traffic amounts = row.amounts;
    Total* total = totalOf(row.key);
    const bool silent = total == nullptr || same(total->seen, amounts);
    if (total != nullptr) {
      add(row.amounts, total->before);
      total->seen = amounts;
      total->reading = readings_;
    }
    if (!full || !silent || bpf_map_delete_elem(mapFd, &row.key) < 0) continue;
    add(total == nullptr ? others_ : total->before, amounts);
    if (total != nullptr) total->seen = {};
  }
  for (const auto& [key, total] : totals_) {
    if (total.reading != readings_) rows.push_back({key, total.before});
  }
  if (others_.sent.packets + others_.received.packets > 0) rows.push_back({nobody, others_});
  return rows;
}

}  // namespace bastion
