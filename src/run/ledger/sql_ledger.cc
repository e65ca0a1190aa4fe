#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/random.h"
#include "core/url.h"
#include "run/ledger/audit_trail.h"
#include "run/ledger/holds.h"
#include "run/ledger/ledger.h"
#include "run/ledger/ledger_database.h"
#include "run/ledger/runs.h"
#include "run/ledger/schema.h"
#include "run/ledger/sql_agenda.h"
#include "run/ledger/sql_approvals.h"
#include "run/ledger/sql_outbox.h"
#include "run/ledger/sql_people.h"
#include "run/ledger/sql_shards.h"
#include "run/ledger/totals.h"

namespace steward::ledger {
namespace {

constexpr std::array<std::pair<Status, std::string_view>, 9> names{{{Status::queued, "queued"},
                                                                    {Status::running, "running"},
                                                                    {Status::succeeded, "succeeded"},
                                                                    {Status::failed, "failed"},
                                                                    {Status::partial, "partial"},
                                                                    {Status::refused, "refused"},
                                                                    {Status::cancelled, "cancelled"},
                                                                    {Status::waiting, "waiting"},
                                                                    {Status::interrupted, "interrupted"}}};

// Where a time is kept; what the audit trail says happened when is among them.
// A run that was refused did nothing: were its clock's word taken, one wrong clock would lock out every right one.
constexpr std::string_view latest_instant =
    "select max(t) from (select max(ended) as t from @runs where status not in ('refused', 'waiting', 'queued') "
    "union all select max(heartbeat) from @runs where status not in ('refused', 'waiting', 'queued')) as times";

class SqlLedger final : public Ledger {
 public:
  SqlLedger(std::unique_ptr<LedgerDatabase> db, std::string id)
      : db_(std::move(db)),
        id_(std::move(id)),
        agenda_(*db_),
        approvals_(*db_),
        people_(*db_),
        outbox_(*db_),
        shards_(*db_) {}

  const std::string& shown() const override { return db_->shown(); }
  const std::string& id() const override { return id_; }
  Result<void> check_writable() override {
    return db_->change([&]() -> Result<void> {
      TRY(db_->execute("update @meta set value = value where name = 'no such name'"));
      return {};
    });
  }

  Result<void> begin_run(const Run& run) override { return ledger::begin_run(*db_, run); }
  Result<bool> heartbeat(std::string_view run, Instant now, std::string_view progress) override {
    return ledger::heartbeat(*db_, run, now, progress);
  }
  Result<bool> pulse(std::string_view run, Instant now) override { return ledger::pulse(*db_, run, now); }
  Result<void> record_task(std::string_view run, const TaskRecord& record) override {
    return ledger::record_task(*db_, run, record);
  }
  Result<void> set_plan(std::string_view run, std::string_view digest, std::string_view plan) override {
    return ledger::set_plan(*db_, run, digest, plan);
  }
  Result<void> end_run(std::string_view run, Status status, Instant now, std::string_view error) override {
    return ledger::end_run(*db_, run, status, now, error);
  }
  Result<void> request_cancel(std::string_view run, std::string_view who, Instant now) override {
    return ledger::request_cancel(*db_, run, who, now);
  }

  Result<std::vector<Run>> runs(const RunFilter& filter) override {
    return read([&] { return find_runs(*db_, filter); });
  }
  Result<Run> run(std::string_view id) override {
    return read([&] { return find_run(*db_, id); });
  }
  Result<std::vector<TaskRecord>> tasks(std::string_view run) override {
    return read([&] { return tasks_of(*db_, run); });
  }
  Result<std::vector<std::uint64_t>> last_removed(std::string_view job, std::string_view task, std::size_t count,
                                                  std::string_view but_for) override {
    return read([&] { return ledger::last_removed(*db_, job, task, count, but_for); });
  }
  Result<std::vector<PastTask>> past_tasks(std::string_view job, std::string_view task, std::size_t count) override {
    return read([&] { return ledger::past_tasks(*db_, job, task, count); });
  }
  Result<MadeByTask> made_by(std::string_view job, std::string_view task) override {
    return read([&] { return ledger::made_by(*db_, job, task); });
  }
  Result<std::optional<Run>> last_success(std::string_view job) override;
  Result<std::uint64_t> runs_with_plan(Instant before) override {
    return read([&] { return ledger::runs_with_plan(*db_, before); });
  }
  Result<std::uint64_t> forget_plans(Instant before) override { return ledger::forget_plans(*db_, before); }

