// SPDX-License-Identifier: GPL-3.0-or-later
// What another program took away while we run: pins deleted, links detached. The programs and maps themselves live on in our hands.
#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kernel_part.hpp"
#include "pins.hpp"

namespace bastion {

namespace {

constexpr const char* mapPrefix = "map ";

bool isTracing(const bpf_program* program) { return bpf_program__type(program) == BPF_PROG_TYPE_TRACING; }

bool isForNetfilter(const bpf_program* program) { return bpf_program__type(program) == BPF_PROG_TYPE_SOCKET_FILTER; }

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<std::string> KernelPart::lostPins() const {
  const PinFolders folders(where_.pinPath);
  std::vector<std::string> lost;
  const auto look = [&](const std::string& name, bool there) {
    if (!there && std::ranges::find(absent_, name) == absent_.end()) lost.push_back(name);
  };
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    const std::string name = bpf_program__name(program);
    const int cgroup = isTracing(program) ? -1 : cgroup_.get();
    look(name, isForNetfilter(program) ? programIsPinned(bpf_program__fd(program), folders.programs + "/" + name)
                                       : linkIsPinned(program, cgroup, folders.links + "/" + name));
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_) {
    const std::string name = bpf_map__name(map);
    look(mapPrefix + name, mapIsPinned(bpf_map__fd(map), folders.maps + "/" + name));
  }
  return lost;
}

std::string KernelPart::fault() const {
  bastion_settings settings{};
  const __u32 zero = 0;
  if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object_, "settings"), &zero, &settings) == 0) return "";
  return "the map settings does not answer: " + errorText(errno);
}

/// What is gone decides how much is done: `attach` looks for older sockets in all processes.
bool KernelPart::putBack(const std::vector<std::string>& lost, const PinFolders& folders, std::vector<Missing>& missing) {
  const auto isLost = [&lost](const std::string& name) { return std::ranges::find(lost, name) != lost.end(); };
  // The maps first: a helper that is started in between goes on with them.
  if (std::ranges::any_of(lost, [](const std::string& name) { return name.starts_with(mapPrefix); }) && !pinMaps(folders, missing)) return false;
  bool isDetached = false;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    const std::string name = bpf_program__name(program);
    if (!isLost(name)) continue;
    if (!isForNetfilter(program)) {
      isDetached = true;
    } else if (const int result = replacePin(bpf_program__fd(program), folders.programs + "/" + name); result != 0) {
      missing.push_back({name, errorText(result)});
      return false;
    }
  }
  OptionalParts parts = parts_;
  return !isDetached || attach(where_, true, parts, missing);
}

bool KernelPart::mendPins(std::string& why) {
  const PinFolders folders(where_.pinPath);
  if (!makePinFolders(folders)) {
    why = where_.pinPath + ": " + (errno == ENOTSUP ? "not on a BPF file system" : errorText(errno));
    return false;
  }
  std::vector<Missing> missing;
  const bool done = putBack(lostPins(), folders, missing);
  const std::vector<std::string> lost = lostPins();
  if (done && lost.empty()) return true;
  why = missing.empty() ? joined(lost) : missing.back().what + ": " + missing.back().why;
  return false;
}

}  // namespace bastion
