// SPDX-License-Identifier: GPL-3.0-or-later
// Between the data path's structures and the shapes of native/binding.ts.
#pragma once

#include "data_path.hpp"
#include "file_identity.hpp"
#include "values.hpp"

namespace bastion {

Options readOptions(Reader& reader, napi_value value);
std::vector<Answer> readAnswers(Reader& reader, napi_value value);
/// In the order of `RawBinding` in native/binding.ts.
using RememberedParts = std::array<napi_value, 12>;
std::pair<bastion_verdict_key, bastion_verdict> readRemembered(Reader& reader, const RememberedParts& parts);

/// `askMaker` makes an ask out of its parts. At most one report of the queue's state goes into one batch: it is the batch's last event.
napi_value makeEvents(const Maker& make, napi_value askMaker, const Reports& reports, const QueueReport* queue);
napi_value makeCounters(const Maker& make, const Counters& counters);
napi_value makeFeatures(const Maker& make, const DataPath& path);
napi_value makeFileIdentity(const Maker& make, const FileIdentity& identity);

}  // namespace bastion
