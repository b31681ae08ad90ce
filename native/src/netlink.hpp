// SPDX-License-Identifier: GPL-3.0-or-later
// What every reader of netlink messages looks at first.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <linux/netlink.h>

namespace bastion {

/// Is the whole message within the `left` bytes? libmnl's own look takes a length beyond 2 GiB for a negative one, which fits.
inline bool isWhole(const nlmsghdr* message, int left) {
  return left >= NLMSG_HDRLEN && message->nlmsg_len >= NLMSG_HDRLEN && message->nlmsg_len <= static_cast<uint32_t>(left);
}

/// The error that the payload of a message of type NLMSG_ERROR or NLMSG_DONE begins with: an errno, 0 for none.
inline int errorOf(const nlmsghdr* message) {
  // Source: include/linux/err.h, MAX_ERRNO.
  constexpr int highest = 4095;
  int error = 0;
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof error)) return EBADMSG;
  memcpy(&error, NLMSG_DATA(message), sizeof error);
  return error <= 0 && error >= -highest ? -error : EBADMSG;
}

}  // namespace bastion
