// SPDX-License-Identifier: GPL-3.0-or-later
#include "lineage.hpp"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <climits>
#include <cstdlib>
#include <string_view>
#include <sys/mman.h>

#include "pins.hpp"
#include "processes.hpp"

namespace bastion {

namespace {

constexpr std::array tracepoints = {"on_fork", "on_exec", "on_exit"};
constexpr const char* adopter = "adopt_process";
constexpr size_t maxArguments = 8;
/// A chain is cut at twice its length; what grows while it is read may be longer.
constexpr size_t maxImages = size_t{3} * BASTION_CHAIN;
/// Each run takes in at least one more generation, mostly all of them: numbers of processes grow from parent to child.
constexpr int adoptionRuns = 16;

std::string textOf(const char* text, size_t size) { return {text, strnlen(text, size)}; }

/// Every argument that is there whole.
void readArguments(const bastion_image& image, ExecRecord& exec) {
  const size_t length = std::min<size_t>(image.arguments_length, sizeof image.arguments);
  std::string_view rest(image.arguments, length);
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos || exec.arguments.size() == maxArguments) {
      exec.truncated = true;
      return;
    }
    exec.arguments.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
}

/// The names of the parts come with the last one first.
std::string directoryOf(const bastion_image& image) {
  std::string path;
  const size_t length = std::min<size_t>(image.directory_length, sizeof image.directory);
  std::string_view names(image.directory, length);
  while (!names.empty()) {
    const size_t end = names.find('\0');
    if (end == std::string_view::npos) return "";
    path.insert(0, "/" + std::string(names.substr(0, end)));
    names.remove_prefix(end + 1);
  }
  return path.empty() ? "/" : path;
}

bool isOf(const bastion_image& image, uint32_t pid, uint64_t startNs) { return image.pid == pid && image.start_ns == startNs; }

/// The parent of an adopted process is the one that it has now: whoever started it may have gone.
bool hasKnownParent(const bastion_image& image) {
  const bool guessed = (image.flags & BASTION_IMAGE_ADOPTED) != 0 && image.parent.time_ns != 0;
  return !guessed && (image.flags & BASTION_IMAGE_GAP) == 0;
}

/// The same file: its change time moves on when a package is upgraded under a program that runs.
bool sameInode(const bastion_executable& a, const bastion_executable& b) {
  return a.device == b.device && a.inode == b.inode && a.generation == b.generation;
}

/// The image that is meant. What a process ran is there in one row, and after that what it was forked with.
size_t placeOf(const std::vector<bastion_image>& chain, uint32_t pid, uint64_t startNs, const bastion_executable* ran) {
  if (ran == nullptr) return 0;
  for (size_t place = 0; place < chain.size(); place += 1) {
    if (sameInode(chain[place].executable, *ran)) return place;
    if (!isOf(chain[place], pid, startNs)) break;
  }
  return 0;
}

bool runIterator(const bpf_program* program) {
  bpf_link* link = bpf_program__attach(program);
  if (link == nullptr) return false;
  const UniqueFd iterator(bpf_iter_create(bpf_link__fd(link)));
  bpf_link__destroy(link);
  char nothing[64];
  ssize_t count = iterator.valid() ? 1 : -1;
  while (count > 0 || (count < 0 && iterator.valid() && errno == EAGAIN)) count = read(iterator.get(), nothing, sizeof nothing);
  return count == 0;
}

size_t entriesOf(int map) {
  size_t count = 0;
  bastion_process_key key{};
  bastion_process_key next{};
  for (const void* from = nullptr; count < BASTION_MAX_PROCESSES && bpf_map_get_next_key(map, from, &next) == 0; count += 1) {
    key = next;
    from = &key;
  }
  return count;
}

/// Takes in the processes that are older than the programs.
void adoptProcesses(bpf_object* object) {
  const bpf_program* program = bpf_object__find_program_by_name(object, adopter);
  const int processes = bpf_object__find_map_fd_by_name(object, "processes");
  void* memory = mmap(nullptr, sizeof(bastion_settings), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_object__find_map_fd_by_name(object, "settings"), 0);
  if (memory == MAP_FAILED) return;
  auto* settings = static_cast<bastion_settings*>(memory);
  const auto takeAll = [&](bool all) { __atomic_store_n(&settings->adopt_all, all ? 1 : 0, __ATOMIC_RELEASE); };
  bool all = false;
  takeAll(all);
  size_t before = entriesOf(processes);
  for (int run = 0; run < adoptionRuns && runIterator(program); run += 1) {
    const size_t now = entriesOf(processes);
    if (all && now <= before) break;
    // First those whose parents are known; where none are left, one whose parent nobody lists, and then its children.
    all = now <= before;
    takeAll(all);
    before = now;
  }
  takeAll(false);
  munmap(memory, sizeof *settings);
}

}  // namespace

