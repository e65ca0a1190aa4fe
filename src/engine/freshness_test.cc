// How old backups are, and when that is told: a ledger that is there, and a clock that the test moves.
#include "engine/freshness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/files/scratch.h"
#include "run/ledger/agenda.h"
#include "run/ledger/outbox.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using ledger::Status;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Instant midnight{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

struct FreshnessTest : testing::Test {
  /// A run of `backup` that took so long; `task` is what became of the backup, `proof` whether one was proved.
  void run(Instant started, std::chrono::minutes took, std::string task = "succeeded", std::string proof = "") {
    const std::string id = "r" + std::to_string(++runs);
    ASSERT_TRUE(ledger->begin_run({.id = id, .job = "backup", .started = started, .heartbeat = started}));
    ASSERT_TRUE(ledger->record_task(
        id, {.task = "app", .status = task, .done_items = task == "succeeded" ? std::uint64_t{1} : 0}));
    if (!proof.empty()) {
      ASSERT_TRUE(ledger->record_task(id, {.task = "app.proof",
                                           .status = "succeeded",
                                           .done_items = proof == "proved" ? std::uint64_t{1} : 0,
                                           .detail = proof == "proved" ? R"({"seconds":90.5})" : ""}));
    }
    ASSERT_TRUE(ledger->end_run(id, Status::succeeded, started + took, ""));
  }
  void entry(const std::string& job, Instant started, std::vector<ledger::TaskRecord> tasks) {
    const std::string id = "r" + std::to_string(++runs);
    ASSERT_TRUE(ledger->begin_run({.id = id, .job = job, .started = started, .heartbeat = started}));
    for (const ledger::TaskRecord& task : tasks) ASSERT_TRUE(ledger->record_task(id, task));
    ASSERT_TRUE(ledger->end_run(id, Status::succeeded, started + 1min, ""));
  }
  Freshness found(Instant now) {
    const auto all = freshness(*ledger, jobs, now);
    EXPECT_TRUE(all) << all.error().message;
    EXPECT_THAT(*all, SizeIs(1));
    return all->at(0);
  }
  bool is_stale(Instant now) { return found(now).is_stale(now); }
  void pause(Instant from, Instant until) {
    ASSERT_TRUE(ledger->agenda().add_pause({.id = "p-1", .job = "backup", .made = from, .until = until}));
  }
  std::vector<std::string> keys_after_look(Instant now, Staleness& looker) {
    EXPECT_TRUE(looker.look(jobs, now));
    std::vector<std::string> keys;
    for (const ledger::Event& event : events()) keys.push_back(event.key);
    return keys;
  }
  std::vector<ledger::Event> events() const { return ledger->outbox().undispatched(100).value(); }

  static std::vector<ScheduledJob> nightly() {
    ScheduledJob job{.name = "backup", .removes = false};
    job.schedule.timing = Cron::parse("0 0 * * *").value();
    job.watched = {
        {.task = "app", .proof = "app.proof", .proof_every = Age{std::chrono::microseconds{168h}}, .stale_after = 26h}};
    return {job};
  }
  std::unique_ptr<ledger::Ledger> opened() const {
    auto out = ledger::open({.url = "sqlite:///" + scratch.path() + "/ledger.db"});
    EXPECT_TRUE(out) << out.error().message;
    return out ? std::move(*out) : nullptr;
  }

  files::Scratch scratch{};
  std::unique_ptr<ledger::Ledger> ledger = opened();
  std::vector<ScheduledJob> jobs = nightly();
  Staleness staleness{*ledger};
  int runs = 0;
};

