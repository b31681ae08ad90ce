// SPDX-License-Identifier: GPL-3.0-or-later
// Records that the BPF programs put into their rings. The first byte says into which.
#include "../../../native/src/kernel_part.cpp"
#include "target.hpp"

// What only the start of the programs needs.
bastion::OlderSockets bastion::findOlderSockets(size_t) { return {}; }
uint64_t bastion::networkNamespaceCookie() { return 0; }

using bastion::KernelPart;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  KernelPart part;
  part.homeNamespaces_ = {1, 2};
  part.flowEventLimit_ = 1;
  // The ring hands out records at multiples of 8 bytes.
  const size_t length = size - 1;
  const std::unique_ptr<uint8_t[]> record(new uint8_t[length]);
  memcpy(record.get(), data + 1, length);
  using Take = int (*)(void*, void*, size_t);
  const Take takers[] = {KernelPart::onPath, KernelPart::onReport, KernelPart::onDns, KernelPart::onFlow};
  takers[data[0] % 4](&part, record.get(), length);
  require(part.paths_.size() + part.otherPaths_.size() <= 1 && part.takeReports().size() <= 1 && part.flowEvents_.size() <= 1);
  for (const auto& message : part.takeDns()) require(message.payload.size() <= length);
  if (length >= sizeof(bastion_path_event)) {
    const auto* event = reinterpret_cast<const bastion_path_event*>(record.get());
    for (auto* table : {&part.paths_, &part.otherPaths_}) {
      const std::string* path = table->find(event->executable);
      if (path != nullptr) require(path->starts_with('/') && path->size() <= BASTION_PATH_BYTES && path->find('\0') == std::string::npos);
    }
  }
  return 0;
}
