/// The part of the ledger that knows people: who they are, what they may do, and by what a server knows them again.
///
///   user    a name, a role, the hash of a password
///   session what a browser has: a secret in a cookie
///   token   what a script has: a secret that is shown once
///
/// Promises  - Secrets lie here as their SHA-256, passwords as Argon2id hashes (core/password.h): who reads the ledger
///             can become nobody by it.
///           - A change of a user, a token or a password is in the audit trail, in the same transaction. Signing in
///             and out is, too; the failures are not, or an attacker would write the trail.
///           - There is an administrator who can sign in for as long as there are users: the last one can be neither
///             removed, disabled nor given another role.
///           - What a failed login leaves is bounded, whatever is tried.
/// Threads   Any, as with the ledger.
/// Errors    not_found: no such user, token. bad_input: a name that cannot be one. refused (code "last-administrator",
///           "user-exists").
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "core/secret.h"

namespace steward::ledger {

/// What people may do; each may also what those before it may.
enum class Role {
  viewer,        ///< Look at everything.
  operator_,     ///< Run, cancel, pause, hold.
  approver,      ///< Give a verdict on a plan; end what protects: holds, freezes.
  administrator  ///< Users, tokens.
};
std::string_view name_of(Role role);  ///< "operator"
std::optional<Role> role_named(std::string_view name);

struct User {
  std::string name{};  ///< Up to 64 letters, digits and . _ - @ +
  Role role = Role::viewer;
  std::string password{};  ///< Its hash.
  bool disabled = false;
  Instant made{};
  std::optional<Instant> signed_in{};  ///< The last time.
};

struct Session {
  std::string id{};  ///< The SHA-256 of its secret.
  std::string user{};
  Instant made{}, seen{};
  Instant idle_end{};  ///< Moves with use.
  Instant end{};       ///< Does not.
  std::string address{}, agent{};
};

/// What the secret of a token begins with, so that it is found where it should not be.
inline constexpr std::string_view token_prefix = "steward_";

struct Token {
  std::string id{};    ///< "t-4f2a91c0"
  std::string name{};  ///< What it is for.
  std::string hash{};  ///< The SHA-256 of its secret.
  Role role = Role::viewer;
  std::string owner{};  ///< The user whom it acts for; empty: made at the command line, it acts for itself.
  Instant made{};
  std::string made_by{};
  std::optional<Instant> expires{}, used{}, revoked{};
};

/// Who stands behind a session or a token, as of now.
struct Known {
  std::string name{};  ///< As the ledger calls who acts: the user's, or "token NAME".
  Role role = Role::viewer;
  std::string user{};     ///< Empty: a token without an owner.
  std::string session{};  ///< Its id.
  std::string token{};    ///< Its id.
};

/// How often something has failed in a row.
struct Failures {
  std::int64_t count = 0;
  Instant last{};
};

class People {
 public:
  virtual ~People() = default;

  /// Enters a user. `who`: who does so, for the audit trail; the same everywhere here.
  virtual Result<void> add_user(const User& user, std::string_view who) = 0;
  /// By name.
  virtual Result<std::vector<User>> users() = 0;
  virtual Result<User> user(std::string_view name) = 0;
  /// Ends all sessions of the user, but for `but`.
  virtual Result<void> set_password(std::string_view name, std::string_view hash, std::string_view who, Instant now,
                                    std::string_view but = {}) = 0;
  virtual Result<void> set_role(std::string_view name, Role role, std::string_view who, Instant now) = 0;
  /// Ends the user's sessions; tokens of a disabled user are refused for as long as that lasts.
  virtual Result<void> set_disabled(std::string_view name, bool disabled, std::string_view who, Instant now) = 0;
  /// With sessions and tokens. What the user did stays in the audit trail.
  virtual Result<void> remove_user(std::string_view name, std::string_view who, Instant now) = 0;

  /// Enters a session of somebody who has just given the right password; takes out those that are over, and the oldest
  /// of a user who has more than fifty.
  virtual Result<void> add_session(const Session& session) = 0;
  /// The user of a session that is neither over nor idle for too long, and not disabled. Its idle end becomes
  /// `now + idle`, written down at most once a minute.
  virtual Result<std::optional<Known>> by_session(std::string_view id, std::chrono::seconds idle, Instant now) = 0;
  virtual Result<std::vector<Session>> sessions(std::string_view user, Instant now) = 0;
  /// Nothing where it is over.
  virtual Result<void> end_session(std::string_view id, std::string_view who, Instant now) = 0;
  /// All of the user's; how many.
  virtual Result<std::int64_t> end_sessions(std::string_view user, std::string_view who, Instant now) = 0;

  virtual Result<void> add_token(const Token& token) = 0;
  /// Newest first; also those that are revoked or have expired.
  virtual Result<std::vector<Token>> tokens() = 0;
  /// Whom a token acts for: none where it is revoked, has expired, or its owner is disabled or gone. Its role is no
  /// higher than its owner's.
  virtual Result<std::optional<Known>> by_token(std::string_view hash, Instant now) = 0;
  /// refused (code "revoked") where it is already.
  virtual Result<void> revoke_token(std::string_view id, std::string_view who, Instant now) = 0;

  /// Of something that is counted: an account, an address. Nothing where it never failed, or not within a day.
  virtual Result<Failures> failures(std::string_view subject, Instant now) = 0;
  /// One more. Of more than ten thousand subjects the oldest are forgotten.
  virtual Result<void> note_failure(std::string_view subject, Instant now) = 0;
  virtual Result<void> forget_failures(std::string_view subject) = 0;

  /// A link by which the first administrator can be made, once, until `expires`. Any earlier one ends.
  virtual Result<void> set_setup_link(std::string_view hash, Instant expires) = 0;
  /// Makes `user` by that link. refused (code "setup-over") where the link has expired, was used, or is another, and
  /// where there is a user already.
  virtual Result<void> set_up(std::string_view hash, const User& user) = 0;

  /// A key of this ledger, made when it is first asked for: what is signed with it, all its servers can check.
  virtual Result<Secret> signing_key() = 0;
};

/// bad_input, with what a name may be.
Result<void> check_user_name(std::string_view name);

}  // namespace steward::ledger
