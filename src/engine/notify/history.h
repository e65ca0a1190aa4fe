/// Reads what rules have to know out of the ledger.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "core/result.h"
#include "engine/notify/rules.h"
#include "io/files/folder.h"

namespace steward::notify {

struct Sources {
  ledger::Ledger& ledger;
  ledger::Outbox& outbox;
  const files::Folder* state = nullptr;  ///< The state directory, for logs; null: none.
  /// Whether a run that ended so is tried again: an attempt was entered, or will be. False for one that ended too long
  /// ago for the supervisor to retry it, or nobody would ever hear of it. Unset: never.
  std::function<bool(const ledger::Run&, const std::vector<ledger::TaskRecord>&)> retry_follows{};
};

Result<History> look_up(const Settings& settings, std::span<const ledger::Event> events, const Sources& sources);

}  // namespace steward::notify
