// What people.h promises, on both databases.
#include "run/ledger/people.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using sql::kind_of;
using testing::ElementsAre;
using namespace std::chrono_literals;

using LedgerSession = Session;

const Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 12h};

struct PeopleContract : OnEachDatabase {
  People& people() { return ledger->people(); }
  void add(const std::string& name, Role role) {
    const auto added = people().add_user({.name = name, .role = role, .password = "hash", .made = noon}, "root");
    ASSERT_TRUE(added) << added.error().message;
  }
  static LedgerSession a_session(const std::string& id, const std::string& user, Instant made = noon) {
    return {.id = id,
            .user = user,
            .made = made,
            .seen = made,
            .idle_end = made + 8h,
            .end = made + 24h,
            .address = "192.0.2.7",
            .agent = "curl"};
  }
  static Token a_token(const std::string& id, Role role, const std::string& owner = "") {
    return {.id = id,
            .name = "deploys",
            .hash = "hash of " + id,
            .role = role,
            .owner = owner,
            .made = noon,
            .made_by = "root",
            .expires = noon + 24h};
  }
  std::vector<std::string> acts() {
    std::vector<std::string> out;
    const std::vector<AuditLine> lines = ledger->audit_lines(100).value();
    for (const AuditLine& line : lines) out.push_back(fmt::format("{} {} {}", line.actor, line.act, line.subject));
    return out;
  }
  bool is_known(const std::string& session, Instant now = noon + 1s) {
    return people().by_session(session, 8h, now).value().has_value();
  }
};

TEST_P(PeopleContract, AUserIsAsItWasEnteredAndChangedAndAllOfItIsInTheTrail) {
  add("ann", Role::administrator);
  add("bob", Role::viewer);
  EXPECT_TRUE(people().set_role("bob", Role::approver, "ann", noon));
  EXPECT_TRUE(people().set_password("bob", "other", "bob", noon));
  EXPECT_TRUE(people().set_disabled("bob", true, "ann", noon));
  const std::vector<User> users = people().users().value();
  ASSERT_EQ(users.size(), 2u);
  EXPECT_EQ(users[0].name, "ann");
  EXPECT_EQ(users[1].role, Role::approver);
  EXPECT_EQ(users[1].password, "other");
  EXPECT_TRUE(users[1].disabled);
  EXPECT_TRUE(people().remove_user("bob", "ann", noon));
  EXPECT_EQ(kind_of(people().user("bob")), Kind::not_found);
  EXPECT_THAT(acts(), ElementsAre("ann user.remove bob", "ann user.disable bob", "bob user.password bob",
                                  "ann user.role bob", "root user.add bob", "root user.add ann"));
  EXPECT_TRUE(ledger->verify_audit());
}

TEST_P(PeopleContract, ANameIsOneUsersAndHasNothingStrangeInIt) {
  add("ann", Role::viewer);
  EXPECT_EQ(people().add_user({.name = "ann", .made = noon}, "root").error().code, "user-exists");
  for (const char* name : {"", "a b", "a/b", "<b>", "a\nb", "\xff"})
    EXPECT_EQ(kind_of(people().add_user({.name = name, .made = noon}, "root")), Kind::bad_input) << name;
  EXPECT_EQ(kind_of(people().add_user({.name = std::string(65, 'a'), .made = noon}, "root")), Kind::bad_input);
}

TEST_P(PeopleContract, TheLastAdministratorStays) {
  add("ann", Role::administrator);
  add("bob", Role::operator_);
  EXPECT_EQ(people().remove_user("ann", "bob", noon).error().code, "last-administrator");
  EXPECT_EQ(people().set_role("ann", Role::viewer, "bob", noon).error().code, "last-administrator");
  EXPECT_EQ(people().set_disabled("ann", true, "bob", noon).error().code, "last-administrator");
  add("eve", Role::administrator);
  EXPECT_TRUE(people().set_disabled("ann", true, "eve", noon));
  EXPECT_EQ(people().remove_user("eve", "ann", noon).error().code, "last-administrator")
      << "the other one cannot sign in";
}

TEST_P(PeopleContract, OfTwoAdministratorsWhoRemoveEachOtherAtOnceOneStays) {
  add("ann", Role::administrator);
  add("bob", Role::administrator);
  const auto other = opened();
  std::atomic<int> removed = 0;
  {
    const std::jthread one([&] { removed += people().remove_user("ann", "bob", noon).has_value(); });
    const std::jthread two([&] { removed += other->people().remove_user("bob", "ann", noon).has_value(); });
  }
  EXPECT_EQ(removed, 1);
  EXPECT_EQ(people().users()->size(), 1u);
}

TEST_P(PeopleContract, ASessionEndsWhenItIsIdleWhenItsTimeIsOverAndWhenItsUserMayNot) {
  add("ann", Role::administrator);
  add("bob", Role::operator_);
  ASSERT_TRUE(people().add_session(a_session("s1", "bob")));
  const Known known = people().by_session("s1", 8h, noon + 1s).value().value();
  EXPECT_EQ(known.name, "bob");
  EXPECT_EQ(known.role, Role::operator_);
  EXPECT_FALSE(is_known("s2"));
  EXPECT_FALSE(is_known("s1", noon + 8h)) << "idle";
  EXPECT_TRUE(is_known("s1", noon + 7h));
  EXPECT_TRUE(is_known("s1", noon + 14h)) << "it was used meanwhile";
  EXPECT_TRUE(is_known("s1", noon + 21h));
  EXPECT_FALSE(is_known("s1", noon + 24h)) << "its end does not move";
  ASSERT_TRUE(people().set_disabled("bob", true, "ann", noon));
  EXPECT_FALSE(is_known("s1"));
  ASSERT_TRUE(people().set_disabled("bob", false, "ann", noon));
  EXPECT_FALSE(is_known("s1")) << "it has ended for good";
}

