// Notifications by the real program, to a receiver that is there.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "harness/serving.h"

namespace steward::harness {
namespace {
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

/// Takes whatever is posted to it, like an incoming webhook, and answers "ok".
class Receiver {
 public:
  Receiver() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~Receiver() {
    thread_ = {};
    ::close(socket_);
    for (const int client : kept_) ::close(client);
  }
  /// From now on it is overloaded, or well again.
  void answer_well(bool well) { well_ = well; }
  /// From now on it takes what comes, and says nothing.
  void be_silent() { silent_ = true; }
  /// How many requests have come in, answered well or not.
  std::size_t asked() const { return asked_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/services/T0/B0/very-secret"; }
  /// The texts that have come in and were taken.
  std::vector<std::string> texts() const {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 50) != 1) continue;
      const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client >= 0) answer(client);
    }
  }
  void answer(int client) {
    std::string request;
    std::array<char, 4096> buffer{};
    std::size_t head = 0, body = 0;
    while (head == 0 || request.size() < head + body) {
      const ssize_t got = ::recv(client, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      request.append(buffer.data(), static_cast<std::size_t>(got));
      if (const auto end = request.find("\r\n\r\n"); head == 0 && end != std::string::npos) {
        head = end + 4;
        const auto length = request.find("Content-Length: ");
        if (length < end) body = std::stoul(request.substr(length + 16));
      }
    }
    const auto document = nlohmann::json::parse(request.substr(head), nullptr, false);
    const bool well = well_;
    if (well && !silent_) {
      const std::lock_guard lock(mutex_);
      texts_.push_back(document.is_object() ? document.value("text", "no text") : "no JSON: " + request);
    }
    const std::string_view reply =
        well ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
             : "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    ++asked_;
    if (silent_) return kept_.push_back(client);
    EXPECT_EQ(::send(client, reply.data(), reply.size(), MSG_NOSIGNAL), static_cast<ssize_t>(reply.size()));
    ::close(client);
  }

  int socket_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_{};
  std::vector<std::string> texts_{};
  std::atomic<bool> well_ = true;
  std::atomic<bool> silent_ = false;
  std::vector<int> kept_{};  ///< Connections of those that wait for an answer.
  std::atomic<std::size_t> asked_ = 0;
  std::jthread thread_{};
};

/// Where nobody listens.
const std::string nobody = "http://127.0.0.1:1/very-secret";

struct Notify : Serve {
  using Serve::Serve;
  std::map<std::string, std::string> told() const { return {{"SLACK_WEBHOOK_URL", receiver.url()}}; }
  Answer steward(const std::vector<std::string>& words) const { return telling(receiver.url(), words); }
  /// The program, with this address for its messages.
  Answer telling(const std::string& url, std::vector<std::string> words) const {
    auto environment = app.environment;
    environment["SLACK_WEBHOOK_URL"] = url;
    words.insert(words.begin(), steward_binary());
    return run_program(words, environment, app.root());
  }
  void configure_channel() {
    app.environment.erase("STEWARD_CONFIG");
    app.environment["LOG_DIR"] = app.path("logs");
  }
  void SetUp() override {
    Serve::SetUp();
    configure_channel();
  }
  Receiver receiver;
};

TEST_F(Notify, ARunThatIsRefusedIsToldOnceAndItsRecoveryOnce) {
  app.steward({"freeze", "--reason", "an audit"});
  EXPECT_EQ(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_EQ(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused")));
  app.steward({"freeze", "lift"});
  EXPECT_NE(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused"), HasSubstr("cleanup works again")));
  EXPECT_THAT(steward({"run", "cleanup"}).err, Not(HasSubstr("notifications")));
  EXPECT_THAT(receiver.texts(), SizeIs(2)) << "a success is no news";
}

TEST_F(Notify, WhatWasNotToldWhenItHappenedIsToldByTheNextWhoComesOnce) {
  app.steward({"freeze", "--reason", "an audit"});
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 3);  // as one that was killed after its end: it has told nobody
  EXPECT_THAT(receiver.texts(), IsEmpty());
  EXPECT_EQ(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused")));
}

TEST_F(Notify, ADaemonTellsOfTheRunsThatItHasStarted) {
  app.steward({"freeze", "--reason", "an audit"});
  const auto started = daemon({}, told());
  await_ready(*started);
  enqueue("20261123T030000Z-000001", *started);
  await([&] { return !receiver.texts().empty(); }, "the message has come in");
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused")));
  ::kill(started->pid(), SIGTERM);
  const Answer ended = started->wait();
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.out + ended.err, Not(HasSubstr("very-secret")));
}

TEST_F(Notify, ATestOfAChannelArrivesOrSaysWhyNotWithoutItsAddress) {
  EXPECT_EQ(steward({"notify", "test", "slack"}).exit_code, 0);
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("the channel slack works")));
  const Answer failed = telling(nobody, {"notify", "test", "slack"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, HasSubstr("slack: no connection to its address"));
  EXPECT_THAT(failed.out + failed.err, Not(HasSubstr("very-secret")));
  const Answer unknown = steward({"notify", "test", "pager"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("slack"));
}

TEST_F(Notify, AReceiverThatIsDownChangesNothingButWhatWaits) {
  app.steward({"freeze", "--reason", "an audit"});
  const Answer run = telling(nobody, {"run", "cleanup"});
  EXPECT_EQ(run.exit_code, 3);
  const auto waiting = steward({"notify", "list", "--open", "--json"}).json()["deliveries"];
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0]["state"], "tried");
  EXPECT_EQ(waiting[0]["attempts"], 1);
  EXPECT_THAT(waiting.dump(), Not(HasSubstr("very-secret")));
}

