// SPDX-License-Identifier: GPL-3.0-or-later
// Notices changes of the xtables tables by asking the kernel, without a process.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "common.hpp"

namespace bastion {

class LegacyTables {
 public:
  /// False, with `errno` set, if the kernel does not let us ask.
  bool open();
  /// Has a table another shape than at the last call? The first call says no. Every `contentsEvery`th call compares the
  /// rules themselves too: a rule that was replaced by one of the same length leaves the shape as it was.
  bool changed();

 private:
  struct Table {
    bool v6;
    const char* name;
    uint64_t shape = 0;
    uint64_t contents = 0;
  };

  uint64_t shapeOf(const Table& table, uint32_t& sizeBytes) const;
  uint64_t contentsOf(const Table& table, uint32_t sizeBytes);

  UniqueFd v4_;
  UniqueFd v6_;
  std::array<Table, 4> tables_{{{false, "mangle"}, {false, "filter"}, {true, "mangle"}, {true, "filter"}}};
  std::vector<unsigned char> buffer_;
  uint32_t calls_ = 0;
};

}  // namespace bastion
