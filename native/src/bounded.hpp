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

/// The same where users fill the table: none may have more than a share of it, and when all is full, whoever has most gives.
template <class Key, class Value>
class SharedTable {
 public:
  SharedTable(size_t limit, size_t share) : limit_(limit), share_(share) {}

  Value* find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    Entries& entries = users_[found->second->user];
    entries.splice(entries.begin(), entries, found->second);
    return &found->second->value;
  }

  /// Returns the key that had to go, if one had to.
  std::optional<Key> put(const Key& key, Value value, uint32_t user) {
    if (Value* known = find(key)) {
      *known = std::move(value);
      return std::nullopt;
    }
    std::optional<Key> evicted;
    const auto own = users_.find(user);
    if (own != users_.end() && own->second.size() >= share_) evicted = evictFrom(user);
    else if (index_.size() >= limit_) evicted = evictFrom(largest());
    Entries& entries = users_[user];
    entries.push_front({key, std::move(value), user});
    index_.emplace(key, entries.begin());
    return evicted;
  }

  void clear() {
    index_.clear();
    users_.clear();
  }

  size_t size() const { return index_.size(); }

 private:
  struct Entry {
    Key key;
    Value value;
    uint32_t user;
  };
  using Entries = std::list<Entry>;

  uint32_t largest() const {
    uint32_t user = 0;
    size_t most = 0;
    for (const auto& [name, entries] : users_) {
      if (entries.size() <= most) continue;
      user = name;
      most = entries.size();
    }
    return user;
  }

  Key evictFrom(uint32_t user) {
    const auto found = users_.find(user);
    const Key key = found->second.back().key;
    index_.erase(key);
    found->second.pop_back();
    if (found->second.empty()) users_.erase(found);
    return key;
  }

  size_t limit_;
  size_t share_;
  std::unordered_map<uint32_t, Entries> users_;
  std::unordered_map<Key, typename Entries::iterator, ByteHash<Key>, ByteEqual<Key>> index_;
};

}  // namespace bastion
