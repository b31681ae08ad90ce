// SPDX-License-Identifier: GPL-3.0-or-later
// Which program started which, as the kernel recorded it at fork and exec: reads what native/bpf/lineage.h wrote.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common.hpp"

struct bpf_object;
struct bpf_program;

namespace bastion {

struct PinFolders;

/// What one execve was given.
struct ExecRecord {
  /// Empty if it did not fit.
  std::string filename;
  /// Empty if it is the file itself, or did not fit.
  std::string interpreter;
  bool isScript = false;
  std::vector<std::string> arguments;
  bool truncated = false;
  /// Absolute, in this machine's own mount namespace; empty if it is not known there.
  std::string workingDirectory;
};

/// One program in the hands of one process, from one exec to the next.
struct ImageRecord {
  bastion_image_key key{};
  uint32_t pid = 0;
  uint64_t startNs = 0;
  bastion_executable executable{};
  uint32_t mountNamespace = 0;
  std::string command;
  bool adopted = false;
  std::optional<ExecRecord> exec;
};

/// Where the executable may be, if nobody has told: where /proc says while the process runs it, or by the name that was executed.
/// A claim; empty if there is none. Waits for file systems.
std::string findPath(const ImageRecord& image);

struct LineageRecord {
  /// Nothing if it is not known what the process runs.
  std::optional<ImageRecord> image;
  /// The nearest first, at most `maxAncestors`.
  std::vector<ImageRecord> ancestors;
  bool complete = false;
};

class Lineage {
 public:
  static constexpr size_t maxAncestors = 8;

  /// Is it one of the programs that `attach` sees to?
  static bool isPart(const bpf_program* program);
  /// Attaches and pins them, in place of those of an earlier helper: both record until then. Takes in the processes that are
  /// older.
  static bool attach(bpf_object* object, const PinFolders& folders, std::string& why);

  using IsHome = std::function<bool(uint32_t mountNamespace)>;
  Lineage(bpf_object* object, IsHome isHome);

  /// The process as it is now; its image is another one after each exec.
  std::optional<bastion_process> process(uint32_t pid, uint64_t startNs) const;
  /// `ran`: the program that is meant, where the process may run another one since. One that it never ran is left aside.
  std::optional<LineageRecord> find(uint32_t pid, uint64_t startNs, const bastion_executable* ran) const;

 private:
  ImageRecord recordOf(const bastion_image_key& key, const bastion_image& image) const;

  int processes_;
  int images_;
  IsHome isHome_;
};

}  // namespace bastion
