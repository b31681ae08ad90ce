// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace bastion {

/// sd_notify(3): one datagram to $NOTIFY_SOCKET from this process; false without one or if it could not be sent.
bool notifyManager(const std::string& state);

}  // namespace bastion
