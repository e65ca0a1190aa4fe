/// People on the ledger's database. See people.h.
#pragma once
#include "run/ledger/ledger_database.h"
#include "run/ledger/people.h"

namespace steward::ledger {

class SqlPeople final : public People {
 public:
  explicit SqlPeople(LedgerDatabase& db) : db_(db) {}

  Result<void> add_user(const User& user, std::string_view who) override;
  Result<std::vector<User>> users() override;
  Result<User> user(std::string_view name) override;
  Result<void> set_password(std::string_view name, std::string_view hash, std::string_view who, Instant now,
                            std::string_view but) override;
  Result<void> set_role(std::string_view name, Role role, std::string_view who, Instant now) override;
  Result<void> set_disabled(std::string_view name, bool disabled, std::string_view who, Instant now) override;
  Result<void> remove_user(std::string_view name, std::string_view who, Instant now) override;

  Result<void> add_session(const Session& session) override;
  Result<std::optional<Known>> by_session(std::string_view id, std::chrono::seconds idle, Instant now) override;
  Result<std::vector<Session>> sessions(std::string_view user, Instant now) override;
  Result<void> end_session(std::string_view id, std::string_view who, Instant now) override;
  Result<std::int64_t> end_sessions(std::string_view user, std::string_view who, Instant now) override;

  Result<void> add_token(const Token& token) override;
  Result<std::vector<Token>> tokens() override;
  Result<std::optional<Known>> by_token(std::string_view hash, Instant now) override;
  Result<void> revoke_token(std::string_view id, std::string_view who, Instant now) override;

  Result<Failures> failures(std::string_view subject, Instant now) override;
  Result<void> note_failure(std::string_view subject, Instant now) override;
  Result<void> forget_failures(std::string_view subject) override;

  Result<void> set_setup_link(std::string_view hash, Instant expires) override;
  Result<void> set_up(std::string_view hash, const User& user) override;
  Result<Secret> signing_key() override;

 private:
  LedgerDatabase& db_;
};

}  // namespace steward::ledger
