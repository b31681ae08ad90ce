// SPDX-License-Identifier: GPL-3.0-or-later
// Answers of sock_diag. The first byte says what was asked.
#include <netinet/in.h>

#include "../../../native/src/sock_diag.hpp"
#include "target.hpp"

using bastion::DiagSocket;
using bastion::SockDiag;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static const Datagrams datagrams;
  static SockDiag diag;
  diag.fd_.reset(dup(datagrams.theirs));
  diag.sequence_ = 1;
  // Memory that ends where the answer does: a word more and the program ends.
  diag.buffer_ = std::string((size + 2) / 4 * 4, '\0');
  datagrams.put(data + 1, size - 1);
  const auto kind = static_cast<SockDiag::Kind>(data[0] % 3);
  const uint16_t protocol = (data[0] & 4) != 0 ? IPPROTO_UDP : IPPROTO_TCP;
  const int error = diag.receive(kind, protocol, [protocol](const DiagSocket& socket) {
    require((socket.family == 4 || socket.family == 6) && socket.protocol == protocol);
    if (protocol == IPPROTO_UDP) require(socket.opened == bastion::Opened::unknown);
  });
  require(error >= 0);
  diag.fd_.reset();
  return 0;
}
