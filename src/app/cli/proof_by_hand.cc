#include "app/cli/proof_by_hand.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "app/cli/progress.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "core/text.h"
#include "engine/freshness.h"
#include "run/runner.h"

namespace steward::app {
namespace {

class HandProof final : public Task {
 public:
  /// `found` gets the faults.
  HandProof(TaskInfo info, const ProofByHand& proof, std::vector<std::string>& found)
      : info_(std::move(info)), proof_(proof), found_(found) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    step.target = proof_.target;
    step.strategy = proof_.what;
    step.filter = proof_.backup;
    step.reason = "somebody asks for it";
    step.planned.items = 1;
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return std::vector<std::unique_ptr<Lock>>{}; }

  Result<void> execute(const Step&, RunContext& run) const override {
    TRY(run.checkpoint("begin"));
    found_ = TRY(proof_.prove([&](Bytes more) {
      run.done(0, more);
      return run.checkpoint("proving");
    }));
    if (!found_.empty())
      return fail(Kind::corrupt,
                  fmt::format("backup {} is not what was backed up: {}", proof_.backup, fmt::join(found_, "; ")),
                  "Make another (steward run backup) and look at both; this one counts for nothing any more.");
    run.done(1);
    return {};
  }

 private:
  TaskInfo info_;
  const ProofByHand& proof_;
  std::vector<std::string>& found_;
};

Result<std::vector<std::string>> prove_outside_of_the_ledger(const Output& output, const ProofByHand& proof) {
  ProgressReporter progress(output);
  progress.task_began({.task = "verify"});
  Bytes read{};
  const std::stop_token stop = stop_of_process().get_token();
  auto found = proof.prove([&](Bytes more) -> Result<void> {
    read += more;
    progress.progress({.task = "verify", .done = {.items = 0, .bytes = read}});
    if (stop.stop_requested()) return fail(Kind::interrupted, "told to stop while the backup was verified");
    return {};
  });
  progress.task_ended("verify", found ? "succeeded" : "failed", {}, {}, nullptr);
  return found;
}

}  // namespace

std::string task_of_proof(const backup::PolicySpec& spec, const std::string& database, backup::Depth depth, bool copy) {
  const bool bytes_will_do = spec.proof() && spec.proof()->depth == backup::Depth::bytes;
  const std::string name = spec.several ? spec.name + '.' + database : spec.name;
  if (copy || (depth == backup::Depth::bytes && !bytes_will_do)) return name + ".verify";
  backup::PolicySpec one = spec;
  one.name = name;
  return backup::proof_info(one).name;
}

Result<std::vector<std::string>> prove_by_hand(const Output& output, const ProofByHand& proof) {
  const FinishBeforeLeaving finish;
  const auto session = open_session_saying(output);
  if (!session) {
    fmt::print(stderr, "steward: this proof is not entered in the ledger: {}\n", printable(session.error().message));
    return prove_outside_of_the_ledger(output, proof);
  }
  std::vector<std::string> found;
  const TaskInfo info{.name = proof.task, .title = fmt::format("proves {}", proof.backup)};
  Job job{.name = std::string(engine::proof_by_hand_job), .title = "proves a backup by hand"};
  job.tasks.push_back({.info = info, .task = std::make_unique<HandProof>(info, proof, found)});
  const RunSettings settings{.trigger = "hand",
                             .actor = user_name(),
                             .version = std::string(version),
                             .environment = session->settings.environment};
  Reporters reporters;
  ProgressReporter progress(output);
  reporters.add(progress);
  const RunResult result = TRY(run_job(job, settings,
                                       {.clock = session->clock,
                                        .state = session->state,
                                        .ledger = *session->ledger,
                                        .reporter = reporters,
                                        .stop = stop_of_process()}));
  if (!found.empty()) return found;
  if (const std::optional<Error>& error = result.tasks.front().error) return std::unexpected(*error);
  if (result.tasks.front().status == "succeeded") return found;
  return fail(Kind::interrupted, "told to stop while the backup was verified");
}

}  // namespace steward::app
