/// Sessions of people: signing in, which is slowed down after failures, and out.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "core/secret.h"
#include "run/ledger/people.h"

namespace steward::api {

struct Attempt {
  std::string name{};
  Secret password{};
  std::string address{}, agent{};
};

/// The secret of a new session, and whose it is. `wait` where there were too many failures.
struct SignedIn {
  Secret secret{};
  ledger::User user{};
};
struct Refused {
  Error error{};
  std::chrono::seconds wait{};  ///< Above zero: too early to try again.
};

/// Checks the password and enters a session. A name that nobody has takes as long as a wrong password, and gets the
/// same answer. Failures are counted by account and by address.
std::expected<SignedIn, Refused> sign_in(ledger::People& people, const Attempt& attempt, Instant now);

/// How long after its last failure the next attempt has to wait: nothing for the first four, then twice as long each
/// time. An account's wait ends at a minute, so that nobody can lock another out for long; an address's at a quarter of
/// an hour. Pure.
std::chrono::seconds wait_after(const ledger::Failures& failures, std::chrono::seconds longest, Instant now);

}  // namespace steward::api
