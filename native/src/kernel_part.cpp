// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernel_part.hpp"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adoption.hpp"
#include "network_namespace.hpp"
#include "pins.hpp"

namespace bastion {

namespace {

constexpr const char* gateProgram = "on_egress";
/// What is attached beside programs of another layout, as long as those are attached too.
constexpr const char* beside = "_beside";

bool isForNetfilter(const bpf_program* program) { return bpf_program__type(program) == BPF_PROG_TYPE_SOCKET_FILTER; }

template <class Key>
void emptyMap(int fd) {
  // Deleting the first key again and again needs no cursor that a deletion could break.
  Key key{};
  while (bpf_map_get_next_key(fd, nullptr, &key) == 0 && bpf_map_delete_elem(fd, &key) == 0) {
  }
}

/// Runs the program in this process's own context. The packet that it is given must be as long as an Ethernet header.
bool noteHelper(int program) {
  std::array<char, 64> packet{};
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.data_in = packet.data();
  options.data_size_in = packet.size();
  options.repeat = 1;
  return bpf_prog_test_run_opts(program, &options) == 0 && options.retval == 1;
}

template <class Key, class Value, class Visit>
void eachEntry(int fd, const Visit& visit) {
  Key key{};
  Key next{};
  Value value{};
  // Nobody else writes these maps; the count only ends a walk that a deletion inside `visit` could send in circles.
  const void* from = nullptr;
  for (uint32_t count = 0; count < 2 * BASTION_MAX_FLOWS && bpf_map_get_next_key(fd, from, &next) == 0; count += 1) {
    key = next;
    from = &key;
    if (bpf_map_lookup_elem(fd, &key, &value) == 0) visit(key, value);
  }
}

/// Its number, 0 if it is not told.
uint32_t mountNamespaceOf(const char* process) {
  struct stat info {};
  return stat(("/proc/" + std::string(process) + "/ns/mnt").c_str(), &info) == 0 ? static_cast<uint32_t>(info.st_ino) : 0;
}

}  // namespace

bool KernelPart::attachPrograms(int cgroup, const PinFolders& folders, bool reuse, bool optionalParts, bool gate,
                                std::vector<Missing>& missing) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    const std::string name = bpf_program__name(program);
    if (Lineage::isPart(program) || isFlows(program) || (!optionalParts && isOptional(program)) || (name == gateProgram) != gate) continue;
    forgetComplaint();
    if (isForNetfilter(program)) {
      const int result = replacePin(bpf_program__fd(program), folders.programs + "/" + name);
      if (result == 0) continue;
      missing.push_back({name == gateProgram ? theGate : name, explained(result)});
      return false;
    }
    const int result = attachPinned(program, cgroup, folders.links + "/" + name + (reuse ? "" : beside), reuse);
    if (result == 0) continue;
    missing.push_back({name == gateProgram ? theGate : name, explained(result)});
    if (!isOptional(program)) return false;
  }
  return true;
}

bool KernelPart::takePlaces(const PinFolders& folders, const OptionalParts& parts, std::vector<Missing>& missing) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    const bool alreadyThere = (Lineage::isPart(program) && parts.lineage) || (isFlows(program) && parts.flows);
    if (alreadyThere) continue;
    const std::string path = folders.links + "/" + bpf_program__name(program);
    if (rename((path + beside).c_str(), path.c_str()) == 0) continue;
    // What this helper goes without: the earlier one's would judge by tables that nobody keeps.
    if (errno == ENOENT && (unlink(path.c_str()) == 0 || errno == ENOENT)) continue;
    missing.push_back({bpf_program__name(program), errorText(errno)});
    return false;
  }
  return true;
}

