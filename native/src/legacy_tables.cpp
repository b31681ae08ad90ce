// SPDX-License-Identifier: GPL-3.0-or-later
#include "legacy_tables.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

namespace bastion {

namespace {

/// The shape is asked for every 25 ms, the contents every second.
constexpr uint32_t contentsEvery = 40;
/// A table of more is compared by its shape alone: its copy would cost more than it is worth.
constexpr uint32_t contentsLimitBytes = 512 * 1024;

// The two families have the same requests with the same layout. Source: linux/netfilter_ipv4/ip_tables.h, ip6_tables.h.
static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo) && IPT_SO_GET_INFO == IP6T_SO_GET_INFO);
static_assert(IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);

/// Rules count what they matched; that is no change.
template <class Entry>
void clearCounters(unsigned char* entries, uint32_t sizeBytes) {
  for (uint32_t at = 0; at + sizeof(Entry) <= sizeBytes;) {
    Entry entry;
    memcpy(&entry, entries + at, sizeof entry);
    memset(entries + at + offsetof(Entry, counters), 0, sizeof entry.counters);
    if (entry.next_offset < sizeof(Entry)) return;
    at += entry.next_offset;
  }
}

}  // namespace

bool LegacyTables::open() {
  v4_.reset(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!v4_.valid()) return false;
  // A kernel without IPv6 has no rules for it either.
  v6_.reset(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  return v6_.valid() || errno == EAFNOSUPPORT;
}

uint64_t LegacyTables::shapeOf(const Table& table, uint32_t& sizeBytes) const {
  ipt_getinfo info{};
  socklen_t length = sizeof info;
  strncpy(info.name, table.name, sizeof info.name - 1);
  const int fd = table.v6 ? v6_.get() : v4_.get();
  const int level = table.v6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
  if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &length) < 0) return 0;
  sizeBytes = info.size;
  return seededHash(&info, sizeof info);
}

uint64_t LegacyTables::contentsOf(const Table& table, uint32_t sizeBytes) {
  if (sizeBytes == 0 || sizeBytes > contentsLimitBytes) return 0;
  constexpr size_t header = offsetof(ipt_get_entries, entrytable);
  static_assert(header == offsetof(ip6t_get_entries, entrytable));
  socklen_t length = static_cast<socklen_t>(header + sizeBytes);
  buffer_.assign(length, 0);
  strncpy(reinterpret_cast<char*>(buffer_.data()), table.name, XT_TABLE_MAXNAMELEN - 1);
  memcpy(buffer_.data() + offsetof(ipt_get_entries, size), &sizeBytes, sizeof sizeBytes);
  const int fd = table.v6 ? v6_.get() : v4_.get();
  const int level = table.v6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
  // The table changed between the two questions: the next look sees its new shape.
  if (getsockopt(fd, level, IPT_SO_GET_ENTRIES, buffer_.data(), &length) < 0) return 0;
  unsigned char* entries = buffer_.data() + header;
  if (table.v6)
    clearCounters<ip6t_entry>(entries, sizeBytes);
  else
    clearCounters<ipt_entry>(entries, sizeBytes);
  return seededHash(entries, sizeBytes);
}

bool LegacyTables::changed() {
  const bool first = calls_ == 0;
  const bool thorough = calls_ % contentsEvery == 0;
  calls_ = calls_ == contentsEvery ? 1 : calls_ + 1;
  bool differs = false;
  for (Table& table : tables_) {
    uint32_t sizeBytes = 0;
    const uint64_t shape = shapeOf(table, sizeBytes);
    const bool reshaped = shape != table.shape;
    differs = differs || reshaped;
    table.shape = shape;
    if (!thorough && !reshaped) continue;
    const uint64_t contents = contentsOf(table, sizeBytes);
    differs = differs || contents != table.contents;
    table.contents = contents;
  }
  return differs && !first;
}

}  // namespace bastion
