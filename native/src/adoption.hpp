// SPDX-License-Identifier: GPL-3.0-or-later
// TCP sockets that are older than the hooks: found once, when the hooks are attached and the gate is not yet.
#pragma once

#include <vector>

#include "common.hpp"

namespace bastion {

/// One for each TCP socket of this network namespace, with BASTION_OWNER_ADOPTED and, for an accepted connection,
/// BASTION_OWNER_INBOUND; pid 0 where no single program holds it. At most 65,536. Sockets for datagrams need none: each of
/// their packets tells its sender.
std::vector<bastion_owner> findOlderSockets();

}  // namespace bastion
