// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernel_load.hpp"

#include <algorithm>
#include <array>
#include <bpf/libbpf.h>
#include <cstdio>
#include <string_view>
#include <utility>

#include "lineage.hpp"
#include "pins.hpp"

namespace bastion {

namespace {

constexpr std::array optionalPrograms = {"on_ingress", "on_egress"};
constexpr size_t complaintBytes = 512;

thread_local std::string complaint;

int keepComplaint(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char text[complaintBytes];
  const int length = vsnprintf(text, sizeof text, format, arguments);
  // The first line names the cause; the rest repeats it for each layer above.
  if (complaint.empty()) complaint = text;
  if (!complaint.empty() && complaint.back() == '\n') complaint.pop_back();
  return length;
}

bool load(LoadedKernel& loaded, const std::string& objectPath, const PinFolders& folders, std::string& why) {
  forgetComplaint();
  std::unique_ptr<bpf_object, CloseObject> object(bpf_object__open_file(objectPath.c_str(), nullptr));
  if (!object) {
    why = objectPath + ": " + explained(errno);
    return false;
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (loaded.reuse) bpf_map__set_pin_path(map, (folders.maps + "/" + bpf_map__name(map)).c_str());
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool leftOut = (!loaded.parts.gate && isOptional(program)) || (!loaded.parts.lineage && Lineage::isPart(program)) ||
                         (!loaded.parts.flows && isFlows(program));
    if (leftOut) bpf_program__set_autoload(program, false);
  }
  if (const int result = bpf_object__load(object.get()); result < 0) {
    why = explained(result);
    return false;
  }
  loaded.object = std::move(object);
  return true;
}

void loadMost(LoadedKernel& loaded, const std::string& objectPath, const PinFolders& folders, bool fits) {
  constexpr std::array attempts = {OptionalParts{true, true, true}, OptionalParts{true, true, false}, OptionalParts{true, false, false},
                                   OptionalParts{false, true, false}, OptionalParts{false, false, false}};
  std::string firstWhy;
  std::string why;
  for (const OptionalParts& attempt : attempts) {
    loaded.parts = attempt;
    loaded.reuse = fits;
    bool done = fits && load(loaded, objectPath, folders, why);
    if (!done) {
      loaded.reuse = false;
      done = load(loaded, objectPath, folders, why);
    }
    if (!done) {
      if (firstWhy.empty()) firstWhy = why;
      continue;
    }
    if (!attempt.gate) loaded.missing.push_back({theGate, firstWhy});
    if (!attempt.lineage) loaded.missing.push_back({theLineage, firstWhy});
    if (!attempt.flows) loaded.missing.push_back({theFlows, firstWhy});
    return;
  }
  loaded.missing.push_back({theHooks, why});
}

}  // namespace

void CloseObject::operator()(bpf_object* object) const { bpf_object__close(object); }

bool isOptional(const bpf_program* program) {
  const std::string_view name = bpf_program__name(program);
  return std::ranges::any_of(optionalPrograms, [name](const char* other) { return name == other; });
}

bool isFlows(const bpf_program* program) { return std::string_view(bpf_program__name(program)) == flowsProgram; }

void forgetComplaint() { complaint.clear(); }

std::string explained(int error) {
  std::string text = errorText(error);
  if (!complaint.empty()) text += " (" + complaint.substr(0, complaint.find('\n')) + ")";
  complaint.clear();
  return text;
}

LoadedKernel loadKernel(const std::string& objectPath, const std::string& pinPath) {
  libbpf_set_print(keepComplaint);
  LoadedKernel loaded;
  const PinFolders folders(pinPath);
  if (!makePinFolders(folders)) {
    loaded.missing.push_back({theHooks, pinPath + ": " + (errno == ENOTSUP ? "not on a BPF file system" : errorText(errno))});
    return loaded;
  }
  uint32_t layout = 0;
  const PinnedLayout pinned = pinnedLayout(folders, layout);
  loadMost(loaded, objectPath, folders, pinned == PinnedLayout::fits);
  if (pinned == PinnedLayout::another)
    loaded.discarded = "its tables have the layout " + std::to_string(layout) + ", not " + std::to_string(BASTION_LAYOUT);
  else if (pinned == PinnedLayout::fits && !loaded.reuse)
    loaded.discarded = "the kernel does not let its tables be used by these programs";
  return loaded;
}

std::unique_ptr<KernelLoad> KernelLoad::begin(std::string objectPath, std::string pinPath) {
  std::unique_ptr<KernelLoad> ahead(new KernelLoad(std::move(objectPath), std::move(pinPath)));
  KernelLoad* self = ahead.get();
  if (self->thread_.start([self] { self->loaded_ = loadKernel(self->objectPath_, self->pinPath_); }) != 0) return nullptr;
  return ahead;
}

LoadedKernel KernelLoad::take() {
  thread_.join();
  return std::move(loaded_);
}

}  // namespace bastion
