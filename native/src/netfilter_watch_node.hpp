// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <napi.h>

namespace bastion {

/// `watchNetfilter` of native/binding.ts.
Napi::Value watchNetfilter(const Napi::CallbackInfo& info);

}  // namespace bastion
