#include "run/ledger/sql_approvals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/ledger/audit_trail.h"
#include "run/ledger/runs.h"

namespace steward::ledger {
namespace {
using nlohmann::json;

constexpr std::chrono::hours remind_every{24};
constexpr std::size_t shortest_digest = 8;

constexpr std::array<std::pair<Answer, std::string_view>, 6> names{{{Answer::waiting, "waiting"},
                                                                    {Answer::approved, "approved"},
                                                                    {Answer::used, "used"},
                                                                    {Answer::rejected, "rejected"},
                                                                    {Answer::expired, "expired"},
                                                                    {Answer::withdrawn, "withdrawn"}}};

constexpr std::string_view columns =
    "run, job, digest, tasks, reasons, asked, asked_by, expires, four_eyes, again, reminded, state, decided, "
    "decided_by, decision, break_glass, used";

std::string dumped(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

Result<Approval> approval_of(const sql::Row& row) {
  const std::string state = text_of(row.at(11));
  const auto* const known = std::ranges::find(names, state, &std::pair<Answer, std::string_view>::second);
  if (known == names.end())
    return fail(Kind::corrupt, fmt::format("the approval of run {} has an unknown state \"{}\"", text_of(row.at(0)),
                                           printable(state)));
  const json tasks = json::parse(text_of(row.at(3)), nullptr, false);
  Approval out{.run = text_of(row.at(0)),
               .job = text_of(row.at(1)),
               .digest = text_of(row.at(2)),
               .reasons = text_of(row.at(4)),
               .asked = instant_of(row.at(5)),
               .asked_by = text_of(row.at(6)),
               .expires = instant_of(row.at(7)),
               .four_eyes = flag_of(row.at(8)),
               .again = flag_of(row.at(9)),
               .reminded = optional_instant_of(row.at(10)),
               .state = known->first,
               .decided = optional_instant_of(row.at(12)),
               .decided_by = text_of(row.at(13)),
               .decision = text_of(row.at(14)),
               .break_glass = flag_of(row.at(15)),
               .used = optional_instant_of(row.at(16))};
  for (const json& task : tasks)
    if (task.is_string()) out.tasks.push_back(task.get<std::string>());
  return out;
}

Result<std::vector<Approval>> approvals_of(const sql::Rows& rows) {
  std::vector<Approval> out;
  for (const sql::Row& row : rows.rows) out.push_back(TRY(approval_of(row)));
  return out;
}

Result<void> insert(LedgerDatabase& db, const Approval& approval) {
  // Only the first question of a chain is asked again when it expires.
  const sql::Rows chain =
      TRY(db.query("select count(*) from @approvals a join @runs r on r.retry_of = a.run where r.id = ?1 and a.state = "
                   "'expired'",
                   {stored(approval.run)}));
  const bool again = approval.again || count_of(chain.rows.at(0).at(0)) > 0;
  TRY(db.execute(fmt::format("insert into @approvals ({}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, null, "
                             "'waiting', null, '', '', 0, null)",
                             columns),
                 {stored(approval.run), stored(approval.job), stored(approval.digest),
                  stored(dumped(json(approval.tasks))), stored(approval.reasons), stored(approval.asked),
                  stored(approval.asked_by), stored(approval.expires), stored(approval.four_eyes), stored(again)}));
  const json detail{{"digest", approval.digest}, {"tasks", approval.tasks}, {"job", approval.job}};
  return append(db, {approval.asked_by, "approval.ask", approval.run, dumped(detail), approval.asked});
}

std::unexpected<Error> no_question(std::string_view run) {
  return fail(Kind::not_found, fmt::format("run {} has asked nobody for an approval", printable(run)),
              "`steward approvals list` shows those that wait.");
}

/// The question of the run, inside a change or a read.
Result<Approval> find(LedgerDatabase& db, std::string_view run) {
  const std::vector<Approval> found =
      TRY(approvals_of(TRY(db.query(fmt::format("select {} from @approvals where run = ?1", columns), {stored(run)}))));
  if (found.empty()) return no_question(run);
  return found.front();
}

Result<void> check_open(const Approval& approval, Instant now) {
  if (approval.state == Answer::expired || (approval.state == Answer::waiting && approval.expires <= now))
    return fail(Kind::refused,
                fmt::format("the question of run {} has expired, {}", approval.run,
                            format_instant(std::chrono::floor<std::chrono::seconds>(approval.expires))),
                "Its plan is too old to be carried out: a fresh run asks again.", "approval-expired");
  if (approval.state == Answer::waiting) return {};
  return fail(Kind::refused,
              fmt::format("run {} waits no more: it was {}{}", approval.run, name_of(approval.state),
                          approval.decided_by.empty() ? "" : " by " + printable(approval.decided_by)),
              fmt::format("`steward approvals show {}` tells the whole story.", approval.run), "approval-decided");
}

Result<void> check_answer(const Approval& approval, const Decision& decision) {
  TRY(check_open(approval, decision.at));
  const bool same = decision.digest.size() >= shortest_digest && approval.digest.starts_with(decision.digest);
  if (!same)
    return fail(Kind::refused,
                fmt::format("run {} waits with plan {}, not with {}", approval.run, approval.digest.substr(0, 12),
                            printable(decision.digest.substr(0, 12))),
                fmt::format("Look at what it would do now: steward approvals show {}", approval.run),
                "approval-digest");
  if (approval.four_eyes && approval.asked_by == decision.who && !decision.break_glass && !decision.alone)
    return fail(
        Kind::refused,
        fmt::format("{} has started run {}: somebody else has to approve it", printable(decision.who), approval.run),
        "Ask another approver; in an emergency an administrator has --break-glass, which is announced.", "four-eyes");
  return {};
}

/// The answer, entered. One that came at the same time wins: the state is asked for in the update.
Result<void> decide(LedgerDatabase& db, const Decision& decision, Answer answer) {
  const std::int64_t changed =
      TRY(db.execute("update @approvals set state = ?2, decided = ?3, decided_by = ?4, decision = ?5, break_glass = ?6 "
                     "where run = ?1 and state = 'waiting'",
                     {stored(decision.run), stored(name_of(answer)), stored(decision.at), stored(decision.who),
                      stored(decision.reason), stored(decision.break_glass)}));
  if (changed == 0) return check_open(TRY(find(db, decision.run)), decision.at);
  std::string act = answer == Answer::rejected ? "approval.reject" : "approval.approve";
  if (decision.break_glass) act = "approval.break-glass";
  const Approval decided = TRY(find(db, decision.run));
  json detail{{"digest", decided.digest}, {"reason", decision.reason}};
  if (decided.four_eyes && decision.alone) detail["four_eyes"] = "off: there is one approver";
  return append(db, {decision.who, act, decision.run, dumped(detail), decision.at});
}

/// Ends the run that waits. Its plan stays with it.
Result<void> end_waiting(LedgerDatabase& db, std::string_view run, Instant now, const json& error) {
  TRY(db.execute("update @runs set status = 'refused', ended = ?2, error = ?3 where id = ?1 and status = 'waiting'",
                 {stored(run), stored(now), stored(dumped(error))}));
  return {};
}

/// As run/plan.h writes errors.
json error_of(const Error& error) {
  return {{"kind", row_of(error.kind).name},
          {"message", printable(error.message)},
          {"hint", error.hint},
          {"code", error.code}};
}

}  // namespace

std::string_view name_of(Answer answer) {
  for (const auto& [known, name] : names)
    if (known == answer) return name;
  return "unknown";
}

Result<bool> SqlApprovals::ask(const Approval& approval) {
  bool asked = false;
  TRY(db_.change([&]() -> Result<void> {
    asked = TRY(db_.execute("update @runs set status = 'waiting', heartbeat = ?2 where id = ?1 and status = 'running' "
                            "and cancel_requested = 0",
                            {stored(approval.run), stored(approval.asked)})) > 0;
    return asked ? insert(db_, approval) : Result<void>{};
  }));
  return asked;
}

Result<void> SqlApprovals::ask_anew(const Run& run, const Approval& approval) {
  if (run.status != Status::waiting) return fail(Kind::bug, "a run that asks anew has to be waiting");
  return db_.change([&]() -> Result<void> {
    TRY(insert_run(db_, run));
    return insert(db_, approval);
  });
}

Result<std::vector<Approval>> SqlApprovals::approvals(const ApprovalFilter& filter) {
  std::vector<Approval> out;
  TRY(db_.read([&]() -> Result<void> {
    out = TRY(approvals_of(TRY(
        db_.query(fmt::format("select {} from @approvals where (job = ?1 or ?1 = '') and (state = 'waiting' or ?2 = "
                              "0) order by asked desc, run desc limit ?3",
                              columns),
                  {stored(filter.job), stored(filter.waiting), stored(static_cast<std::uint64_t>(filter.limit))}))));
    return {};
  }));
  return out;
}

Result<Approval> SqlApprovals::approval(std::string_view run) {
  std::optional<Approval> out;
  TRY(db_.read([&]() -> Result<void> {
    out = TRY(find(db_, TRY(find_run(db_, run)).id));
    return {};
  }));
  return *out;
}

Result<void> SqlApprovals::approve(const Decision& decision) {
  return db_.change([&]() -> Result<void> {
    TRY(check_answer(TRY(find(db_, decision.run)), decision));
    TRY(decide(db_, decision, Answer::approved));
    const std::int64_t queued = TRY(db_.execute(
        "update @runs set status = 'queued', launch = '', launched = null where id = ?1 and status = 'waiting'",
        {stored(decision.run)}));
    if (queued > 0) return {};
    return fail(Kind::corrupt, fmt::format("run {} was to wait for an approval, and does not", decision.run));
  });
}

Result<void> SqlApprovals::reject(const Decision& decision) {
  return db_.change([&]() -> Result<void> {
    TRY(check_open(TRY(find(db_, decision.run)), decision.at));
    TRY(decide(db_, decision, Answer::rejected));
    const Error rejected{
        Kind::refused, fmt::format("rejected by {}: {}", printable(decision.who), printable(decision.reason)),
        "Change the policy or talk to whoever has rejected it; the next run asks again.", "approval-rejected"};
    return end_waiting(db_, decision.run, decision.at, error_of(rejected));
  });
}

Result<std::vector<Approval>> SqlApprovals::expire(Instant now) {
  std::vector<Approval> out;
  TRY(db_.change([&]() -> Result<void> {
    out = TRY(approvals_of(
        TRY(db_.query(fmt::format("update @approvals set state = 'expired', decided = ?1 where state = 'waiting' and "
                                  "expires <= ?1 returning {}",
                                  columns),
                      {stored(now)}))));
    for (const Approval& expired : out) {
      TRY(append(db_, {"steward", "approval.expire", expired.run,
                       dumped({{"digest", expired.digest}, {"asked_again", !expired.again}}), now}));
      const Error why{Kind::refused, "nobody has answered in time",
                      expired.again ? "The next run asks again." : "A fresh run asks once more.", "approval-expired"};
      TRY(end_waiting(db_, expired.run, now, error_of(why)));
      if (expired.again) continue;
      const Run old = TRY(find_run(db_, expired.run));
      const Run fresh{.id = new_run_id(now),
                      .job = old.job,
                      .scope = fmt::format("{}", fmt::join(expired.tasks, ",")),
                      .status = Status::queued,
                      .started = now,
                      .heartbeat = now,
                      .process = old.process,
                      .trigger = old.trigger,
                      .actor = old.actor,
                      .environment = old.environment,
                      .due = old.due,
                      .retry_of = old.id};
      if (TRY(claim_retry(db_, old.id, fresh.id))) TRY(insert_run(db_, fresh));
    }
    return {};
  }));
  return out;
}

Result<std::vector<Approval>> SqlApprovals::remind(Instant now) {
  std::vector<Approval> out;
  TRY(db_.change([&]() -> Result<void> {
    out = TRY(approvals_of(
        TRY(db_.query(fmt::format("update @approvals set reminded = ?1 where state = 'waiting' and expires > ?1 and "
                                  "coalesce(reminded, asked) <= ?2 returning {}",
                                  columns),
                      {stored(now), stored(now - remind_every)}))));
    for (const Approval& waiting : out)
      TRY(append(db_, {"steward", "approval.remind", waiting.run, dumped({{"digest", waiting.digest}}), now}));
    return {};
  }));
  return out;
}

Result<bool> use_approval(LedgerDatabase& db, std::string_view run, Instant now) {
  const std::int64_t used =
      TRY(db.execute("update @approvals set state = 'used', used = ?2 where run = ?1 and state = 'approved'",
                     {stored(run), stored(now)}));
  if (used > 0) return true;
  const sql::Rows asked = TRY(db.query("select count(*) from @approvals where run = ?1", {stored(run)}));
  return count_of(asked.rows.at(0).at(0)) == 0;
}

Result<void> withdraw_approval(LedgerDatabase& db, std::string_view run, std::string_view who, Instant now) {
  TRY(
      db.execute("update @approvals set state = 'withdrawn', decided = ?2, decided_by = ?3 where run = ?1 and state in "
                 "('waiting', 'approved')",
                 {stored(run), stored(now), stored(who)}));
  return {};
}

}  // namespace steward::ledger
