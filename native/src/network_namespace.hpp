// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace bastion {

/// SO_NETNS_COOKIE of this process's network namespace, 0 if the kernel does not tell.
uint64_t networkNamespaceCookie();

}  // namespace bastion
