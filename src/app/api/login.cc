#include "app/api/login.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/api/guard.h"
#include "core/digest.h"
#include "core/password.h"
#include "core/text.h"

namespace steward::api {
namespace {
using namespace std::chrono_literals;

constexpr std::int64_t free_failures = 4;
constexpr std::chrono::seconds longest_of_account = 1min, longest_of_address = 15min;

std::unexpected<Refused> refuse(Error error, std::chrono::seconds wait = 0s) {
  return std::unexpected(Refused{.error = std::move(error), .wait = wait});
}

/// Of a password that nobody has, so that names cannot be told apart by time.
const std::string& hash_of_nobody() {
  static const std::string hash = hash_password(new_secret()).value_or("");
  return hash;
}

}  // namespace

std::chrono::seconds wait_after(const ledger::Failures& failures, std::chrono::seconds longest, Instant now) {
  if (failures.count <= free_failures) return 0s;
  const auto doublings = std::min<std::int64_t>(failures.count - free_failures, 20);
  const auto whole = std::min(longest, std::chrono::seconds(std::int64_t{1} << doublings));
  // A clock that was set back makes nobody wait for longer than that.
  const auto since = std::max(now - failures.last, Instant::duration(0));
  return std::chrono::ceil<std::chrono::seconds>(std::max(whole - since, Instant::duration(0)));
}

std::expected<SignedIn, Refused> sign_in(ledger::People& people, const Attempt& attempt, Instant now) {
  const std::string account = "account " + server::lower(attempt.name), address = "address " + attempt.address;
  const auto of_account = people.failures(account, now), of_address = people.failures(address, now);
  if (!of_account || !of_address) return refuse(of_account ? of_address.error() : of_account.error());
  if (const auto wait =
          std::max(wait_after(*of_account, longest_of_account, now), wait_after(*of_address, longest_of_address, now));
      wait > 0s)
    return refuse({Kind::busy, "too many attempts to sign in have failed",
                   fmt::format("Try again in {}.", format_span(wait)), "login-slowed"},
                  wait);
  const auto user = people.user(attempt.name);
  if (!user && user.error().kind != Kind::not_found && user.error().kind != Kind::bad_input)
    return refuse(user.error());
  const bool right = is_password(attempt.password, user ? user->password : hash_of_nobody());
  if (!user || !right || user->disabled) {
    for (const std::string& subject : {account, address})
      if (const auto noted = people.note_failure(subject, now); !noted) return refuse(noted.error());
    return refuse({Kind::permission, "the name or the password is wrong",
                   "`steward user passwd NAME` on the server gives a new password."});
  }
  SignedIn out{.secret = new_secret(), .user = *user};
  Result<void> done = people.add_session({.id = sha256_hex(out.secret.reveal()),
                                          .user = user->name,
                                          .made = now,
                                          .seen = now,
                                          .idle_end = now + session_idle,
                                          .end = now + session_length,
                                          .address = attempt.address,
                                          .agent = attempt.agent.substr(0, 200)});
  if (done) done = people.forget_failures(account);
  if (!done) return refuse(done.error());
  return out;
}

}  // namespace steward::api
