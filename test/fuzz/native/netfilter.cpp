// SPDX-License-Identifier: GPL-3.0-or-later
// What nf_tables announces of a commit.
#include "../../../native/src/netfilter_watch.hpp"
#include "../../../native/src/legacy_tables.hpp"
#include "target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The watch reads into 8192 bytes, and an empty datagram is none.
  if (size == 0 || size > 8192) return 0;
  static const Datagrams datagrams;
  bastion::NetfilterWatch watch([] {});
  watch.netlink_.reset(dup(datagrams.theirs));
  datagrams.put(data, size);
  watch.receive();
  const bastion::NetfilterChanges changes = watch.take();
  require(changes.by.size() <= 1 && !(changes.unnamed && !changes.by.empty()));
  for (const auto& changer : changes.by) require(!changer.command.empty() && changer.command.find('\0') == std::string::npos);
  require(watch.take().empty());
  return 0;
}
