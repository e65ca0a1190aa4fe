#include "engine/health.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

Instant at(std::string_view text) { return parse_instant(text).value(); }
const Instant now = at("2026-11-23T12:00:00Z");

struct Case {
  std::string name;
  std::function<void(HealthFacts&)> change;
  Texts found;
};

/// A job that is due at three each day, has a daemon, and has succeeded last night.
HealthFacts well() {
  ScheduledJob job{.name = "a"};
  job.schedule.timing = Cron::parse("0 3 * * *").value();
  JobFacts facts{.job = job,
                 .outlook = {.job = "a", .scheduled_here = true, .kept = true},
                 .last_success = at("2026-11-23T03:00:01Z")};
  return {.now = now, .jobs = {facts}};
}

void running(HealthFacts& facts, std::chrono::seconds ago, std::function<void(OpenRun&)> change) {
  OpenRun open{.run = {.id = "r1", .job = "a", .status = ledger::Status::running, .started = now - ago}};
  change(open);
  facts.runs.push_back(open);
}
void folder(HealthFacts& facts, Bytes room, Bytes total) {
  facts.folders.push_back({.what = "state directory", .path = "/var/lib/steward", .room = room, .total = total});
}
void waiting(HealthFacts& facts, Instant expires) {
  facts.approvals.push_back({.run = "r1", .job = "a", .expires = expires});
}

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

struct Health : testing::TestWithParam<Case> {};

TEST_P(Health, IsWhatIsFound) {
  HealthFacts facts = well();
  GetParam().change(facts);
  Texts texts;
  for (const Finding& found : findings(facts)) {
    texts.push_back(fmt::format("{} {}: {}", name_of(found.severity), found.kind, found.message));
    EXPECT_FALSE(found.hint.empty()) << found.kind;
  }
  EXPECT_EQ(texts, GetParam().found);
}

