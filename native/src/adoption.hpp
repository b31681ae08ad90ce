// SPDX-License-Identifier: GPL-3.0-or-later
// Streams that are older than the hooks: found once, when the hooks are attached and the gate is not yet.
#pragma once

#include <vector>

#include "common.hpp"

namespace bastion {

struct OlderSockets {
  /// With BASTION_OWNER_ADOPTED and, for an accepted connection, BASTION_OWNER_INBOUND; pid 0 where no single program holds it.
  std::vector<bastion_owner> owners;
  /// Over the limit: they have no record, and are nobody's.
  size_t leftOut = 0;
};

/// TCP and MPTCP sockets of this network namespace that listen or have a peer; the kernel lists no others, and before one
/// connects a hook sees it. Subflows of MPTCP are TCP sockets of their own, held like the socket that they belong to. Sockets for
/// datagrams need none: each of their packets tells its sender, and a port that was bound before cannot be told from one that
/// the kernel chose. Reads every process's descriptors, so not on a thread that packets wait for.
OlderSockets findOlderSockets(size_t most = BASTION_MAX_OWNERS);

}  // namespace bastion
