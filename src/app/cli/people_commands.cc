// user, token: who may use the API and the dashboard

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/password_prompt.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/age.h"
#include "core/digest.h"
#include "core/password.h"
#include "core/random.h"
#include "core/text.h"
#include "run/ledger/people.h"

namespace steward::app {
namespace {
using ledger::Role;
using nlohmann::json;

std::string second_of(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

Result<Role> role_from(const std::string& text) {
  if (const auto role = ledger::role_named(text)) return *role;
  return fail(Kind::bad_input, fmt::format("there is no role \"{}\"", printable(text)),
              "The roles are viewer, operator, approver and administrator.");
}

/// The moment that `--expires` names: an age from now ("90 days"), or a date.
Result<std::optional<Instant>> expiry(const std::string& text, Instant now) {
  if (text == "never") return std::nullopt;
  if (const auto age = parse_age(text)) {
    if (const auto* span = std::get_if<std::chrono::microseconds>(&age->span)) return now + *span;
    const auto months = std::get<std::chrono::months>(age->span);
    auto day = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)) + months;
    if (!day.ok()) day = day.year() / day.month() / std::chrono::last;
    return std::chrono::sys_days(day) + (now - std::chrono::floor<std::chrono::days>(now));
  }
  auto until = until_of(text, now);
  if (until) return until;
  return fail(Kind::bad_input, fmt::format("--expires is \"{}\", which is no age and no time to come", printable(text)),
              "Write it like 90 days, 2027-01-31 or never.");
}

}  // namespace

Result<int> user_add_command(const Output& output, const UserCommand& command) {
  const Role role = TRY(role_from(command.role));
  TRY(ledger::check_user_name(command.name));
  const Session session = TRY(open_session_saying(output));
  std::string hash = TRY(hash_password(TRY(ask_for_password(fmt::format("Password of {}", command.name)))));
  TRY(session.ledger->people().add_user(
      {.name = command.name, .role = role, .password = std::move(hash), .made = session.clock.now()}, user_name()));
  if (output.json)
    print_json({{"user", command.name}, {"role", command.role}});
  else
    print(fmt::format("{} may sign in, as {}.\n", command.name, command.role));
  return 0;
}

Result<int> user_list_command(const Output& output) {
  const Session session = TRY(open_session_saying(output));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"USER", "ROLE", "SINCE", "SIGNED IN", ""}};
  for (const ledger::User& user : TRY(session.ledger->people().users())) {
    list.push_back(document_of(user));
    rows.push_back({user.name, std::string(ledger::name_of(user.role)), second_of(user.made),
                    user.signed_in ? second_of(*user.signed_in) : "never", user.disabled ? "disabled" : ""});
  }
  if (output.json)
    print_json({{"users", list}});
  else
    print(rows.size() == 1 ? "There is no user yet: steward user add NAME --role administrator\n" : table(rows));
  return 0;
}

Result<int> user_passwd_command(const Output& output, const UserCommand& command) {
  const Session session = TRY(open_session_saying(output));
  TRY(session.ledger->people().user(command.name));
  const std::string hash = TRY(hash_password(TRY(ask_for_password(fmt::format("New password of {}", command.name)))));
  TRY(session.ledger->people().set_password(command.name, hash, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"user", command.name}, {"password", "changed"}});
  else
    print(fmt::format("{} has a new password, and is signed out everywhere.\n", command.name));
  return 0;
}

Result<int> user_role_command(const Output& output, const UserCommand& command) {
  const Role role = TRY(role_from(command.role));
  const Session session = TRY(open_session_saying(output));
  TRY(session.ledger->people().set_role(command.name, role, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"user", command.name}, {"role", command.role}});
  else
    print(fmt::format("{} is {} from now on.\n", command.name, command.role));
  return 0;
}

Result<int> user_disable_command(const Output& output, const UserCommand& command) {
  const Session session = TRY(open_session_saying(output));
  TRY(session.ledger->people().set_disabled(command.name, !command.enable, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"user", command.name}, {"disabled", !command.enable}});
  else
    print(command.enable ? fmt::format("{} may sign in again.\n", command.name)
                         : fmt::format("{} is signed out and may not sign in: steward user disable {} --undo\n",
                                       command.name, command.name));
  return 0;
}

Result<int> user_remove_command(const Output& output, const UserCommand& command) {
  const Session session = TRY(open_session_saying(output));
  TRY(session.ledger->people().remove_user(command.name, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"user", command.name}, {"removed", true}});
  else
    print(fmt::format("{} is removed. What {} did stays in the ledger.\n", command.name, command.name));
  return 0;
}

Result<int> token_add_command(const Output& output, const TokenCommand& command) {
  if (trim(command.name).empty() || command.name.size() > 100)
    return fail(Kind::bad_input, "a token needs a name of up to 100 characters", "Say what it is for, like deploys.");
  const Role role = TRY(role_from(command.role));
  const Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  const std::optional<Instant> expires = TRY(expiry(command.expires, now));
  if (!command.owner.empty()) TRY(session.ledger->people().user(command.owner));
  const std::string secret = std::string(ledger::token_prefix) + new_secret().reveal();
  const ledger::Token token{.id = "t-" + random_hex(4),
                            .name = command.name,
                            .hash = sha256_hex(secret),
                            .role = role,
                            .owner = command.owner,
                            .made = now,
                            .made_by = user_name(),
                            .expires = expires};
  TRY(session.ledger->people().add_token(token));
  if (output.json) {
    json document = document_of(token);
    document["token"] = secret;
    print_json(document);
  } else {
    // The token alone on standard output, so that it can go into a file or a variable.
    fmt::print(stderr, "{}, as {}, {}. It is shown this once:\n", token.id, command.role,
               expires ? "until " + second_of(*expires) : "for good");
    print(secret + '\n');
  }
  return 0;
}

Result<int> token_list_command(const Output& output) {
  const Session session = TRY(open_session_saying(output));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"TOKEN", "NAME", "ROLE", "OF", "EXPIRES", "USED", ""}};
  for (const ledger::Token& token : TRY(session.ledger->people().tokens())) {
    list.push_back(document_of(token));
    rows.push_back({token.id, printable(token.name), std::string(ledger::name_of(token.role)),
                    token.owner.empty() ? "itself" : token.owner, token.expires ? second_of(*token.expires) : "never",
                    token.used ? second_of(*token.used) : "never", token.revoked ? "revoked" : ""});
  }
  if (output.json)
    print_json({{"tokens", list}});
  else
    print(rows.size() == 1 ? "There is no token yet.\n" : table(rows));
  return 0;
}

Result<int> token_revoke_command(const Output& output, const std::string& id) {
  const Session session = TRY(open_session_saying(output));
  TRY(session.ledger->people().revoke_token(id, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"id", id}, {"revoked", true}});
  else
    print(fmt::format("{} is revoked.\n", id));
  return 0;
}

}  // namespace steward::app