  Result<void> add_holds(std::span<const Hold> holds) override { return ledger::add_holds(*db_, holds); }
  Result<void> release_hold(std::string_view id, std::string_view who, Instant now) override {
    return ledger::release_hold(*db_, id, who, now);
  }
  Result<std::vector<Hold>> holds(Instant now, bool all) override {
    return read([&] { return find_holds(*db_, now, all); });
  }
  Result<std::int64_t> hold_generation() override {
    return read([&] { return ledger::hold_generation(*db_); });
  }

  Result<void> add_freeze(const Freeze& freeze) override { return ledger::add_freeze(*db_, freeze); }
  Result<void> lift_freeze(std::string_view id, std::string_view who, Instant now) override {
    return ledger::lift_freeze(*db_, id, who, now);
  }
  Result<std::vector<Freeze>> freezes(Instant now, bool all) override {
    return read([&] { return find_freezes(*db_, now, all); });
  }

  Result<void> remember_archive(std::string_view location, std::string_view id, Instant now) override {
    return ledger::remember_archive(*db_, location, id, now);
  }
  Result<std::vector<ArchiveRecord>> archives() override {
    return read([&] { return ledger::archives(*db_); });
  }

  Result<void> audit(std::string_view actor, std::string_view act, std::string_view subject, std::string_view detail,
                     Instant now) override {
    return db_->change([&] { return append(*db_, {actor, act, subject, detail, now}); });
  }
  Result<std::vector<AuditLine>> audit_lines(std::size_t limit, std::int64_t before) override {
    return read([&] { return last_lines(*db_, limit, before); });
  }
  Result<std::int64_t> verify_audit() override {
    return read([&] { return verify(*db_); });
  }
  Result<Totals> totals() override {
    return read([&] { return add_up(*db_); });
  }
  Result<std::optional<Instant>> latest() override;

  Agenda& agenda() override { return agenda_; }
  Approvals& approvals() override { return approvals_; }
  Outbox& outbox() override { return outbox_; }
  People& people() override { return people_; }
  Shards& shards() override { return shards_; }

 private:
  /// The value of a read that LedgerDatabase may have to run again.
  template <class Ask>
  auto read(const Ask& ask) -> decltype(ask()) {
    decltype(ask()) out;
    TRY(db_->read([&]() -> Result<void> {
      out = ask();
      return out ? Result<void>{} : std::unexpected(out.error());
    }));
    return out;
  }

  std::unique_ptr<LedgerDatabase> db_;
  std::string id_;
  SqlAgenda agenda_;
  SqlApprovals approvals_;
  SqlPeople people_;
  SqlOutbox outbox_;
  SqlShards shards_;
};

Result<std::optional<Run>> SqlLedger::last_success(std::string_view job) {
  const RunFilter filter{.job = std::string(job), .status = Status::succeeded, .whole = true, .limit = 1};
  const std::vector<Run> found = TRY(runs(filter));
  return found.empty() ? std::nullopt : std::optional(found[0]);
}

Result<std::optional<Instant>> SqlLedger::latest() {
  return read([&]() -> Result<std::optional<Instant>> {
    const sql::Rows rows = TRY(db_->query(latest_instant));
    return optional_instant_of(rows.rows.at(0).at(0));
  });
}

Result<std::unique_ptr<LedgerDatabase>> connected(const Settings& settings) {
  using namespace std::chrono_literals;
  const sql::Target target{.url = settings.url,
                           .application = "steward ledger",
                           .connect_timeout = std::min(10s, settings.patience),
                           .lock_timeout = settings.patience,
                           // A process that is stopped in the middle of a change must not stop all the others.
                           .idle_timeout = 10s,
                           .create = !settings.read_only,
                           .read_only = settings.read_only,
                           .stop = settings.stop};
  Result<std::unique_ptr<sql::Connection>> connection = sql::connect(target);
  if (!connection && settings.read_only && connection.error().kind == Kind::not_found)
    return no_ledger(masked(settings.url));
  return std::make_unique<LedgerDatabase>(target, TRY(std::move(connection)));
}

}  // namespace

std::string_view name_of(Status status) {
  for (const auto& [known, name] : names)
    if (known == status) return name;
  return "unknown";
}

std::string new_run_id(Instant now) { return fmt::format("{}-{}", format_compact(now), random_hex(3)); }

std::optional<Status> status_named(std::string_view name) {
  for (const auto& [status, known] : names)
    if (known == name) return status;
  return std::nullopt;
}

Result<std::unique_ptr<Ledger>> open(const Settings& settings) {
  auto db = TRY(connected(settings));
  if (settings.read_only)
    TRY(check_version(*db, schema_version));
  else
    TRY(migrate(*db, migrations()));
  std::string id = TRY(founding(*db)).id;
  return std::make_unique<SqlLedger>(std::move(db), std::move(id));
}

}  // namespace steward::ledger
