// `steward user` and `steward token`, as a person uses them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/application.h"

namespace steward::harness {
namespace {
using nlohmann::json;
using testing::HasSubstr;

struct PeopleCommands : testing::Test {
  /// With this as standard input; the shell has no part in the words.
  Answer with_input(const std::string& input, const std::vector<std::string>& words) const {
    std::vector<std::string> all{"/bin/sh", "-c", R"(printf '%s' "$INPUT" | "$0" "$@")", steward_binary()};
    all.insert(all.end(), words.begin(), words.end());
    auto environment = app.environment;
    environment["INPUT"] = input;
    environment["PATH"] = "/usr/bin:/bin";
    return run_program(all, environment, app.root());
  }
  json users() const { return app.steward({"user", "list", "--json"}).json()["users"]; }
  Application app;
};

TEST_F(PeopleCommands, AUserIsMadeWithAPasswordFromStandardInputAndIsInTheTrail) {
  const Answer added = with_input("correct horse battery\n", {"user", "add", "ann", "--role", "administrator"});
  EXPECT_EQ(added.exit_code, 0) << added.err;
  EXPECT_EQ(added.out, "ann may sign in, as administrator.\n");
  ASSERT_EQ(users().size(), 1u);
  EXPECT_EQ(users()[0]["role"], "administrator");
  EXPECT_FALSE(app.content("state/ledger.db").contains("correct horse battery"));
  EXPECT_EQ(app.steward({"ledger", "verify"}).exit_code, 0);
}

TEST_F(PeopleCommands, WhatIsNoPasswordOrNoRoleChangesNothing) {
  EXPECT_THAT(with_input("short\n", {"user", "add", "ann"}).err, HasSubstr("12 characters or more"));
  EXPECT_THAT(with_input("", {"user", "add", "ann"}).err, HasSubstr("no password was given"));
  EXPECT_THAT(with_input("correct horse battery\n", {"user", "add", "ann", "--role", "king"}).err,
              HasSubstr("there is no role \"king\""));
  EXPECT_EQ(users().size(), 0u);
}

TEST_F(PeopleCommands, TheLastAdministratorStaysWhateverIsTyped) {
  with_input("correct horse battery\n", {"user", "add", "ann", "--role", "administrator"});
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"user", "remove", "ann"}, {"user", "disable", "ann"}, {"user", "role", "ann", "viewer"}}) {
    const Answer refused = app.steward(words);
    EXPECT_EQ(refused.exit_code, 3) << refused.out;
    EXPECT_THAT(refused.err, HasSubstr("ann is the only administrator"));
  }
}

TEST_F(PeopleCommands, ATokenIsShownOnceAndNeverAgain) {
  const Answer added = app.steward({"token", "add", "deploys", "--role", "operator", "--expires", "30 days"});
  EXPECT_EQ(added.exit_code, 0) << added.err;
  EXPECT_TRUE(added.out.starts_with("steward_")) << added.out;
  const std::string secret = added.out.substr(0, added.out.size() - 1);
  const Answer list = app.steward({"token", "list", "--json"});
  EXPECT_FALSE(list.out.contains(secret));
  const json token = list.json()["tokens"][0];
  EXPECT_EQ(token["name"], "deploys");
  EXPECT_EQ(app.steward({"token", "revoke", token["id"]}).exit_code, 0);
  EXPECT_EQ(app.steward({"token", "revoke", token["id"]}).exit_code, 3);
  EXPECT_THAT(app.steward({"token", "add", "x", "--expires", "soon"}).err, HasSubstr("no age and no time to come"));
}

}  // namespace
}  // namespace steward::harness
