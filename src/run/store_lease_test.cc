// The lock of an S3 bucket, on two servers of different make.
#include "run/store_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "io/files/scratch.h"
#include "io/http/scripted_server_test_support.h"
#include "io/object/conditionless_server_test_support.h"
#include "io/object/s3_test_support.h"
#include "io/object/s3_xml.h"
#include "io/object/store_test_support.h"
#include "run/locks.h"
#include "run/runner.h"

namespace steward {
namespace {

using nlohmann::json;
using object::content_of;
using object::keys_of;
using object::new_bucket;
using object::opened;
using object::StoreTarget;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr const char* key = ".steward-lock-expire-objects";

Error error_of(const Result<std::unique_ptr<StoreLease>>& result) { return result ? Error{} : result.error(); }

struct Lease : testing::TestWithParam<const char*> {
  StoreTarget target = new_bucket(GetParam());
  std::unique_ptr<object::Store> store = opened(target);

  Result<std::unique_ptr<StoreLease>> take(const LeaseTerms& terms = {}) {
    StoreTarget mine = target;
    mine.agent = "steward/0.1 run/one";
    return StoreLease::take(mine, "expire-objects", terms);
  }
  json content() { return json::parse(content_of(*store, key), nullptr, false); }
  /// What another machine would have put.
  void put_as_another_machine(object::Store& through) {
    json other{{"steward", "lock"},
               {"format", 1},
               {"agent", "steward/0.1 run/other"},
               {"host", "web-2"},
               {"boot", "11111111-2222-3333-4444-555555555555"},
               {"pid_namespace", "pid:[4026531836]"},
               {"pid", 4711},
               {"started_ticks", 12},
               {"token", "another"},
               {"lease_seconds", 120}};
    put(through, key, other.dump());
  }
};
INSTANTIATE_TEST_SUITE_P(Run, Lease, testing::Values("STEWARD_TEST_S3_VERSITY", "STEWARD_TEST_S3_RGW"),
                         [](const auto& p) { return std::string(p.param).substr(16); });

TEST_P(Lease, SaysWhoHasItAndLeavesNothingWhenItIsLetGo) {
  {
    const auto lease = take();
    ASSERT_TRUE(lease) << lease.error().message;
    EXPECT_TRUE((*lease)->alive());
    const json said = content();
    EXPECT_EQ(said["pid"], ::getpid());
    EXPECT_EQ(said["boot"], this_process().boot);
    EXPECT_EQ(said["agent"], "steward/0.1 run/one");
    EXPECT_EQ(said["lease_seconds"], 120);
  }
  EXPECT_THAT(keys_of(*store), IsEmpty());
}

TEST_P(Lease, ASecondOneIsBusyAndIsToldWhoHasTheFirst) {
  const auto first = take();
  ASSERT_TRUE(first) << first.error().message;
  const Error error = error_of(take());
  EXPECT_EQ(error.kind, Kind::busy);
  EXPECT_THAT(error.message, HasSubstr("another run is working on " + store->shown() +
                                       ": steward/0.1 run/one, process " + std::to_string(::getpid()) + " on "));
  EXPECT_THAT(error.message, HasSubstr("its lock ends at "));
  EXPECT_TRUE((*first)->alive());
}

TEST_P(Lease, OfManyThatTakeItAtOnceOneHasIt) {
  std::vector<Result<std::unique_ptr<StoreLease>>> all;
  for (int i = 0; i < 6; ++i) all.emplace_back(nullptr);
  {
    std::vector<std::jthread> threads;
    for (auto& one : all) threads.emplace_back([&] { one = take(); });
  }
  int have = 0;
  for (const auto& one : all) {
    have += one.has_value();
    if (!one) {
      EXPECT_EQ(one.error().kind, Kind::busy) << one.error().message;
    }
  }
  EXPECT_EQ(have, 1);
}

TEST_P(Lease, PartsAreHeldBesideOneAnotherAndTheWholeBesideNone) {
  const auto part = [&](const std::string& name) { return StoreLease::take_part(target, "expire-objects", name); };
  {
    const auto first = part("1"), second = part("2");
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(error_of(part("1")).kind, Kind::busy) << "the same part is not held twice";
    EXPECT_EQ(error_of(take()).kind, Kind::busy);
    EXPECT_TRUE(content().is_discarded()) << "who was turned away leaves nothing";
    EXPECT_TRUE((*first)->alive());
  }
  const auto whole = take();
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(error_of(part("1")).kind, Kind::busy);
  EXPECT_EQ(keys_of(*store), (std::multiset<std::string>{key}));
}

TEST_P(Lease, OfAWholeAndAPartThatAreTakenAtOnceNotBothAreHeld) {
  for (int round = 0; round < 10; ++round) {
    Result<std::unique_ptr<StoreLease>> whole = nullptr, part = nullptr;
    {
      std::jthread one([&] { whole = take(); });
      std::jthread other([&] { part = StoreLease::take_part(target, "expire-objects", "1"); });
    }
    EXPECT_FALSE(whole && part);
  }
  EXPECT_THAT(keys_of(*store), IsEmpty());
}

TEST_P(Lease, OfAWholeThatIsOverIsTakenOutOfTheWayOfAPartAndCannotBeRenewed) {
  auto sleeper = take({.length = 0s, .renew_every = 3600s, .margin = 0s});
  ASSERT_TRUE(sleeper) << sleeper.error().message;
  // Over by its own words, and of another machine: this very process would count as there.
  json there = content();
  there["host"] = "web-2";
  there["boot"] = "another";
  there["lease_seconds"] = 1;
  put(*store, key, there.dump());
  Result<std::unique_ptr<StoreLease>> part = fail(Kind::busy, "");
  while (!part && part.error().kind == Kind::busy) {
    std::this_thread::yield();
    part = StoreLease::take_part(target, "expire-objects", "1", {.length = 1s, .margin = 0s});
  }
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_FALSE((*sleeper)->renew());
  EXPECT_FALSE((*sleeper)->alive());
}

TEST_P(Lease, IsRenewedInTheBackgroundAndStaysItsOwn) {
  const auto lease = take({.length = 120s, .renew_every = 1s});
  ASSERT_TRUE(lease) << lease.error().message;
  const std::string first = store->head(key)->etag;
  while (store->head(key)->etag == first) std::this_thread::yield();
  EXPECT_TRUE((*lease)->alive());
  EXPECT_TRUE((*lease)->renew());
  EXPECT_EQ(content()["pid"], ::getpid());
}

TEST_P(Lease, ThatAnotherHasTakenIsLostAndLeftToIt) {
  auto lease = take();
  ASSERT_TRUE(lease) << lease.error().message;
  put_as_another_machine(*store);
  EXPECT_FALSE((*lease)->renew());
  const auto alive = (*lease)->alive();
  ASSERT_FALSE(alive);
  EXPECT_EQ(alive.error(),
            (Error{Kind::interrupted, "the lock of " + store->shown() + " is lost: another run has taken it",
                   "Nothing is lost. Run it again when the other one has ended (`steward runs`)."}));
  lease->reset();
  EXPECT_EQ(content()["token"], "another");
}

TEST_P(Lease, ThatWasRemovedIsLost) {
  const auto lease = take();
  ASSERT_TRUE(lease) << lease.error().message;
  ASSERT_TRUE(store->remove({.key = key}));
  EXPECT_FALSE((*lease)->renew());
  EXPECT_EQ((*lease)->alive().error().kind, Kind::interrupted);
}

TEST_P(Lease, OfAProcessOfThisBootThatIsGoneIsTakenAtOnce) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lease = take();
    ::kill(::getpid(), lease ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WTERMSIG(status), SIGKILL) << "the child had it";
  EXPECT_EQ(content()["pid"], child);
  const auto lease = take();
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_EQ(content()["pid"], ::getpid());
}

TEST_P(Lease, LeavesNoVersionInABucketThatKeepsThem) {
  object::set_versioning(target, "Enabled");
  if (!opened(target)->features()->conditional_replace) {  // RGW 16 checks no PUT where there are versions
    EXPECT_EQ(error_of(take()).code, "no-lease");
    return;
  }
  put_as_another_machine(*store);
  json dead = content();
  dead["boot"] = this_process().boot;
  dead["pid_namespace"] = pid_namespace();
  dead["pid"] = 0;
  const std::string first = store->head(key)->version_id;
  put(*store, key, dead.dump());
  ASSERT_TRUE(store->remove({.key = key, .version_id = first}));
  {
    const auto lease = take();
    ASSERT_TRUE(lease) << lease.error().message;
    EXPECT_TRUE((*lease)->renew());
    EXPECT_TRUE((*lease)->renew());
    EXPECT_EQ(content()["renewed"], 2);
  }
  const auto page = object::read_version_page(ask(target, {.query = {{"versions", ""}}}).body);
  ASSERT_TRUE(page);
  for (const object::ObjectVersion& version : page->versions) ADD_FAILURE() << version.object.key;
}

TEST_P(Lease, OfAnotherMachineKeepsOthersOutWhateverItsPidSays) {
  put_as_another_machine(*store);
  const Error error = error_of(take());
  EXPECT_EQ(error.kind, Kind::busy);
  EXPECT_THAT(error.message, HasSubstr("steward/0.1 run/other, process 4711 on web-2; its lock ends at "));
  EXPECT_EQ(content()["token"], "another");
}

TEST_P(Lease, OfAnotherPidNamespaceIsNotJudgedByThePidsOfThisOne) {
  put_as_another_machine(*store);
  json other = content();
  other["boot"] = this_process().boot;
  other["pid_namespace"] = "pid:[1]";
  put(*store, key, other.dump());
  EXPECT_EQ(error_of(take()).kind, Kind::busy);
}

TEST_P(Lease, WhatCannotBeReadCountsAsSomebodysUntilItIsOld) {
  for (const std::string text : {"", "not json", "[]", R"({"steward":"lock","lease_seconds":"x","pid":{}})"}) {
    put(*store, key, text);
    const Error error = error_of(take());
    EXPECT_EQ(error.kind, Kind::busy) << text;
    EXPECT_THAT(error.message, HasSubstr("somebody; its lock ends at ")) << text;
  }
}

TEST(LeaseVersity, OfAnotherMachineIsTakenOverWhenItAndItsMarginAreOver) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_VERSITY");
  const auto store = opened(target);
  put(*store, key, R"({"steward":"lock","host":"web-2","boot":"1","pid":1,"token":"another","lease_seconds":120})");
  const std::string file =
      object::from_environment("STEWARD_TEST_S3_VERSITY_DATA") + '/' + target.url.substr(5) + '/' + key;
  const auto written_before = [&](std::chrono::seconds age) {
    const auto then = std::chrono::floor<std::chrono::seconds>(SystemClock().now()) - age;
    const timespec times[2] = {{then.time_since_epoch().count(), 0}, {then.time_since_epoch().count(), 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  };
  written_before(125s);
  EXPECT_EQ(error_of(StoreLease::take(target, "expire-objects")).kind, Kind::busy) << "its margin is not over";
  written_before(137s);
  const auto lease = StoreLease::take(target, "expire-objects");
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_EQ(json::parse(content_of(*store, key))["pid"], ::getpid());
}

TEST(LeaseRgw, OfFortyDaysAgoIsTakenOver) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_RGW");
  const object::LateClock late(std::chrono::days(40));
  StoreTarget then = object::target_on("STEWARD_TEST_S3_RGW_OLD", target.url);
  then.clock = &late;
  put(*opened(then), key, R"({"steward":"lock","host":"web-2","boot":"1","pid":1,"lease_seconds":999999999})");
  const auto lease = StoreLease::take(target, "expire-objects");
  ASSERT_TRUE(lease) << lease.error().message;
}

// --- servers and rights that do not allow it ------------------------------------------------------------------------

TEST(LeaseVersity, ARenewalWhoseAnswerGotLostIsNotTakenForAnothers) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_VERSITY");
  std::atomic<int> cuts = 0;
  http::FaultProxy proxy(target.s3.endpoint, [&](const http::SeenRequest& request) {
    return request.method == "PUT" && request.target.contains(key) && cuts-- > 0 ? http::Fault::lost_answer()
                                                                                 : http::Fault::none();
  });
  StoreTarget through = target;
  through.s3.endpoint = proxy.url();
  const auto lease = StoreLease::take(through, "expire-objects");
  ASSERT_TRUE(lease) << lease.error().message;
  cuts = 2;  // both attempts of one renewal
  EXPECT_FALSE((*lease)->renew());
  EXPECT_TRUE((*lease)->alive()) << "there is time";
  cuts = 0;
  EXPECT_TRUE((*lease)->renew());
  EXPECT_TRUE((*lease)->alive());
}

