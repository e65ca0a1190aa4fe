/// Plans handed out in shards: made, found again by whoever carries one out, and added up at the end.
///
///   hand_out          plan the whole, refuse it where a run would be refused, cut it, enter it in the ledger
///   shard_work        one of them, wherever the ledger is reached: run_job carries it out
///   sum_of            what all runs of its shards did, beside the plan
///
/// Promises  - No shard is handed out of a plan that a brake, a freeze or a question to people would stop.
///           - A shard that was killed is carried out again by a run of its own, which does what is left.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "run/brakes.h"
#include "run/job.h"
#include "run/ledger/ledger.h"
#include "run/questions.h"
#include "run/shard.h"

namespace steward {

/// One shard of a plan, as it is to be carried out.
struct ShardWork {
  ShardSet set{};
  std::string digest{};
  std::uint64_t number = 1;
};

/// Who hands out, and by which rules.
struct HandOutSettings {
  std::uint64_t count = 8;
  bool allow_removal = false;  ///< Past the brakes of share and median.
  std::optional<Error> barred{};
  Brakes brakes{};
  ApprovalRule approval{};
  bool unattended = false;
  std::string actor{};
  std::string environment{};
};

struct HandedOut {
  std::string digest{};
  ShardSet set{};
};

/// Plans one task of the job and hands it out. refused where its run would be (code "shards-approval": it would wait
/// for an approval); the task's own error where it cannot be planned.
Result<HandedOut> hand_out(Job& job, const std::string& task, const HandOutSettings& settings, const Clock& clock,
                           const StateDirectory& state, ledger::Ledger& ledger);

/// A shard of a plan that was handed out, by a beginning of its digest. bad_input where it has no such shard.
Result<ShardWork> shard_work(ledger::Ledger& ledger, const std::string& job, const std::string& task,
                             const std::string& digest, std::uint64_t number);
/// Makes the job's task that shard.
Result<void> narrow(Job& job, const std::string& task, const ShardWork& work);

/// What earlier runs of a shard have removed, as far as they had said so: what one that was killed had done since its
/// last word is not known. `but_for`: a run that does not count.
Result<std::uint64_t> removed_by_shard(ledger::Ledger& ledger, const std::string& digest, std::uint64_t number,
                                       const std::string& but_for);

/// What became of one shard.
struct ShardOutcome {
  Shard shard{};
  std::string status = "not_run";  ///< Of its last run: as ledger::Status has it.
  std::vector<std::string> runs{};
  Amount planned{};  ///< By its first run.
  /// What its runs have removed. Of one that was killed before it could say so: what the next one did not find any
  /// more.
  Amount done{};
  std::vector<Skip> skipped{};  ///< By its last run.
};
/// All of them, beside the plan.
struct ShardSum {
  std::string digest{};
  ShardSet set{};
  std::vector<ShardOutcome> shards{};
  Amount done{};
  std::uint64_t left_on_the_way = 0;  ///< Beyond what the plan had as staying.
  bool complete = false;              ///< Each shard has succeeded.
  /// Each planned item is gone, or was left for a reason that came up on the way; and no more than planned is gone.
  bool equals_plan = false;
};
Result<ShardSum> sum_of(ledger::Ledger& ledger, const std::string& job, const std::string& task,
                        const std::string& digest);

nlohmann::json to_json(const HandedOut& handed_out);
nlohmann::json to_json(const ShardSum& sum);

}  // namespace steward
