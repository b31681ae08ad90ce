// SPDX-License-Identifier: GPL-3.0-or-later
// The record of forks and execs as native/binding.ts shapes it.
#pragma once

#include <napi.h>

#include "data_path.hpp"

namespace bastion {

/// Arguments: pid and start. A text for what the process runs now, or null.
Napi::Value findProcessImage(const Napi::CallbackInfo& info, DataPath& path);

/// Arguments: pid, start, and the parts of an executable or none. Null if there is no record.
Napi::Value findProcessRecord(const Napi::CallbackInfo& info, DataPath& path);

}  // namespace bastion