TEST(LeaseVersity, ThatCannotBeRenewedInTimeIsAnErrorThatSaysWhy) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_VERSITY");
  std::atomic<bool> cut = false;
  http::FaultProxy proxy(target.s3.endpoint, [&](const http::SeenRequest&) {
    return cut ? http::Fault::lost_request() : http::Fault::none();
  });
  StoreTarget through = target;
  through.s3.endpoint = proxy.url();
  const auto lease = StoreLease::take(through, "expire-objects", {.length = 0s});
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_TRUE((*lease)->alive()) << "it is over, and renewed, since nobody has taken it";
  cut = true;
  const auto alive = (*lease)->alive();
  ASSERT_FALSE(alive);
  EXPECT_EQ(alive.error().kind, Kind::interrupted);
  EXPECT_THAT(alive.error().message, HasSubstr("may be lost, it could not be renewed for 0 s: cannot write .steward"));
  cut = false;
}

TEST(LeaseVersity, AServerThatIgnoresConditionsCanHaveNoneAndTheLockSaysSo) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_VERSITY");
  const object::ConditionlessServer server(target);
  StoreTarget through = target;
  through.s3.endpoint = server.url();
  const files::Scratch scratch;
  const auto state = StateDirectory::open(scratch.path());
  ASSERT_TRUE(state);
  const auto lock = lock_store(through, *state, "expire-objects");
  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ((*lock)->note(), "the server of " + target.url +
                                 " checks no conditions of a PUT, so that it can have no lock: runs of other machines "
                                 "are not kept out");
  EXPECT_TRUE((*lock)->alive());
  EXPECT_THAT(keys_of(*opened(target)), IsEmpty());
}