TEST_P(PeopleContract, ANewPasswordEndsTheSessionsButForTheOneThatSetIt) {
  add("bob", Role::operator_);
  for (const char* id : {"s1", "s2", "s3"}) ASSERT_TRUE(people().add_session(a_session(id, "bob")));
  ASSERT_TRUE(people().set_password("bob", "other", "bob", noon, "s2"));
  EXPECT_FALSE(is_known("s1"));
  EXPECT_TRUE(is_known("s2"));
  EXPECT_EQ(people().end_sessions("bob", "bob", noon), 1);
  EXPECT_FALSE(is_known("s2"));
  EXPECT_EQ(people().end_sessions("bob", "bob", noon), 0);
}

TEST_P(PeopleContract, AUserHasFiftySessionsAtTheMost) {
  add("bob", Role::operator_);
  for (int i = 0; i < 52; ++i)
    ASSERT_TRUE(people().add_session(a_session(fmt::format("s{}", i), "bob", noon + std::chrono::seconds(i))));
  EXPECT_EQ(people().sessions("bob", noon + 1min)->size(), 50u);
  EXPECT_FALSE(is_known("s1", noon + 1min));
  EXPECT_TRUE(is_known("s2", noon + 1min));
}

TEST_P(PeopleContract, ATokenActsForItsOwnerAndNeverForMore) {
  add("ann", Role::administrator);
  add("bob", Role::approver);
  ASSERT_TRUE(people().add_token(a_token("t-1", Role::administrator, "bob")));
  ASSERT_TRUE(people().add_token(a_token("t-2", Role::operator_)));
  const auto of = [&](const std::string& id, Instant now = noon + 1s) {
    return people().by_token("hash of " + id, now).value();
  };
  EXPECT_EQ(of("t-1")->role, Role::approver);
  EXPECT_EQ(of("t-1")->name, "bob");
  EXPECT_EQ(of("t-2")->name, "token deploys");
  EXPECT_EQ(of("t-2")->role, Role::operator_);
  EXPECT_FALSE(of("t-3"));
  EXPECT_FALSE(of("t-2", noon + 24h)) << "it has expired";
  ASSERT_TRUE(people().set_disabled("bob", true, "ann", noon));
  EXPECT_FALSE(of("t-1"));
  ASSERT_TRUE(people().set_disabled("bob", false, "ann", noon));
  ASSERT_TRUE(people().set_role("bob", Role::viewer, "ann", noon));
  EXPECT_EQ(of("t-1")->role, Role::viewer);
  ASSERT_TRUE(people().revoke_token("t-2", "ann", noon));
  EXPECT_FALSE(of("t-2"));
  EXPECT_EQ(people().revoke_token("t-2", "ann", noon).error().code, "revoked");
  EXPECT_EQ(kind_of(people().revoke_token("t-9", "ann", noon)), Kind::not_found);
  ASSERT_TRUE(people().remove_user("bob", "ann", noon));
  EXPECT_FALSE(of("t-1"));
  add("bob", Role::administrator);
  EXPECT_FALSE(of("t-1")) << "another of the same name has not its tokens";
}

TEST_P(PeopleContract, FailuresAreCountedForgottenAndBounded) {
  EXPECT_EQ(people().failures("account ann", noon)->count, 0);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(people().note_failure("account ann", noon + std::chrono::seconds(i)));
  EXPECT_EQ(people().failures("account ann", noon + 5s)->count, 3);
  EXPECT_EQ(people().failures("account ann", noon + 5s)->last, noon + 2s);
  EXPECT_EQ(people().failures("account ann", noon + 25h)->count, 0) << "a day later nothing is left";
  ASSERT_TRUE(people().forget_failures("account ann"));
  EXPECT_EQ(people().failures("account ann", noon + 5s)->count, 0);
}

TEST_P(PeopleContract, ASetupLinkMakesOneUserOnce) {
  ASSERT_TRUE(people().set_setup_link("first", noon + 1h));
  ASSERT_TRUE(people().set_setup_link("second", noon + 1h));
  const User ann{.name = "ann", .role = Role::administrator, .password = "hash", .made = noon};
  EXPECT_EQ(people().set_up("first", ann).error().code, "setup-over") << "a later one has taken its place";
  User late = ann;
  late.made = noon + 1h;
  EXPECT_EQ(people().set_up("second", late).error().code, "setup-over");
  EXPECT_TRUE(people().set_up("second", ann));
  User other = ann;
  other.name = "eve";
  EXPECT_EQ(people().set_up("second", other).error().code, "setup-over");
  ASSERT_TRUE(people().set_setup_link("third", noon + 1h));
  EXPECT_EQ(people().set_up("third", other).error().code, "setup-over") << "there is a user";
  EXPECT_THAT(acts(), ElementsAre("ann user.set-up ann"));
}

TEST_P(PeopleContract, TheSigningKeyStaysAndIsThisLedgers) {
  const std::string key = people().signing_key()->reveal();
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(opened()->people().signing_key()->reveal(), key);
}

ON_EACH_DATABASE(PeopleContract);

}  // namespace
}  // namespace steward::ledger
