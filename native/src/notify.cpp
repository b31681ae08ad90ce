// SPDX-License-Identifier: GPL-3.0-or-later
// Source: sd_notify(3), "Notes": AF_UNIX datagram, `@` stands for the abstract namespace.
#include "notify.hpp"

#include <cstddef>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.hpp"

namespace bastion {

bool notifyManager(const std::string& state) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in the helper changes its environment
  const char* path = getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return false;
  const size_t length = strlen(path);
  if (length < 2 || length >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  return sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size) ==
         static_cast<ssize_t>(state.size());
}

}  // namespace bastion