TEST(LeaseRgw, WhereThePolicyAllowsNoPutTheLockIsLocalAndSaysSo) {
  for (const std::string denied : {"/*", "/.steward-lock-*"}) {
    const StoreTarget target = new_bucket("STEWARD_TEST_S3_RGW");
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::)" +
        target.url.substr(5) + denied + R"("}]})";
    ask(target, {.method = "PUT", .query = {{"policy", ""}}, .body = policy});
    const files::Scratch scratch;
    const auto state = StateDirectory::open(scratch.path());
    ASSERT_TRUE(state);
    const auto lock = lock_store(target, *state, "expire-objects");
    ASSERT_TRUE(lock) << lock.error().message;
    EXPECT_THAT((*lock)->note(), HasSubstr("the bucket does not let steward put its lock"));
    EXPECT_THAT((*lock)->note(), HasSubstr("runs of other machines are not kept out"));
  }
}

TEST(LeaseVersity, OfTwoStateDirectoriesOneIsKeptOut) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_VERSITY");
  const files::Scratch one, two;
  const auto first = lock_store(target, *StateDirectory::open(one.path()), "expire-objects");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ((*first)->note(), "");
  const auto second = lock_store(target, *StateDirectory::open(two.path()), "expire-objects");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Kind::busy);
}

TEST(ProcessIdentity, OnlyAProcessOfThisBootAndNamespaceCanBeProvenGone) {
  ledger::Process process = this_process();
  EXPECT_FALSE(is_gone_here(process, pid_namespace()));
  process.started_ticks += 1;
  EXPECT_TRUE(is_gone_here(process, pid_namespace()));
  EXPECT_FALSE(is_gone_here(process, "pid:[1]"));
  EXPECT_FALSE(is_gone_here(process, ""));
  process.boot = "another";
  EXPECT_FALSE(is_gone_here(process, pid_namespace())) << "a host of the same name, perhaps";
}

TEST(ProcessIdentity, AZombieIsGone) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::int64_t started = this_process().started_ticks;
    ::_exit(::write(pipe[1], &started, sizeof started) == sizeof started ? 0 : 1);
  }
  ledger::Process process = this_process();
  process.pid = child;
  ASSERT_EQ(::read(pipe[0], &process.started_ticks, sizeof process.started_ticks), 8);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(is_gone_here(process, pid_namespace()));
  for (const int end : pipe) ::close(end);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace steward