bool KernelPart::attach(const KernelPaths& paths, bool reuse, OptionalParts& parts, std::vector<Missing>& missing) {
  const PinFolders folders(paths.pinPath);
  const UniqueFd cgroup(::open(paths.cgroupPath.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) {
    missing.push_back({theHooks, paths.cgroupPath + ": " + errorText(errno)});
    return false;
  }
  // The gate comes last: it judges by what the others record, and sockets that are older than they are found before.
  if (!attachPrograms(cgroup.get(), folders, reuse, parts.gate, false, missing)) return false;
  attachTracing(folders, parts, missing);
  if (parts.gate) {
    for (const bastion_owner& owner : findOlderSockets().owners) {
      if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object_, "owners"), &owner.cookie, &owner, BPF_NOEXIST) < 0 && errno == E2BIG) break;
    }
    if (!attachPrograms(cgroup.get(), folders, reuse, parts.gate, true, missing)) return false;
  }
  if (!reuse && !takePlaces(folders, parts, missing)) return false;
  // What an earlier version attached besides goes only now: everything of this one is in place.
  const auto isProgram = [this](const std::string& name) { return bpf_object__find_program_by_name(object_, name.c_str()) != nullptr; };
  emptyPinFolder(folders.links, isProgram);
  emptyPinFolder(folders.programs, isProgram);
  if (reuse) return true;
  emptyPinFolder(folders.maps);
  return pinMaps(folders, missing);
}

bool KernelPart::pinMaps(const PinFolders& folders, std::vector<Missing>& missing) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_) {
    if (replacePin(bpf_map__fd(map), folders.maps + "/" + bpf_map__name(map)) == 0) continue;
    missing.push_back({std::string("pin of the map ") + bpf_map__name(map), errorText(errno)});
    return false;
  }
  return true;
}

/// What the kernel tells beside its verdicts.
void KernelPart::attachTracing(const PinFolders& folders, OptionalParts& parts, std::vector<Missing>& missing) {
  std::string why;
  if (parts.lineage && !Lineage::attach(object_, folders, why)) {
    missing.push_back({theLineage, why});
    parts.lineage = false;
  }
  if (!parts.flows) return;
  if (const int result = attachTracepoint(bpf_object__find_program_by_name(object_, flowsProgram), folders.links + "/" + flowsProgram); result != 0) {
    missing.push_back({theFlows, errorText(result)});
    parts.flows = false;
  }
}

bool KernelPart::settle(const KernelPaths& paths, std::string& why) {
  void* memory = mmap(nullptr, sizeof(bastion_settings), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_object__find_map_fd_by_name(object_, "settings"), 0);
  if (memory == MAP_FAILED) {
    why = "settings map: " + errorText(errno);
    return false;
  }
  settings_ = static_cast<bastion_settings*>(memory);
  settings_->layout = BASTION_LAYOUT;
  settings_->decide_in_thread = paths.decideInThread ? 1 : 0;
  settings_->refuse_mark = paths.refuseMark;
  settings_->network_namespace = networkNamespaceCookie();
  if (generation() == 0) setGeneration(1);
  return true;
}

bool KernelPart::start(const KernelPaths& paths, const OptionalParts& parts, std::string& why) {
  const auto fd = [this](const char* name) { return bpf_object__find_map_fd_by_name(object_, name); };
  pending_ = fd("pending");
  owners_ = fd("owners");
  flows_ = fd("flows");
  verdicts_ = fd("verdicts");
  seen_ = fd("seen");
  counters_ = fd("counters");
  hits_ = fd("hits");
  traffic_ = fd("traffic");
  programs_ = PinFolders(paths.pinPath).programs;
  forgetComplaint();
  ring_ = ring_buffer__new(fd("executables"), &KernelPart::onPath, this, nullptr);
  if (ring_ == nullptr || ring_buffer__add(ring_, fd("reports"), &KernelPart::onReport, this) < 0 ||
      ring_buffer__add(ring_, fd("dns"), &KernelPart::onDns, this) < 0) {
    why = "ring buffers: " + explained(errno);
    return false;
  }
  if (parts.flows) flowRing_ = ring_buffer__new(fd("flow_events"), &KernelPart::onFlow, this, nullptr);
  if (!noteHelper(bpf_program__fd(bpf_object__find_program_by_name(object_, "note_helper")))) {
    why = "note_helper: " + explained(errno);
    return false;
  }
  // What an earlier consumer was told is lost with it.
  homeNamespaces_ = {mountNamespaceOf("self"), mountNamespaceOf("1")};
  tellPathsAgain();
  if (parts.lineage) lineage_ = std::make_unique<Lineage>(object_, [this](uint32_t mountNamespace) { return isHome(mountNamespace); });
  setTurned(wakingNs());
  return true;
}

