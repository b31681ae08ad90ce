// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <napi.h>

namespace bastion {

/// `watchLinks` of native/binding.ts.
Napi::Value watchLinks(const Napi::CallbackInfo& info);

}  // namespace bastion
