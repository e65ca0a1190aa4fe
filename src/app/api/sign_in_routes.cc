// login, logout, me, setup

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/api/login.h"
#include "core/digest.h"
#include "core/password.h"
#include "core/text.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

constexpr std::chrono::hours setup_link_lives{1};

Schema me_schema() {
  return object({{"name", text()}, {"role", text()}, {"user", or_null(text())}, {"by", one_of({"session", "token"})}});
}

json me(const ledger::Known& who) {
  return {{"name", printable(who.name)},
          {"role", ledger::name_of(who.role)},
          {"user", who.user.empty() ? json(nullptr) : json(who.user)},
          {"by", who.token.empty() ? "session" : "token"}};
}

Schema password_text() { return text(1, longest_password); }

Response too_early(const Refused& refused) {
  if (refused.wait.count() == 0 && refused.error.kind == Kind::permission) return server::problem(401, refused.error);
  if (refused.wait.count() == 0) return server::problem(refused.error);
  Response response = server::problem(429, refused.error);
  response.headers.emplace_back("Retry-After", std::to_string(refused.wait.count()));
  return response;
}

/// Signs in and gives the browser its cookie.
Response sign_in_response(const Context& context, const Call& call, std::string name, Secret password) {
  const auto signed_in = sign_in(context.ledger.people(),
                                 {.name = std::move(name),
                                  .password = std::move(password),
                                  .address = call.request.peer,
                                  .agent = std::string(call.request.header("user-agent").value_or(""))},
                                 call.now);
  if (!signed_in) return too_early(signed_in.error());
  Response response = answer({{"name", signed_in->user.name},
                              {"role", ledger::name_of(signed_in->user.role)},
                              {"user", signed_in->user.name},
                              {"by", "session"}});
  response.headers.emplace_back("Set-Cookie",
                                set_cookie(signed_in->secret, server::base_path_of(context.settings.public_url),
                                           context.guard.is_secure(call.request)));
  return response;
}

Result<Response> change_password(const Context& context, const Call& call) {
  if (call.who.user.empty())
    return fail(Kind::refused, "this token acts for nobody, and has no password", "Sign in as a user.", "no-user");
  ledger::People& people = context.ledger.people();
  const ledger::User user = TRY(people.user(call.who.user));
  // As slow as a login, and counted with them: whoever has found an open browser is not to guess here.
  const std::string account = "account " + server::lower(user.name);
  if (const auto wait = wait_after(TRY(people.failures(account, call.now)), std::chrono::minutes{1}, call.now);
      wait.count() > 0)
    return too_early(
        {.error = {Kind::busy, "too many wrong passwords", "Try again later.", "login-slowed"}, .wait = wait});
  if (!is_password(Secret(call.body["current"].get<std::string>()), user.password)) {
    TRY(people.note_failure(account, call.now));
    return fail(Kind::permission, "the current password is wrong");
  }
  const std::string hash = TRY(hash_password(Secret(call.body["new"].get<std::string>())));
  TRY(people.set_password(user.name, hash, call.who.name, call.now, call.who.session));
  return nothing();
}

Result<Response> set_up(const Context& context, const Call& call) {
  const auto name = call.body["name"].get<std::string>();
  TRY(ledger::check_user_name(name));
  const Secret password(call.body["password"].get<std::string>());
  std::string hash = TRY(hash_password(password));
  TRY(context.ledger.people().set_up(
      sha256_hex(call.body["link"].get<std::string>()),
      {.name = name, .role = ledger::Role::administrator, .password = std::move(hash), .made = call.now}));
  return sign_in_response(context, call, name, password);
}

}  // namespace

void add_sign_in(Routes& routes, const Context& context) {
  const std::string base(root);
  routes.add({.id = "login",
              .method = "POST",
              .path = base + "/login",
              .group = "people",
              .summary = "Sign in: the answer sets the cookie of a session",
              .access = Access::anyone,
              .body = object({{"name", text(1, 64)}, {"password", password_text()}}),
              .answer = me_schema()},
             [&context](const Call& call) -> Result<Response> {
               return sign_in_response(context, call, call.body["name"].get<std::string>(),
                                       Secret(call.body["password"].get<std::string>()));
             });
  routes.add({.id = "logout",
              .method = "POST",
              .path = base + "/logout",
              .group = "people",
              .summary = "Sign out: the session ends, or all of the user's",
              .body = object({{"everywhere", flag(), optional}}),
              .bodiless = true,
              .status = 204},
             [&context](const Call& call) -> Result<Response> {
               const bool everywhere = call.body.is_object() && call.body.value("everywhere", false);
               if (everywhere && !call.who.user.empty())
                 TRY(context.ledger.people().end_sessions(call.who.user, call.who.name, call.now));
               else if (!call.who.session.empty())
                 TRY(context.ledger.people().end_session(call.who.session, call.who.name, call.now));
               Response response = nothing();
               response.headers.emplace_back("Set-Cookie",
                                             set_cookie({}, server::base_path_of(context.settings.public_url),
                                                        context.guard.is_secure(call.request)));
               return response;
             });
  routes.add({.id = "me",
              .method = "GET",
              .path = base + "/me",
              .group = "people",
              .summary = "Who the request comes from",
              .answer = me_schema()},
             [](const Call& call) -> Result<Response> { return answer(me(call.who)); });
  routes.add({.id = "changePassword",
              .method = "PUT",
              .path = base + "/me/password",
              .group = "people",
              .summary = "Change one's own password; other sessions end",
              .body = object({{"current", password_text()}, {"new", text(shortest_password, longest_password)}}),
              .status = 204},
             [&context](const Call& call) { return change_password(context, call); });
  routes.add(
      {.id = "setUp",
       .method = "POST",
       .path = base + "/setup",
       .group = "people",
       .summary = "Make the first administrator, by the link that `steward serve` prints",
       .access = Access::anyone,
       .body = object(
           {{"link", text(1, 200)}, {"name", text(1, 64)}, {"password", text(shortest_password, longest_password)}}),
       .answer = me_schema()},
      [&context](const Call& call) { return set_up(context, call); });
}

Result<std::optional<std::string>> setup_link(ledger::Ledger& ledger, Instant now, const std::string& base) {
  if (!TRY(ledger.people().users()).empty()) return std::nullopt;
  const Secret secret = new_secret();
  TRY(ledger.people().set_setup_link(sha256_hex(secret.reveal()), now + setup_link_lives));
  // Behind the #, so that it is in no server's log.
  return fmt::format("{}/setup#{}", base, secret.reveal());
}

}  // namespace steward::api
