/// A run that somebody has started from a plan is bound to it: it does no more than that, and neither does its retry.
///
/// Such a run keeps that plan in the ledger (ledger::Run::plan), and the document says so, from when it is queued on.
/// Its own fresh plan does not take the place: it may hold more, which is refused then.
#pragma once
#include <string>
#include <string_view>

#include "run/ledger/ledger.h"
#include "run/plan.h"

namespace steward {

/// The plan as ledger::Run::plan has it, of a run that is bound to it.
std::string bound_text(const Plan& plan);
/// Whether it is such a text.
bool is_bound(std::string_view plan_text);
/// The plan of `before`, for the run that tries the same again; nothing where that run made its plan for itself.
void keep_bound(const ledger::Run& before, ledger::Run& retry);

}  // namespace steward
