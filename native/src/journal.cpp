// SPDX-License-Identifier: GPL-3.0-or-later
// Source: systemd, "Native Journal Protocol": fields as lines of one datagram to /run/systemd/journal/socket.
#include "journal.hpp"

#include <cstddef>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.hpp"

namespace bastion {

bool sendToJournal(const std::string& path, const std::string& entry) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path[0] != '/' || path.size() >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return sendto(fd.get(), entry.data(), entry.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size) ==
         static_cast<ssize_t>(entry.size());
}

}  // namespace bastion
