// Backups of several databases of one server by one word.
#include <gmock/gmock.h>
#include <unistd.h>

#include <set>

#include "harness/backed_up.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A server with databases of this test's own: all their names begin with `prefix`.
struct SeveralDatabases : testing::Test {
  BackedUp it{};
  const std::string prefix = "several_" + std::to_string(::getpid());
  std::unique_ptr<sql::Connection> server = sql::connect({.url = it.url()}).value();
  std::set<std::string> names{};

  SeveralDatabases() {
    add("_shop");
    add("_crm.eu");
    it.app.environment["BACKUP_DATABASES"] = prefix + "_*";
  }
  ~SeveralDatabases() override {
    for (const std::string& name : std::set(names)) drop(name);
  }
  std::string url_of(const std::string& name) const { return it.url() + "&dbname=" + name; }
  void add(const std::string& end) {
    const std::string name = prefix + end;
    ASSERT_TRUE(server->execute("create database \"" + name + "\""));
    names.insert(name);
    const auto connection = sql::connect({.url = url_of(name)}).value();
    ASSERT_TRUE(connection->execute("create table things (name text)"));
    ASSERT_TRUE(connection->execute("insert into things values ('of " + name + "')"));
  }
  void drop(const std::string& name) {
    EXPECT_TRUE(server->execute("drop database \"" + name + "\" with (force)"));
    names.erase(name);
  }
  /// The names of the plan's or the run's tasks.
  static std::vector<std::string> tasks_of(const json& document) {
    std::vector<std::string> out;
    for (const json& one : document.contains("steps") ? document["steps"] : document["tasks"])
      out.push_back(one["task"]);
    return out;
  }
};

