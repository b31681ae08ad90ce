// SPDX-License-Identifier: GPL-3.0-or-later
// A table with a limit: the entry that was used longest ago makes room.
#pragma once

#include <list>
#include <optional>
#include <unordered_map>

#include "common.hpp"

namespace bastion {

template <class Key, class Value>
class BoundedTable {
 public:
  explicit BoundedTable(size_t limit) : limit_(limit) {}

  /// Counts as a use. The pointer lives until the next change.
  Value* find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }

  /// Returns the key that had to go, if one had to.
  std::optional<Key> put(const Key& key, Value value) {
    if (Value* known = find(key)) {
      *known = std::move(value);
      return std::nullopt;
    }
    std::optional<Key> evicted;
    if (index_.size() >= limit_) {
      evicted = order_.back().first;
      index_.erase(*evicted);
      order_.pop_back();
    }
    order_.emplace_front(key, std::move(value));
    index_.emplace(key, order_.begin());
    return evicted;
  }

  void erase(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    order_.erase(found->second);
    index_.erase(found);
  }

  size_t size() const { return index_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;
  size_t limit_;
  Entries order_;
  std::unordered_map<Key, typename Entries::iterator, ByteHash<Key>, ByteEqual<Key>> index_;
};

}  // namespace bastion