const std::vector<Case> cases{
    {"Well", [](auto&) {}, {}},
    {"LedgerThatCannotBeWritten",
     [](auto& it) { it.ledger = Error{Kind::unavailable, "the file is read-only", "Mount it anew."}; },
     {"error ledger: the file is read-only"}},
    {"ServerThatDoesNotAnswer",
     [](auto& it) { it.server = Error{Kind::unavailable, "no answer", "Look."}; },
     {"error server: no answer"}},
    {"NoDaemon",
     [](auto& it) { it.jobs[0].outlook.kept = false; },
     {"error daemon: no daemon is running, and nothing else starts a"}},
    {"NoDaemonButAScript",
     [](auto& it) {
       it.jobs[0].outlook.kept = false;
       it.jobs[0].outlook.started_by_others = true;
     },
     {}},
    {"NoDaemonForWhatIsLeft",
     [](auto& it) {
       it.jobs[0].outlook.kept = it.jobs[0].outlook.scheduled_here = false;
       it.jobs[0].outlook.standing = Standing::left;
     },
     {}},
    {"OneFiringBack", [](auto& it) { it.jobs[0].last_success = at("2026-11-22T03:00:00Z"); }, {}},
    {"TwoFiringsBack",
     [](auto& it) { it.jobs[0].last_success = at("2026-11-22T02:59:59Z"); },
     {"error overdue: a has not succeeded since 2026-11-22T02:59:59Z, and was due twice since then: last "
      "2026-11-23T03:00:00Z"}},
    {"TwoFiringsBackInTheGraceOfTheLast",
     [](auto& it) {
       it.now = at("2026-11-23T03:04:59Z");
       it.jobs[0].last_success = at("2026-11-21T03:00:01Z");
     },
     {}},
    {"TwoFiringsBackAfterTheGrace",
     [](auto& it) {
       it.now = at("2026-11-23T03:05:00Z");
       it.jobs[0].last_success = at("2026-11-21T03:00:01Z");
     },
     {"error overdue: a has not succeeded since 2026-11-21T03:00:01Z, and was due twice since then: last "
      "2026-11-23T03:00:00Z"}},
    {"LeftToCronAndOverdue",
     [](auto& it) {
       it.jobs[0].outlook.standing = Standing::left;
       it.jobs[0].last_success = at("2026-11-20T03:00:00Z");
     },
     {"error overdue: a has not succeeded since 2026-11-20T03:00:00Z, and was due twice since then: last "
      "2026-11-23T03:00:00Z"}},
    {"PausedForAWeek",
     [](auto& it) {
       it.jobs[0].outlook.standing = Standing::paused;
       it.jobs[0].last_success = at("2026-11-10T03:00:00Z");
     },
     {}},
    {"ResumedAfterAWeek",
     [](auto& it) {
       it.jobs[0].resumed = at("2026-11-22T03:00:00Z");
       it.jobs[0].last_success = at("2026-11-10T03:00:00Z");
     },
     {}},
    {"NewAndNeverSucceeded",
     [](auto& it) {
       it.jobs[0].last_success.reset();
       it.jobs[0].known_since = at("2026-11-22T03:00:00Z");
     },
     {}},
    {"NothingKnownOfIt", [](auto& it) { it.jobs[0].last_success.reset(); }, {}},
    {"NeverSucceeded",
     [](auto& it) {
       it.jobs[0].last_success.reset();
       it.jobs[0].known_since = at("2026-11-21T03:00:00Z");
     },
     {"error overdue: a has never succeeded, and was due twice"}},
    {"AtWork", [](auto& it) { running(it, 20h, [](auto&) {}); }, {}},
    {"WithoutAPulse",
     [](auto& it) { running(it, 20h, [](auto& run) { run.gone = true; }); },
     {"error lost-run: run r1 of a has no pulse: its process is gone"}},
    {"WithinItsTime", [](auto& it) { running(it, 1h + 2min, [](auto& run) { run.max_runtime = 1h; }); }, {}},
    {"BeyondItsTime",
     [](auto& it) { running(it, 1h + 2min + 1s, [](auto& run) { run.max_runtime = 1h; }); },
     {"error max-runtime: run r1 of a is at work for 1 h 2 min, and may be for 1 h"}},
    {"JustQueued",
     [](auto& it) { running(it, 10min, [](auto& one) { one.run.status = ledger::Status::queued; }); },
     {}},
    {"QueuedForLong",
     [](auto& it) { running(it, 11min, [](auto& one) { one.run.status = ledger::Status::queued; }); },
     {"error late-start: run r1 of a waits to be started for 11 min"}},
    {"QueuedForLater",
     [](auto& it) {
       running(it, 2h, [](auto& one) {
         one.run.status = ledger::Status::queued;
         one.run.not_before = now - 1min;
       });
     },
     {}},
    {"ApprovalForDays", [](auto& it) { waiting(it, now + 24h + 1s); }, {}},
    {"ApprovalThatExpires",
     [](auto& it) { waiting(it, now + 24h); },
     {"warning approval: run r1 of a waits for an approval, until 2026-11-24T12:00:00Z"}},
    {"FreshBackup", [](auto& it) { it.backups = {{.job = "backup", .task = "app", .stale_at = now + 1us}}; }, {}},
    {"StaleBackup",
     [](auto& it) { it.backups = {{.job = "backup", .task = "app", .newest = now - 48h, .stale_at = now - 22h}}; },
     {"error backup-stale: the newest backup by app is 2 days old"}},
    {"FirstBackupThatNeverCame",
     [](auto& it) { it.backups = {{.job = "backup", .task = "app", .since = now - 26h, .stale_at = now}}; },
     {"error backup-stale: there is no backup by app, 26 h after the first was to be made"}},
    {"MuchRoom", [](auto& it) { folder(it, 6_GiB, 100_GiB); }, {}},
    {"LessThanATwentieth",
     [](auto& it) { folder(it, 4_GiB, 100_GiB); },
     {"error disk: 4 GiB of 100 GiB are free under the state directory /var/lib/steward"}},
    {"LessThanAGibibyte",
     [](auto& it) { folder(it, 1023_MiB, 10_GiB); },
     {"error disk: 1023 MiB of 10 GiB are free under the state directory /var/lib/steward"}},
    {"ASmallVolumeThatIsEmpty", [](auto& it) { folder(it, 900_MiB, 1_GiB); }, {}},
    {"ASmallVolumeThatIsNot",
     [](auto& it) { folder(it, 40_MiB, 1_GiB); },
     {"error disk: 40 MiB of 1 GiB are free under the state directory /var/lib/steward"}},
    {"ClockALittleBehind", [](auto& it) { it.latest = now + 5min; }, {}},
    {"ClockBehind",
     [](auto& it) { it.latest = now + 6min; },
     {"error clock: this machine's clock says 2026-11-23T12:00:00Z, the ledger's last entry says "
      "2026-11-23T12:06:00Z: 6 min behind"}},
    {"ClockAheadOfAnOldEntry", [](auto& it) { it.latest = now - 48h; }, {}},
    {"Freeze",
     [](auto& it) { it.freezes = {{.id = "f-1", .reason = "audit", .who = "ada"}}; },
     {"warning freeze: nothing is removed until it is lifted: frozen by ada, audit (f-1)"}}};
INSTANTIATE_TEST_SUITE_P(Engine, Health, testing::ValuesIn(cases), [](const auto& one) { return one.param.name; });

TEST(HealthVerdict, IsThatOfTheErrorsAlone) {
  EXPECT_TRUE(is_healthy({}));
  EXPECT_TRUE(is_healthy({{.kind = "freeze", .severity = Severity::warning}}));
  EXPECT_FALSE(is_healthy({{.kind = "freeze", .severity = Severity::warning}, {.kind = "disk"}}));
}

}  // namespace
}  // namespace steward::engine
