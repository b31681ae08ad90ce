// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace bastion {

/// One datagram to the socket at `path`; false if it could not be sent at once: a log must not be waited for.
bool sendToJournal(const std::string& path, const std::string& entry);

}  // namespace bastion
