#include "app/cli/notifications.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/scratch.h"
#include "io/http/scripted_server_test_support.h"
#include "io/sql/connection.h"

namespace steward::app {
namespace {
using namespace std::chrono_literals;
using http::Reply;
using http::ScriptedServer;
using http::SeenRequest;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// The end of a run that has failed, with a channel that hears of it.
struct AtTheEnd : testing::Test {
  void SetUp() override {
    session.settings.notifications.channels = {
        {.name = "ops", .how = notify::Webhook{.url = Secret(server.url() + "/in")}}};
    session.settings.notifications.rules = {{.topics = notify::default_topics()}};
    const Instant now = session.clock.now();
    ASSERT_TRUE(
        session.ledger->begin_run({.id = "r1", .job = "cleanup", .started = now, .heartbeat = now, .trigger = "cron"}));
    ASSERT_TRUE(session.ledger->end_run("r1", ledger::Status::failed, now, ""));
  }
  /// What it says on standard error.
  std::string deliver(const TellingTime& time) const {
    testing::internal::CaptureStderr();
    deliver_at_end(session, time);
    return testing::internal::GetCapturedStderr();
  }

  files::Scratch scratch{};
  Session session{.settings = {},
                  .state = StateDirectory::open(scratch.path()).value(),
                  .ledger = ledger::open({.url = "sqlite:///" + scratch.path() + "/ledger.db"}).value()};
  ScriptedServer server{[](const SeenRequest&) { return Reply::of(200, ""); }};
};

TEST_F(AtTheEnd, ALedgerThatStaysLockedKeepsARunNoLongerThanItMay) {
  const auto other = sql::connect({.url = session.state.ledger_url()}).value();
  {
    const auto lock = other->begin();
    ASSERT_TRUE(lock);
    ASSERT_TRUE(other->execute("update meta set value = value"));
    // No single wait would end before the test is given up: what ends them is that the time is over.
    EXPECT_THAT(deliver({.longest = 100ms, .with_ledger = 24h}), HasSubstr("notifications wait: "));
    EXPECT_THAT(server.seen(), IsEmpty());
  }
  EXPECT_THAT(deliver({}), IsEmpty());
  EXPECT_THAT(server.seen(), SizeIs(1)) << "whoever comes next tells of it";
}

TEST_F(AtTheEnd, ALedgerThatIsLockedIsGivenUpSooner) {
  const auto other = sql::connect({.url = session.state.ledger_url()}).value();
  const auto lock = other->begin();
  ASSERT_TRUE(lock);
  ASSERT_TRUE(other->execute("update meta set value = value"));
  EXPECT_THAT(deliver({.longest = 24h, .with_ledger = 0s}), HasSubstr("notifications wait: "));
}

}  // namespace
}  // namespace steward::app