TEST_F(SeveralDatabases, EachHasALineOfThePlanAnOutcomeAFolderAndComesBackByItsName) {
  const json plan = it.app.steward({"plan", "backup", "--json"}).json();
  const std::string shop = "backup-database." + prefix + "_shop";
  ASSERT_THAT(tasks_of(plan), SizeIs(3));
  EXPECT_THAT(tasks_of(plan)[0], testing::StartsWith("backup-database." + prefix + "_crm_eu-"));
  EXPECT_EQ(tasks_of(plan)[1], shop);
  EXPECT_EQ(tasks_of(plan)[2], "backup-database");
  EXPECT_EQ(task(plan, "backup-database")["planned"]["items"], 2);

  it.app.environment["BACKUP_KEEP"] = "last 1";
  for (int i = 0; i < 2; ++i) {
    const Answer made = it.run();
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
    EXPECT_EQ(task(made.json(), shop)["done"]["items"], 1);
    EXPECT_EQ(task(made.json(), "backup-database")["done"]["items"], 2);
  }
  EXPECT_THAT(it.list(), SizeIs(4)) << "the first of each goes with the next plan";
  const Answer again = it.run();
  EXPECT_EQ(task(again.json(), shop + ".expire")["done"]["items"], 1) << again.out;

  const Answer which = it.app.steward({"backup", "verify", "latest", "--json"});
  EXPECT_EQ(which.json()["error"]["kind"], "bad-input") << "the newest of which?";
  EXPECT_EQ(it.app.steward({"backup", "verify", prefix + "_shop/latest", "--depth", "restore"}).exit_code, 0);
  const std::string to = it.empty_database();
  const Answer restored = it.app.steward({"backup", "restore", prefix + "_shop/latest", "--to", to, "--json"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_THAT(rows_of(to, "things"), ElementsAre("of " + prefix + "_shop|"));
}

TEST_F(SeveralDatabases, AreAsWellProvedAsTheOneThatIsProvedLeast) {
  const auto proved = [&] { return it.app.steward({"status", "--json"}).json()["backups"][0]["proved"]; };
  ASSERT_EQ(it.run().exit_code, 0);
  ASSERT_EQ(it.app.steward({"backup", "verify", prefix + "_shop/latest", "--depth", "restore"}).exit_code, 0);
  EXPECT_EQ(proved(), nullptr) << "the other is not";
  for (const json& one : it.list()) {
    const std::string id = one["id"];
    if (id.contains("_crm")) {
      ASSERT_EQ(it.app.steward({"backup", "verify", id, "--depth", "restore"}).exit_code, 0);
    }
  }
  EXPECT_NE(proved(), nullptr);
  it.app.environment["BACKUP_PROOF"] = "7 days";
  add("_new");
  EXPECT_EQ(it.run().exit_code, 0) << "which proves it, too";
  EXPECT_NE(proved(), nullptr);
  for (const json& one : it.list())
    if (one["id"].get<std::string>().contains("_new")) {
      EXPECT_EQ(one["standing"], "restored");
    }
}

TEST_F(SeveralDatabases, OneThatFailsStopsNoOther) {
  const std::string user = prefix + "_user";
  it.app.sql("create role " + user + " login password 'x'");
  const auto shop = sql::connect({.url = url_of(prefix + "_shop")}).value();
  ASSERT_TRUE(shop->execute("grant select on things to " + user));
  std::string url = it.url();
  url.replace(url.find("postgres@"), 8, user + ":x");
  it.app.environment["DATABASE_URL"] = url;
  const Answer partly = it.run();
  EXPECT_EQ(partly.exit_code, 4) << partly.out;
  EXPECT_EQ(task(partly.json(), "backup-database." + prefix + "_shop")["status"], "succeeded");
  const json all = task(partly.json(), "backup-database");
  EXPECT_EQ(all["error"]["message"], "1 of 2 databases have no backup of this run: " + prefix + "_crm.eu");
  EXPECT_THAT(it.list(), SizeIs(1));
  ASSERT_TRUE(shop->execute("drop owned by " + user));
  it.app.sql("drop role " + user);
}

TEST_F(SeveralDatabases, OneThatIsGoneIsToldAndOneThatIsNewIsThere) {
  ASSERT_EQ(it.run().exit_code, 0);
  drop(prefix + "_shop");
  add("_new");
  const Answer next = it.run();
  EXPECT_EQ(next.exit_code, 0) << next.out;
  EXPECT_EQ(task(next.json(), "backup-database." + prefix + "_new")["done"]["items"], 1);
  EXPECT_THAT(next.out, HasSubstr(prefix + "_shop is not on the server any more; its backups stay, the newest is "));
  EXPECT_THAT(it.list(), SizeIs(4));
}

TEST_F(SeveralDatabases, OfAFileHaveAFolderTogetherAndAreNamedWithExceptions) {
  it.app.file("steward.yaml", "databases: {server: \"" + it.url() + "\"}\nstores: {there: \"" + it.app.path("backups") +
                                  "\"}\nbackup:\n  nightly:\n    database: server\n    store: there\n    databases: [" +
                                  prefix + "_*]\n    except: [\"*.eu\"]\n    format: directory\n");
  it.app.environment["STEWARD_CONFIG"] = it.app.path("steward.yaml");
  const Answer made = it.app.steward({"run", "backup/nightly", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_THAT(tasks_of(made.json()), ElementsAre("nightly." + prefix + "_shop", "nightly"));
  EXPECT_THAT(it.files(), Contains(HasSubstr("nightly/" + prefix + "_shop/")));
  EXPECT_EQ(it.app.steward({"backup", "verify", "latest", "--depth", "restore"}).exit_code, 0) << "there is one alone";
}

TEST_F(SeveralDatabases, OfAServerThatDoesNotAnswerOrHasNoneOfThemAreAnError) {
  it.app.environment["BACKUP_DATABASES"] = prefix + "_nothing";
  const Answer none = it.run();
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.out, HasSubstr("has no database " + prefix + "_nothing"));
  it.app.environment["DATABASE_URL"] = "postgresql://postgres@127.0.0.1:9/app";
  EXPECT_EQ(it.run().exit_code, 1);
  EXPECT_THAT(it.files(), IsEmpty());
}

}  // namespace
}  // namespace steward::harness