TEST_F(FreshnessTest, IsTheAgeOfTheNewestSuccessAndOfTheNewestProof) {
  run(midnight - 48h, 5min, "succeeded", "proved");
  run(midnight - 24h, 5min, "succeeded", "none was due");
  run(midnight, 5min, "failed");
  EXPECT_EQ(found(midnight).newest, midnight - 24h);
  EXPECT_EQ(found(midnight).proved, midnight - 48h);
  EXPECT_EQ(found(midnight).proof_took, 90'500ms);
  EXPECT_EQ(text_of(found(midnight + 3h), midnight + 3h), "the newest backup by app is 27 h old");
  jobs[0].watched[0].what = "copy";
  EXPECT_EQ(text_of(found(midnight + 3h), midnight + 3h), "the newest copy by app is 27 h old");
  jobs[0].watched[0].proof.clear();
  jobs[0].watched[0].proof_every.reset();
  EXPECT_EQ(found(midnight).proved, std::nullopt);
  EXPECT_FALSE(found(midnight).is_proved);
}

TEST_F(FreshnessTest, AProofByHandCountsAsOneOfTheScheduleAlsoWhereThereIsNone) {
  run(midnight - 48h, 5min, "succeeded", "proved");
  entry("backup-verify", midnight - 12h, {{.task = "app.proof", .status = "succeeded", .done_items = 1}});
  entry("backup-verify", midnight - 6h, {{.task = "app.verify", .status = "succeeded", .done_items = 1}});
  entry("backup-verify", midnight - 3h, {{.task = "app.proof", .status = "failed"}});
  EXPECT_EQ(found(midnight).proved, midnight - 12h);
  jobs[0].watched[0].proof_every.reset();
  EXPECT_EQ(found(midnight).proved, midnight - 12h);
  EXPECT_EQ(found(midnight + 999h).proof_stale_at, std::nullopt) << "nobody has asked for any";
  EXPECT_EQ(found(midnight).newest, midnight - 48h);
}

TEST_F(FreshnessTest, AProofIsStaleADayAfterTheNextWasDueAndIsToldOfOnce) {
  run(midnight, 5min, "succeeded", "proved");
  for (int day = 1; day <= 9; ++day) run(midnight + day * 24h, 5min, "succeeded", "none was due");
  const Instant at = midnight + 168h + 26h;
  EXPECT_EQ(found(at).proof_stale_at, at);
  EXPECT_FALSE(found(at - 1us).is_proof_stale(at - 1us));
  EXPECT_THAT(keys_after_look(at - 1us, staleness), IsEmpty());
  EXPECT_EQ(staleness.next(), at);
  EXPECT_THAT(keys_after_look(at, staleness), ElementsAre("proof-stale/app/2026-11-23T00:00:00Z"));
  EXPECT_EQ(nlohmann::json::parse(events()[0].detail)["text"], "no backup by app was proved for 8 days");
  EXPECT_THAT(keys_after_look(at + 1h, staleness), SizeIs(1));
  jobs[0].schedule.timing = Cron::parse("0 0 * * 1").value();
  EXPECT_EQ(found(at).proof_stale_at, at) << "on the Monday it was due, and had its time";
}

TEST_F(FreshnessTest, WhatNobodyHasProvedYetIsStaleADayAfterTheFirstRunThatShouldHave) {
  run(midnight, 5min, "succeeded", "too large");
  EXPECT_EQ(found(midnight).proof_stale_at, midnight + 26h);
  EXPECT_EQ(proof_text_of(found(midnight + 27h), midnight + 27h),
            "no backup by app has been proved yet, 27 h after the first should have been");
  pause(midnight + 12h, midnight + 96h);
  EXPECT_EQ(found(midnight + 95h).proof_stale_at, std::nullopt);
  EXPECT_EQ(found(midnight + 97h).proof_stale_at, midnight + 96h + 26h);
}

TEST_F(FreshnessTest, OfSeveralDatabasesTheOldestProofCountsAndItsDatabaseIsNamed) {
  jobs[0].watched[0].of_several = true;
  const auto night = [&](Instant at, std::vector<std::string> proved) {
    std::vector<ledger::TaskRecord> tasks{{.task = "app", .status = "succeeded", .done_items = 2}};
    for (const char* database : {"app.shop", "app.crm"}) {
      tasks.push_back({.task = database, .status = "succeeded", .done_items = 1});
      const bool is_proved = std::ranges::find(proved, database) != proved.end();
      tasks.push_back({.task = std::string(database) + ".proof",
                       .status = "succeeded",
                       .done_items = is_proved ? std::uint64_t{1} : 0});
    }
    entry("backup", at, std::move(tasks));
  };
  entry("backup", midnight - 72h,
        {{.task = "app.gone", .status = "succeeded", .done_items = 1},
         {.task = "app.gone.proof", .status = "succeeded", .done_items = 1}});
  night(midnight - 48h, {"app.shop"});
  EXPECT_EQ(found(midnight).proved, std::nullopt);
  EXPECT_EQ(found(midnight).least_proved, "app.crm");
  EXPECT_EQ(found(midnight).proof_stale_at, midnight - 48h + 26h);
  night(midnight - 24h, {"app.crm"});
  EXPECT_EQ(found(midnight).proved, midnight - 48h);
  EXPECT_EQ(proof_text_of(found(midnight), midnight), "no backup by app.shop was proved for 2 days");
  entry("backup-verify", midnight - 1h, {{.task = "app.shop.proof", .status = "succeeded", .done_items = 1}});
  EXPECT_EQ(found(midnight).proved, midnight - 24h);
  EXPECT_EQ(found(midnight).least_proved, "app.crm");
}

TEST_F(FreshnessTest, IsStaleTwentySixHoursAfterTheEndOfTheRun) {
  run(midnight, 5min);
  EXPECT_FALSE(is_stale(midnight + 26h + 5min - 1us));
  EXPECT_TRUE(is_stale(midnight + 26h + 5min));
}

TEST_F(FreshnessTest, ABackupThatTakesFourHoursIsNotStaleWhileTheNextIsMade) {
  run(midnight, 4h);
  EXPECT_FALSE(is_stale(midnight + 28h));
}

TEST_F(FreshnessTest, ABackupOfEachWeekIsNotStaleBeforeTheNextHasHadItsTime) {
  jobs[0].schedule.timing = Cron::parse("0 0 * * 1").value();  // midnight is a Monday's
  run(midnight, 5min);
  EXPECT_FALSE(is_stale(midnight + 7 * 24h + 2h - 1us));
  EXPECT_TRUE(is_stale(midnight + 7 * 24h + 2h));
}

TEST_F(FreshnessTest, NothingIsStaleOnTheFirstDay) {
  EXPECT_FALSE(is_stale(midnight)) << "nothing is known of it";
  EXPECT_EQ(text_of(found(midnight), midnight), "there is no backup by app yet");
  run(midnight, 5min, "failed");
  EXPECT_FALSE(is_stale(midnight + 26h - 1us));
  EXPECT_TRUE(is_stale(midnight + 26h));
  EXPECT_EQ(text_of(found(midnight + 26h), midnight + 26h),
            "there is no backup by app, 26 h after the first was to be made");
  run(midnight + 24h, 5min, "failed");
  EXPECT_TRUE(is_stale(midnight + 26h)) << "the first counts, not the last";
}

TEST_F(FreshnessTest, OfATaskThatIsNewInAnOldJobIsCountedFromTheLastRunWithoutIt) {
  run(midnight - 72h, 5min);
  jobs[0].watched[0].task = "another";
  EXPECT_FALSE(is_stale(midnight - 72h + 26h - 1us));
  EXPECT_TRUE(is_stale(midnight - 72h + 26h));
}

TEST_F(FreshnessTest, OfAJobWhoseTicksWereAllMissedIsCountedFromTheFirst) {
  for (const Instant due : {midnight, midnight + 24h}) {
    ASSERT_EQ(ledger->agenda().enter({.job = "backup", .due = due, .outcome = "missed", .decided = due}, {}, {}), true);
  }
  EXPECT_FALSE(is_stale(midnight + 26h - 1us));
  EXPECT_TRUE(is_stale(midnight + 26h));
}

TEST_F(FreshnessTest, NothingIsStaleInAPauseNorForADayAfterIt) {
  run(midnight, 5min);
  pause(midnight + 12h, midnight + 96h);
  EXPECT_FALSE(is_stale(midnight + 95h));
  EXPECT_FALSE(is_stale(midnight + 96h + 26h - 1us));
  EXPECT_TRUE(is_stale(midnight + 96h + 26h));
}

TEST_F(FreshnessTest, OfAJobThatIsOffOrNotConfiguredIsNotLookedAt) {
  run(midnight, 5min);
  jobs[0].off_by = "STEWARD_DISABLE";
  EXPECT_THAT(freshness(*ledger, jobs, midnight + 48h).value(), IsEmpty());
  jobs = nightly();
  jobs[0].configured = false;
  EXPECT_THAT(freshness(*ledger, jobs, midnight + 48h).value(), IsEmpty());
}

TEST_F(FreshnessTest, IsToldOfOnceForEachEpisodeWhoeverLooks) {
  jobs[0].watched[0].proof_every.reset();
  run(midnight, 5min);
  EXPECT_THAT(keys_after_look(midnight + 1h, staleness), IsEmpty());
  EXPECT_EQ(staleness.next(), midnight + 26h + 5min);
  EXPECT_THAT(keys_after_look(midnight + 27h, staleness), ElementsAre("backup-stale/app/2026-11-23T00:00:00Z"));
  EXPECT_EQ(staleness.next(), std::nullopt);
  EXPECT_EQ(events()[0].job, "backup");
  EXPECT_EQ(nlohmann::json::parse(events()[0].detail)["text"], "the newest backup by app is 27 h old");
  EXPECT_THAT(keys_after_look(midnight + 72h, staleness), SizeIs(1));
  Staleness after_a_crash(*ledger);
  EXPECT_THAT(keys_after_look(midnight + 73h, after_a_crash), SizeIs(1));
  run(midnight + 96h, 5min);
  EXPECT_THAT(keys_after_look(midnight + 97h, after_a_crash), SizeIs(1)) << "it is fresh again";
  EXPECT_THAT(keys_after_look(midnight + 130h, after_a_crash), SizeIs(2)) << "and stale again";
}

}  // namespace
}  // namespace steward::engine