std::unique_ptr<KernelPart> KernelPart::open(const KernelPaths& paths, std::unique_ptr<KernelLoad> ahead, std::vector<Missing>& missing) {
  if (ahead && ahead->isOf(paths.objectPath, paths.pinPath)) {
    std::vector<Missing> missingThen;
    if (auto part = open(paths, ahead->take(), missingThen)) {
      missing.insert(missing.end(), missingThen.begin(), missingThen.end());
      return part;
    }
    // Somebody may have taken the folders away since.
  }
  return open(paths, loadKernel(paths.objectPath, paths.pinPath), missing);
}

std::unique_ptr<KernelPart> KernelPart::open(const KernelPaths& paths, LoadedKernel loaded, std::vector<Missing>& missing) {
  missing.insert(missing.end(), loaded.missing.begin(), loaded.missing.end());
  if (loaded.object == nullptr) return nullptr;
  std::unique_ptr<KernelPart> part(new KernelPart());
  part->object_ = loaded.object.release();
  part->discarded_ = loaded.discarded;
  const PinFolders folders(paths.pinPath);
  OptionalParts& parts = loaded.parts;
  std::string why;
  const bool settled = part->settle(paths, why);
  const bool attached = settled && part->attach(paths, loaded.reuse, parts, missing);
  if (!attached || !part->start(paths, parts, why)) {
    if (attached || !settled) missing.push_back({theHooks, why});
    // Half of the hooks would name owners for half of the packets.
    removePinFolders(folders);
    return nullptr;
  }
  part->where_ = paths;
  part->parts_ = parts;
  part->cgroup_.reset(::open(paths.cgroupPath.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  part->absent_ = part->lostPins();
  return part;
}

void KernelPart::removePins(const std::string& pinPath) { removePinFolders(PinFolders(pinPath)); }

KernelPart::~KernelPart() {
  if (ring_ != nullptr) ring_buffer__free(ring_);
  if (flowRing_ != nullptr) ring_buffer__free(flowRing_);
  if (settings_ != nullptr) munmap(settings_, sizeof *settings_);
  if (object_ != nullptr) bpf_object__close(object_);
}

uint32_t KernelPart::generation() const { return __atomic_load_n(&settings_->generation, __ATOMIC_ACQUIRE); }

void KernelPart::setGeneration(uint32_t generation) { __atomic_store_n(&settings_->generation, generation, __ATOMIC_RELEASE); }

uint64_t KernelPart::policy() const { return __atomic_load_n(&settings_->policy, __ATOMIC_ACQUIRE); }

void KernelPart::setPolicy(uint64_t policy) { __atomic_store_n(&settings_->policy, policy, __ATOMIC_RELEASE); }

void KernelPart::setDrained(uint64_t ns) { __atomic_store_n(&settings_->drained_ns, ns, __ATOMIC_RELEASE); }

void KernelPart::setTurned(uint64_t ns) { __atomic_store_n(&settings_->turned_ns, ns, __ATOMIC_RELEASE); }

void KernelPart::tellPathsAgain() { emptyMap<bastion_seen_key>(seen_); }

void KernelPart::setGate(uint32_t flags) { __atomic_store_n(&settings_->gate, flags, __ATOMIC_RELEASE); }

void KernelPart::setTellFlows(bool on) { __atomic_store_n(&settings_->tell_flows, on && flowRing_ != nullptr ? 1 : 0, __ATOMIC_RELEASE); }

void KernelPart::emptyDecisions() {
  emptyMap<bastion_verdict_key>(verdicts_);
  emptyMap<bastion_flow_key>(flows_);
  __atomic_store_n(&settings_->forms, 0, __ATOMIC_RELEASE);
}

void KernelPart::eachFlow(const std::function<void(const bastion_flow_key&, const bastion_verdict&)>& visit) const {
  std::vector<bastion_flow_key> old;
  eachEntry<bastion_flow_key, bastion_verdict>(flows_, [&](const auto& key, const auto& verdict) {
    if (verdict.generation == generation()) visit(key, verdict);
    else old.push_back(key);
  });
  for (const bastion_flow_key& key : old) bpf_map_delete_elem(flows_, &key);
}

void KernelPart::eachVerdict(const std::function<void(const bastion_verdict_key&, const bastion_verdict&)>& visit) const {
  std::vector<bastion_verdict_key> old;
  eachEntry<bastion_verdict_key, bastion_verdict>(verdicts_, [&](const auto& key, const auto& verdict) {
    if (verdict.generation == generation()) visit(key, verdict);
    else old.push_back(key);
  });
  for (const bastion_verdict_key& key : old) bpf_map_delete_elem(verdicts_, &key);
}

std::vector<uint64_t> KernelPart::hits() const {
  const int cpus = libbpf_num_possible_cpus();
  std::vector<uint64_t> sums(highestSlot_ + 1);
  std::vector<uint64_t> values(static_cast<size_t>(std::max(cpus, 1)));
  for (uint32_t slot = 1; cpus > 0 && slot <= highestSlot_; slot += 1) {
    if (bpf_map_lookup_elem(hits_, &slot, values.data()) < 0) continue;
    for (const uint64_t value : values) sums[slot] += value;
  }
  return sums;
}

bool KernelPart::writeOwner(const bastion_owner& owner) {
  return bpf_map_update_elem(owners_, &owner.cookie, &owner, BPF_NOEXIST) == 0 || errno == EEXIST;
}

bool KernelPart::lookupPending(const bastion_tuple& tuple, bastion_pending& entry) const {
  return bpf_map_lookup_elem(pending_, &tuple, &entry) == 0;
}

bool KernelPart::lookupOwner(uint64_t cookie, bastion_owner& owner) const {
  return bpf_map_lookup_elem(owners_, &cookie, &owner) == 0;
}

// A write that fails costs a trip through the queue, where the thread's own memory answers. What was there before goes:
// an older verdict must not outlive a newer one.
void KernelPart::writeFlow(const bastion_flow_key& key, const bastion_verdict& verdict) {
  highestSlot_ = std::max(highestSlot_, std::min<uint32_t>(verdict.hit_slot, BASTION_HIT_SLOTS - 1));
  __atomic_or_fetch(&settings_->forms, BASTION_HAS_FLOWS, __ATOMIC_RELEASE);
  if (bpf_map_update_elem(flows_, &key, &verdict, BPF_ANY) < 0) bpf_map_delete_elem(flows_, &key);
}

void KernelPart::deleteFlow(const bastion_flow_key& key) { bpf_map_delete_elem(flows_, &key); }

void KernelPart::writeVerdict(const bastion_verdict_key& key, const bastion_verdict& verdict) {
  highestSlot_ = std::max(highestSlot_, std::min<uint32_t>(verdict.hit_slot, BASTION_HIT_SLOTS - 1));
  __atomic_or_fetch(&settings_->forms, 1U << (key.form & ~BASTION_FORM_REPLY), __ATOMIC_RELEASE);
  if (bpf_map_update_elem(verdicts_, &key, &verdict, BPF_ANY) < 0) bpf_map_delete_elem(verdicts_, &key);
}

void KernelPart::deleteVerdict(const bastion_verdict_key& key) { bpf_map_delete_elem(verdicts_, &key); }

int KernelPart::ringFd() const { return ring_buffer__epoll_fd(ring_); }

void KernelPart::consumeRings() { ring_buffer__consume(ring_); }

int KernelPart::flowsFd() const { return flowRing_ == nullptr ? -1 : ring_buffer__epoll_fd(flowRing_); }

std::vector<bastion_flow_event> KernelPart::takeFlows(size_t limit) {
  if (flowRing_ == nullptr) return {};
  flowEventLimit_ = limit;
  ring_buffer__consume(flowRing_);
  return std::exchange(flowEvents_, {});
}

int KernelPart::onFlow(void* context, void* data, size_t size) {
  auto* part = static_cast<KernelPart*>(context);
  if (size >= sizeof(bastion_flow_event)) part->flowEvents_.push_back(*static_cast<const bastion_flow_event*>(data));
  // An error ends the reading after this one; the rest stays in the ring.
  return part->flowEvents_.size() < part->flowEventLimit_ ? 0 : -ENOBUFS;
}

int KernelPart::onReport(void* context, void* data, size_t size) {
  auto* part = static_cast<KernelPart*>(context);
  if (size >= sizeof(bastion_report) && part->reports_.size() < reportLimit)
    part->reports_.push_back(*static_cast<const bastion_report*>(data));
  return 0;
}

int KernelPart::onDns(void* context, void* data, size_t size) {
  auto* part = static_cast<KernelPart*>(context);
  const auto* event = static_cast<const bastion_dns_event*>(data);
  constexpr size_t headBytes = offsetof(bastion_dns_event, payload);
  if (size < headBytes || event->length > size - headBytes) return 0;
  if (part->dns_.size() >= dnsLimit) {
    part->dnsLost_ += 1;
    return 0;
  }
  part->dns_.push_back({event->owner, event->tuple, event->time_ns, event->sequence, event->received != 0,
                        {event->payload, event->payload + event->length}});
  return 0;
}

int KernelPart::onPath(void* context, void* data, size_t size) {
  const auto* event = static_cast<const bastion_path_event*>(data);
  if (size < sizeof *event || event->complete == 0 || event->length > BASTION_PATH_BYTES) return 0;
  std::string path;
  std::string_view names(event->names, event->length);
  while (!names.empty()) {
    const size_t end = names.find('\0');
    if (end == std::string_view::npos) return 0;
    path.insert(0, "/" + std::string(names.substr(0, end)));
    names.remove_prefix(end + 1);
  }
  auto* part = static_cast<KernelPart*>(context);
  auto& table = part->isHome(event->mount_namespace) ? part->paths_ : part->otherPaths_;
  if (!path.empty()) table.put(event->executable, std::move(path));
  return 0;
}

const std::string* KernelPart::pathOf(const bastion_executable& executable) {
  if (const std::string* path = paths_.find(executable)) return path;
  for (const uint32_t home : homeNamespaces_) {
    const bastion_seen_key key{executable, home, 0};
    bpf_map_delete_elem(seen_, &key);
  }
  return otherPaths_.find(executable);
}

std::optional<std::string> KernelPart::toldPath(const ImageRecord& image) {
  if (!isHome(image.mountNamespace)) return "";
  if (const std::string* path = paths_.find(image.executable)) return *path;
  // The next exec of this file tells it again.
  const bastion_seen_key key{image.executable, image.mountNamespace, 0};
  bpf_map_delete_elem(seen_, &key);
  return std::nullopt;
}

bool KernelPart::isHome(uint32_t mountNamespace) const {
  return mountNamespace != 0 && std::ranges::find(homeNamespaces_, mountNamespace) != homeNamespaces_.end();
}

KernelCounters KernelPart::counters() const {
  KernelCounters sums{};
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return sums;
  std::vector<uint64_t> values(static_cast<size_t>(cpus));
  for (uint32_t index = 0; index < sums.size(); index += 1) {
    if (bpf_map_lookup_elem(counters_, &index, values.data()) < 0) continue;
    for (const uint64_t value : values) sums[index] += value;
  }
  sums[BASTION_COUNT_DNS_LOST] += dnsLost_;
  return sums;
}

}  // namespace bastion
