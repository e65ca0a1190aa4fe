// users and tokens

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/documents/documents.h"
#include "core/digest.h"
#include "core/password.h"
#include "core/random.h"
#include "core/text.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

Schema role() { return one_of({"viewer", "operator", "approver", "administrator"}); }
ledger::Role role_in(const json& body) {
  return ledger::role_named(body["role"].get<std::string>()).value_or(ledger::Role::viewer);
}

Result<Response> add_user(const Context& context, const Call& call) {
  const auto name = call.body["name"].get<std::string>();
  TRY(ledger::check_user_name(name));
  std::string hash = TRY(hash_password(Secret(call.body["password"].get<std::string>())));
  TRY(context.ledger.people().add_user(
      {.name = name, .role = role_in(call.body), .password = std::move(hash), .made = call.now}, call.who.name));
  return answer(app::document_of(TRY(context.ledger.people().user(name))), 201);
}

Result<Response> change_user(const Context& context, const Call& call) {
  ledger::People& people = context.ledger.people();
  const std::string name = call.parameter("user");
  TRY(people.user(name));
  if (call.body.contains("role")) TRY(people.set_role(name, role_in(call.body), call.who.name, call.now));
  if (call.body.contains("disabled"))
    TRY(people.set_disabled(name, call.body["disabled"].get<bool>(), call.who.name, call.now));
  if (call.body.contains("password")) {
    const std::string hash = TRY(hash_password(Secret(call.body["password"].get<std::string>())));
    TRY(people.set_password(name, hash, call.who.name, call.now));
  }
  return answer(app::document_of(TRY(people.user(name))));
}

Result<Response> add_token(const Context& context, const Call& call) {
  const std::string secret = std::string(ledger::token_prefix) + new_secret().reveal();
  const auto owner = call.body.value("owner", std::string());
  if (!owner.empty()) TRY(context.ledger.people().user(owner));
  const auto expires = parse_instant(call.body["expires"].get<std::string>());
  if (!expires || *expires <= call.now)
    return fail(Kind::bad_input, "expires is no time to come", "Write it like 2027-01-31T12:00:00Z.");
  const ledger::Token token{.id = "t-" + random_hex(4),
                            .name = call.body["name"].get<std::string>(),
                            .hash = sha256_hex(secret),
                            .role = role_in(call.body),
                            .owner = owner,
                            .made = call.now,
                            .made_by = call.who.name,
                            .expires = expires};
  if (trim(token.name).empty()) return fail(Kind::bad_input, "a token needs a name", "Say what it is for.");
  TRY(context.ledger.people().add_token(token));
  json document = app::document_of(token);
  document["token"] = secret;
  return answer(document, 201);
}

}  // namespace

void add_people(Routes& routes, const Context& context) {
  const std::string users = std::string(root) + "/users", tokens = std::string(root) + "/tokens";
  routes.add({.id = "listUsers",
              .method = "GET",
              .path = users,
              .group = "people",
              .summary = "Who may sign in, and as what",
              .access = Access::administer,
              .answer = list_document("users", user_schema())},
             [&context](const Call&) -> Result<Response> {
               json all = json::array();
               const auto found = TRY(context.ledger.people().users());
               for (const ledger::User& user : found) all.push_back(app::document_of(user));
               return answer({{"users", all}});
             });
  routes.add({.id = "addUser",
              .method = "POST",
              .path = users,
              .group = "people",
              .summary = "Add a user",
              .access = Access::administer,
              .body = object(
                  {{"name", text(1, 64)}, {"role", role()}, {"password", text(shortest_password, longest_password)}}),
              .status = 201,
              .answer = user_schema()},
             [&context](const Call& call) { return add_user(context, call); });
  routes.add({.id = "changeUser",
              .method = "PATCH",
              .path = users + "/{user}",
              .group = "people",
              .summary = "Give a user another role or password, or shut them out; a new password ends their sessions",
              .access = Access::administer,
              .body = object({{"role", role(), optional},
                              {"disabled", flag(), optional},
                              {"password", text(shortest_password, longest_password), optional}}),
              .answer = user_schema()},
             [&context](const Call& call) { return change_user(context, call); });
  routes.add({.id = "removeUser",
              .method = "DELETE",
              .path = users + "/{user}",
              .group = "people",
              .summary = "Remove a user with their sessions and tokens; what they did stays in the audit trail",
              .access = Access::administer,
              .status = 204},
             [&context](const Call& call) -> Result<Response> {
               TRY(context.ledger.people().remove_user(call.parameter("user"), call.who.name, call.now));
               return nothing();
             });
  routes.add({.id = "listTokens",
              .method = "GET",
              .path = tokens,
              .group = "people",
              .summary = "Tokens of scripts, without their secrets",
              .access = Access::administer,
              .answer = list_document("tokens", token_schema())},
             [&context](const Call&) -> Result<Response> {
               json all = json::array();
               const auto found = TRY(context.ledger.people().tokens());
               for (const ledger::Token& token : found) all.push_back(app::document_of(token));
               return answer({{"tokens", all}});
             });
  routes.add({.id = "addToken",
              .method = "POST",
              .path = tokens,
              .group = "people",
              .summary = "Make a token; its secret is in this answer and nowhere else",
              .access = Access::administer,
              .body = object(
                  {{"name", text(1, 100)}, {"role", role()}, {"owner", text(1, 64), optional}, {"expires", instant()}}),
              .status = 201,
              .answer = token_schema_with_secret()},
             [&context](const Call& call) { return add_token(context, call); });
  routes.add({.id = "revokeToken",
              .method = "DELETE",
              .path = tokens + "/{token}",
              .group = "people",
              .summary = "Revoke a token",
              .access = Access::administer,
              .status = 204},
             [&context](const Call& call) -> Result<Response> {
               TRY(context.ledger.people().revoke_token(call.parameter("token"), call.who.name, call.now));
               return nothing();
             });
}

}  // namespace steward::api
