// SPDX-License-Identifier: GPL-3.0-or-later
#include "network_namespace.hpp"

#include <sys/socket.h>

#include "common.hpp"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace bastion {

uint64_t networkNamespaceCookie() {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

}  // namespace bastion