TEST_F(Notify, ADaemonTellsLaterWhereTheReceiverWasDown) {
  app.steward({"freeze", "--reason", "an audit"});
  receiver.answer_well(false);
  const auto started = daemon({}, told());
  await_ready(*started);
  enqueue("20261123T030000Z-000001", *started);
  await([&] { return receiver.asked() > 0; }, "it was tried");
  EXPECT_THAT(receiver.texts(), IsEmpty());
  receiver.answer_well(true);
  await([&] { return !receiver.texts().empty(); }, "the message has come in after all");
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused")));
  ::kill(started->pid(), SIGTERM);
  EXPECT_EQ(started->wait().exit_code, 0);
  EXPECT_THAT(steward({"notify", "list", "--open", "--json"}).json()["deliveries"], SizeIs(0));
}

TEST_F(Notify, AStartThatIsLateBecauseNoDaemonWasThereIsToldOfOnce) {
  const Instant due = std::chrono::floor<std::chrono::seconds>(SystemClock().now() - std::chrono::hours{2});
  auto late = a_run("20261123T030000Z-000001");
  late.due = due;
  ASSERT_EQ(ledger->agenda().enqueue(late), true);
  {
    const auto first = daemon({}, told());
    await([&] { return run(late.id).ended.has_value(); }, "the run has ended");
    ::kill(first->pid(), SIGKILL);  // what waits for company in one message is durable
    first->wait();
  }
  const auto second = daemon({}, told());
  await_ready(*second);
  await([&] { return !receiver.texts().empty(); }, "the message has come in");
  ::kill(second->pid(), SIGTERM);
  EXPECT_EQ(second->wait().exit_code, 0);
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup began 2 h late")));
  EXPECT_THAT(steward({"notify", "list", "--json"}).json()["deliveries"], SizeIs(1));
}

