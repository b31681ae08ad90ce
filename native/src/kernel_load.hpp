// SPDX-License-Identifier: GPL-3.0-or-later
// The BPF programs and maps of the object file: loaded, and attached to nothing yet.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "thread.hpp"

struct bpf_object;
struct bpf_program;

namespace bastion {

struct Missing {
  std::string what;
  std::string why;
};

/// What can be left out.
struct OptionalParts {
  bool gate = true;
  bool lineage = true;
  bool flows = true;
};

/// What is missing by these names is told apart in helper/degraded.ts.
constexpr const char* theHooks = "owner hooks";
constexpr const char* theGate = "the gate";
constexpr const char* theLineage = "the record of forks and execs";
constexpr const char* theFlows = "the record of connections";
constexpr const char* flowsProgram = "on_tcp_end";

/// Without it something is asked about that need not be, or only netfilter enforces: told, and gone on without.
bool isOptional(const bpf_program* program);
bool isFlows(const bpf_program* program);

struct CloseObject {
  void operator()(bpf_object* object) const;
};

struct LoadedKernel {
  /// Null where not even the owner hooks could be loaded.
  std::unique_ptr<bpf_object, CloseObject> object;
  OptionalParts parts;
  /// Into the maps that an earlier helper had pinned.
  bool reuse = false;
  /// Why not into those, where there are some; else empty.
  std::string discarded;
  std::vector<Missing> missing;
};

/// Loads as many parts as the kernel takes, into the maps of an earlier helper where they fit. Makes the folders of the pins.
LoadedKernel loadKernel(const std::string& objectPath, const std::string& pinPath);

/// The same in a thread of its own: nothing else of a start takes longer than the kernel's look at the programs.
class KernelLoad {
 public:
  /// Null where the system gives no more threads.
  static std::unique_ptr<KernelLoad> begin(std::string objectPath, std::string pinPath);

  bool isOf(const std::string& objectPath, const std::string& pinPath) const { return objectPath == objectPath_ && pinPath == pinPath_; }

  /// Waits until it is done. Once.
  LoadedKernel take();

 private:
  KernelLoad(std::string objectPath, std::string pinPath) : objectPath_(std::move(objectPath)), pinPath_(std::move(pinPath)) {}

  std::string objectPath_;
  std::string pinPath_;
  LoadedKernel loaded_;
  /// The last member: joined before the others go.
  Thread thread_;
};

/// libbpf explains itself only through a process-wide callback, in the thread that calls it.
void forgetComplaint();
/// The error's text, and what libbpf said since.
std::string explained(int error);

}  // namespace bastion
