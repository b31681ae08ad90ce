// SPDX-License-Identifier: GPL-3.0-or-later
// Files of /proc that the addon reads itself: every file that it opens holds the input.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#include "../../../native/src/processes.hpp"
#include "target.hpp"

static const uint8_t* fileBytes = nullptr;
static size_t fileSize = 0;

static int openInput(const char*, int) {
  const int file = memfd_create("input", MFD_CLOEXEC);
  require(file >= 0 && pwrite(file, fileBytes, fileSize, 0) == static_cast<ssize_t>(fileSize));
  return file;
}

static FILE* openInputFile(const char*, const char*) { return fmemopen(const_cast<uint8_t*>(fileBytes), fileSize, "r"); }

#define open openInput
#define fopen openInputFile
#include "../../../native/src/processes.cpp"
#undef open
#undef fopen

using namespace bastion;

static void give(const void* bytes, size_t size) {
  fileBytes = static_cast<const uint8_t*>(bytes);
  fileSize = size;
}

/// The first reading finds where the cgroups are, once: in a place that is not there, so that no input asks for a real folder.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  static const char mount[] = "0 0 0:0 / /nowhere rw - cgroup2 cgroup2 rw\n0::/a\n";
  give(mount, sizeof mount - 1);
  require(readCgroup(1) == 0);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  give(data, size);
  ProcessRecord record;
  const bool hasStat = readStat(1, record);
  require(record.command[sizeof record.command - 1] == 0 && (!hasStat || record.startNs != 0));
  readIds(1, record);
  require(readCgroup(1) == 0);
  const CgroupMount mount = findCgroupMount();
  require(mount.folder.size() < PATH_MAX && mount.root.size() < PATH_MAX);
  require(mount.folder.empty() == mount.root.empty() && mount.folder.find('\n') == std::string::npos);
  return 0;
}