TEST_F(Notify, ARunByHandLeavesTellingToADaemonThatIsThereAndTellsItselfWhereThatHasNoChannel) {
  app.steward({"freeze", "--reason", "an audit"});
  const auto deaf = daemon();
  await_ready(*deaf);
  EXPECT_EQ(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused")));
  ::kill(deaf->pid(), SIGTERM);
  EXPECT_EQ(deaf->wait().exit_code, 0);
  const auto telling_one = daemon({}, told());
  await_ready(*telling_one);
  // What the run would have to send is due, and the address that it has leads nowhere: it does not even try.
  app.steward({"freeze", "lift"});
  EXPECT_NE(telling(nobody, {"run", "cleanup"}).exit_code, 3);
  poke(*telling_one);
  await([&] { return receiver.texts().size() > 1; }, "the daemon tells");
  EXPECT_THAT(receiver.texts(), ElementsAre(HasSubstr("cleanup was refused"), HasSubstr("cleanup works again")));
  const auto sent = steward({"notify", "list", "--json"}).json()["deliveries"];
  for (const auto& one : sent) EXPECT_EQ(one["attempts"], 1) << one.dump();
}

TEST_F(Notify, ADaemonThatIsToldToStopDoesNotWaitForAReceiverThatIsSilent) {
  app.steward({"freeze", "--reason", "an audit"});
  receiver.be_silent();
  const auto started = daemon({}, told());
  await_ready(*started);
  enqueue("20261123T030000Z-000001", *started);
  await([&] { return receiver.asked() > 0; }, "a message is under way");
  ::kill(started->pid(), SIGTERM);
  EXPECT_EQ(started->wait().exit_code, 0);
  const auto waiting = steward({"notify", "list", "--open", "--json"}).json()["deliveries"];
  ASSERT_THAT(waiting, SizeIs(1));
  EXPECT_EQ(waiting[0]["state"], "tried") << "it was given up, and no half minute was waited for its answer";
  EXPECT_THAT(waiting.dump(), HasSubstr("given up"));
}

TEST_F(Notify, ADaemonTakesUpItsChannelsAgainWhenItIsToldTo) {
  const std::string tasks = "cleanup:\n  logs: {kind: files, folder: logs, age: 30 days}\n";
  const auto with_channel = [&](const std::string& url) {
    return tasks + "notifications:\n  channels:\n    ops: {webhook: '" + url + "'}\n";
  };
  app.file("steward.yaml", tasks);
  app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
  app.steward({"freeze", "--reason", "an audit"});
  const auto started = daemon();
  await_ready(*started);
  const auto occurrences = [&](const std::string& text) {
    std::size_t count = 0;
    const std::string said = started->said();
    for (auto at = said.find(text); at != std::string::npos; at = said.find(text, at + 1)) ++count;
    return count;
  };
  const auto reload = [&](const std::string& file, const std::string& said) {
    const std::size_t before = occurrences(said);
    app.file("steward.yaml", file);
    poke(*started);
    await([&] { return occurrences(said) > before; }, said);
  };
  reload(with_channel(receiver.url()), "was read again");
  reload(tasks + "notifications: {channels: {ops: {pager: x}}}\n", "stays as it was");
  app.file("steward.yaml", with_channel(receiver.url()));  // for the run's own process
  ASSERT_EQ(ledger->agenda().enqueue(a_run("20261123T030000Z-000001")), true);
  poke(*started);
  await([&] { return receiver.asked() > 0; }, "it is told by the channel that has come");
  reload(tasks, "was read again");
  ::kill(started->pid(), SIGTERM);
  EXPECT_EQ(started->wait().exit_code, 0);
  EXPECT_EQ(receiver.asked(), 1U);
}

/// Where a row can be locked, and with it the way from a run's end to its message.
struct NotifyFromASharedLedger : Notify {
  NotifyFromASharedLedger() : Notify(DatabaseKind::postgres) {}
  std::string ledger_url() const override { return app.environment.at("DATABASE_URL"); }
  void SetUp() override {
    app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    Notify::SetUp();
  }
};

TEST_F(NotifyFromASharedLedger, ARunThatIsKilledBetweenItsEndAndItsMessageIsToldOfByTheNextOnce) {
  app.steward({"freeze", "--reason", "an audit"});
  const auto other = sql::connect({.url = ledger_url()});
  ASSERT_TRUE(other) << other.error().message;
  {
    const auto held = (*other)->begin();
    ASSERT_TRUE(held);
    ASSERT_TRUE((*other)->query("select 1 from steward.meta where name = 'outbox_audit' for update"));
    const auto started = app.start({"run", "cleanup"}, told());
    await(
        [&] {
          return app.value(
                     "select count(*) from pg_stat_activity where datname = current_database() and "
                     "wait_event_type = 'Lock'") == "1";
        },
        "it is about to tell");
    const auto runs = ledger->runs({});
    ASSERT_THAT(runs.value(), SizeIs(1));
    EXPECT_EQ(runs->at(0).status, ledger::Status::refused) << "its end is in the ledger";
    ::kill(started->pid(), SIGKILL);
    EXPECT_EQ(started->wait().exit_code, 128 + SIGKILL);
  }
  EXPECT_EQ(receiver.asked(), 0U);
  app.steward({"freeze", "lift"});
  EXPECT_NE(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_NE(steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_THAT(receiver.texts(), Contains(HasSubstr("cleanup was refused")).Times(1));
}

/// A run that cannot get on, since somebody has a row of its locked.
struct NotifyInTheMiddle : Notify {
  NotifyInTheMiddle() : Notify(DatabaseKind::postgres) {}
  std::string tasks() const override {
    return "  signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}\n";
  }
  void configure_channel() {}
  void SetUp() override {
    Serve::SetUp();
    configure("schedule: '0 3 1 1 *', expected_runtime: 1s");
    app.sql("insert into signals select i, 1, now() - interval '40 days', 0.5, null, 'x' from generate_series(1, 9) i");
    app.sql("insert into signals values (1000, 1, now(), 0.5, null, 'x')");
  }
};

TEST_F(NotifyInTheMiddle, ARunThatTakesTooLongIsToldOfOnceThroughAKillAndAgainWhenItIsDone) {
  const auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
  ASSERT_TRUE(other) << other.error().message;
  auto lock = (*other)->begin();
  ASSERT_TRUE(lock);
  ASSERT_TRUE((*other)->query("select 1 from signals where id = 7 for update"));
  const auto first = daemon({}, told());
  await_ready(*first);
  enqueue("20261123T030000Z-000001", *first);
  await([&] { return !receiver.texts().empty(); }, "it is told that it takes too long");
  ::kill(first->pid(), SIGKILL);
  first->wait();
  const auto second = daemon({}, told());
  await_ready(*second);
  ASSERT_TRUE(lock->rollback());
  await_status("20261123T030000Z-000001", ledger::Status::succeeded);
  poke(*second);
  await([&] { return receiver.texts().size() > 1; }, "it is told that it is done");
  EXPECT_THAT(receiver.texts(),
              ElementsAre(HasSubstr("cleanup has been running for"), HasSubstr("cleanup is done after all")));
}

}  // namespace
}  // namespace steward::harness
