// SPDX-License-Identifier: GPL-3.0-or-later
// The closed rules that hold from the start of the machine until the helper's own are in place.
#pragma once

#include <string>

namespace bastion {

enum class BaseRules { removed, absent, failed };

/// Takes the table `inet bastion_boot` out of this network namespace, with all in it and in one commit; needs no nft.
BaseRules removeBaseRules(std::string& why);

}  // namespace bastion