bool Lineage::isPart(const bpf_program* program) {
  const std::string_view name = bpf_program__name(program);
  return name == adopter || std::ranges::any_of(tracepoints, [name](const char* other) { return name == other; });
}

bool Lineage::attach(bpf_object* object, const PinFolders& folders, std::string& why) {
  for (const char* name : tracepoints) {
    const int result = attachTracepoint(bpf_object__find_program_by_name(object, name), folders.links + "/" + name);
    if (result == 0) continue;
    why = std::string(name) + ": " + errorText(result);
    // Forks without exits would fill the table.
    for (const char* other : tracepoints) unlink((folders.links + "/" + other).c_str());
    return false;
  }
  // At once: whoever forks before it is taken in has children without a past.
  adoptProcesses(object);
  return true;
}

std::string findPath(const ImageRecord& image) {
  std::string path = runningPath(image.pid, image.executable);
  if (!path.empty() || !image.exec) return path;
  char real[PATH_MAX];
  const std::string& name = image.exec->isScript ? image.exec->interpreter : image.exec->filename;
  return name.starts_with('/') && realpath(name.c_str(), real) != nullptr ? real : "";
}

Lineage::Lineage(bpf_object* object, IsHome isHome)
    : processes_(bpf_object__find_map_fd_by_name(object, "processes")),
      images_(bpf_object__find_map_fd_by_name(object, "images")),
      isHome_(std::move(isHome)) {}

ImageRecord Lineage::recordOf(const bastion_image_key& key, const bastion_image& image) const {
  ImageRecord record;
  record.key = key;
  record.pid = image.pid;
  record.startNs = image.start_ns;
  record.executable = image.executable;
  record.mountNamespace = image.mount_namespace;
  record.command = textOf(image.command, sizeof image.command);
  record.adopted = (image.flags & BASTION_IMAGE_ADOPTED) != 0;
  if (record.adopted) return record;
  ExecRecord exec;
  exec.filename = textOf(image.filename, sizeof image.filename);
  exec.interpreter = textOf(image.interpreter, sizeof image.interpreter);
  exec.isScript = (image.flags & BASTION_IMAGE_SCRIPT) != 0;
  exec.truncated = (image.flags & BASTION_IMAGE_TRUNCATED) != 0;
  readArguments(image, exec);
  if ((image.flags & BASTION_IMAGE_DIRECTORY) != 0 && isHome_(image.mount_namespace)) exec.workingDirectory = directoryOf(image);
  record.exec = std::move(exec);
  return record;
}

std::optional<bastion_process> Lineage::process(uint32_t pid, uint64_t startNs) const {
  const bastion_process_key key{startNs, pid, 0};
  bastion_process process{};
  if (bpf_map_lookup_elem(processes_, &key, &process) < 0) return std::nullopt;
  return process;
}

std::optional<LineageRecord> Lineage::find(uint32_t pid, uint64_t startNs, const bastion_executable* ran) const {
  const auto found = process(pid, startNs);
  if (!found) return std::nullopt;
  std::vector<bastion_image_key> keys;
  std::vector<bastion_image> chain;
  bastion_image image{};
  bastion_image_key at = found->image;
  const bool known = (found->flags & BASTION_PROCESS_GAP) == 0;
  while (at.time_ns != 0 && chain.size() < maxImages) {
    if (bpf_map_lookup_elem(images_, &at, &image) < 0) break;
    keys.push_back(at);
    chain.push_back(image);
    at = image.parent;
  }
  // A chain that is being cut may lose the next image between two looks.
  bool whole = known && at.time_ns == 0;
  LineageRecord record;
  size_t place = 0;
  if (known && !chain.empty()) {
    place = placeOf(chain, pid, startNs, ran);
    record.image = recordOf(keys[place], chain[place]);
    whole = whole && hasKnownParent(chain[place]);
    // What was only forked follows the process that called exec.
    if (isOf(chain[place], pid, startNs)) place += 1;
  }
  for (; place < chain.size() && record.ancestors.size() < maxAncestors; place += 1) {
    record.ancestors.push_back(recordOf(keys[place], chain[place]));
    whole = whole && hasKnownParent(chain[place]);
  }
  record.complete = whole && place == chain.size();
  return record;
}

}  // namespace bastion
