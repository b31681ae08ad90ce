// SPDX-License-Identifier: GPL-3.0-or-later
// What the BPF programs wrote of forks and execs: a process, and images in any order, also in a circle.
#include "../../../native/src/lineage.hpp"

#include <string_view>

#include "target.hpp"

using bastion::ImageRecord;
using bastion::Lineage;

namespace {

constexpr int processesMap = 1;
constexpr int imagesMap = 2;
constexpr size_t longestText = BASTION_ARGUMENT_BYTES;

const uint8_t* input = nullptr;
size_t inputSize = 0;
size_t imagesRead = 0;

/// The input over and over: a record is longer than what libFuzzer changes well.
void fill(void* into, size_t size, size_t from) {
  auto* bytes = static_cast<uint8_t*>(into);
  for (size_t at = 0; at < size; at += 1) bytes[at] = input[(from + at) % inputSize];
}

bool isPlain(const std::string& text) { return text.size() <= longestText && text.find('\0') == std::string::npos; }

void check(const ImageRecord& image) {
  require(isPlain(image.command) && image.command.size() <= BASTION_COMMAND_BYTES);
  if (!image.exec) return;
  require(isPlain(image.exec->filename) && isPlain(image.exec->interpreter) && image.exec->arguments.size() <= 8);
  for (const std::string& argument : image.exec->arguments) require(isPlain(argument));
  const std::string& folder = image.exec->workingDirectory;
  require(isPlain(folder) && (folder.empty() || folder.starts_with('/')));
}

}  // namespace

// In place of libbpf's.
extern "C" int bpf_object__find_map_fd_by_name(const bpf_object*, const char* name) {
  return std::string_view(name) == "images" ? imagesMap : processesMap;
}

extern "C" int bpf_map_lookup_elem(int map, const void*, void* value) {
  if (map == processesMap) {
    fill(value, sizeof(bastion_process), 0);
    return 0;
  }
  imagesRead += 1;
  fill(value, sizeof(bastion_image), imagesRead * 8);
  // Every third one is gone, as in a chain that is being cut, where the input says so.
  return imagesRead % 3 == 0 && (input[0] & 1) != 0 ? -1 : 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  input = data;
  inputSize = size;
  imagesRead = 0;
  const Lineage lineage(nullptr, [](uint32_t space) { return space % 2 == 0; });
  bastion_executable ran{};
  fill(&ran, sizeof ran, 0);
  const auto record = lineage.find(data[0], data[size - 1], (data[0] & 2) != 0 ? &ran : nullptr);
  require(record.has_value() && record->ancestors.size() <= Lineage::maxAncestors && imagesRead <= 3 * BASTION_CHAIN);
  if (record->image) check(*record->image);
  for (const ImageRecord& image : record->ancestors) check(image);
  return 0;
}
