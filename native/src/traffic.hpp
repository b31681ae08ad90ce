// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes and packets of each program and user: what the kernel's table holds now, and what it held before.
#pragma once

#include <vector>

#include "bounded.hpp"

namespace bastion {

struct TrafficRow {
  bastion_traffic_key key{};
  bastion_traffic amounts{};
};

/// Not thread-safe: the data path's lock is held.
class TrafficTable {
 public:
  /// Everything since the kernel's table was made. Programs that found no room are one row with nobody's uid.
  std::vector<TrafficRow> read(int mapFd);

 private:
  struct Total {
    /// Of entries that were taken out of the kernel's table.
    bastion_traffic before{};
    /// What the entry said when it was last read.
    bastion_traffic seen{};
    uint64_t reading = 0;
  };
  Total* totalOf(const bastion_traffic_key& key);

  static constexpr size_t limit = size_t{2} * BASTION_MAX_TRAFFIC;
  std::unordered_map<bastion_traffic_key, Total, ByteHash<bastion_traffic_key>, ByteEqual<bastion_traffic_key>> totals_;
  /// Of programs that found no room here.
  bastion_traffic others_{};
  uint64_t readings_ = 0;
};

}  // namespace bastion
