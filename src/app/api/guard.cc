#include "app/api/guard.h"

#include <fmt/format.h>

#include "core/digest.h"
#include "core/text.h"

namespace steward::api {
namespace {
using server::Access;
using server::Request;
using server::Response;

/// "https://ops.example:8443" of a URL.
std::string origin_of(std::string_view url) {
  const std::size_t host = url.find("://");
  if (host == std::string_view::npos) return {};
  return server::lower(url.substr(0, url.find('/', host + 3)));
}

bool changes(const Request& request) {
  return request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
}

/// The token that a script shows. Another scheme is not ours: a proxy in front may ask for a password of its own, which
/// the browser then sends to us, too.
std::optional<std::string_view> bearer_of(const Request& request) {
  constexpr std::string_view scheme = "bearer ";
  const std::string_view header = request.header("authorization").value_or("");
  if (server::lower(header.substr(0, scheme.size())) != scheme) return std::nullopt;
  return trim(header.substr(scheme.size()));
}

Response who_are_you(std::string message) {
  Response response = server::problem(
      401, {Kind::permission, std::move(message),
            "Sign in at POST /api/v1/login, or send a token: Authorization: Bearer steward_… (steward token add)."});
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"steward\"");
  return response;
}

Response not_from_here() {
  return server::problem(403, {Kind::permission, "the request does not come from one of this server's own pages",
                               "Behind a proxy, set serve.public_url (STEWARD_PUBLIC_URL) to what browsers see. "
                               "Scripts send a token.",
                               "foreign-origin"});
}

}  // namespace

ledger::Role role_for(Access access) {
  switch (access) {
    case Access::anyone:
    case Access::view: return ledger::Role::viewer;
    case Access::operate: return ledger::Role::operator_;
    case Access::approve: return ledger::Role::approver;
    case Access::administer: return ledger::Role::administrator;
  }
  return ledger::Role::administrator;
}

std::string_view cookie(const Request& request, std::string_view name) {
  for (const auto& [header, value] : request.headers) {
    if (header != "cookie") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::string_view one = trim(rest.substr(0, rest.find(';')));
      if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
        return one.substr(name.size() + 1);
      rest = rest.find(';') == std::string_view::npos ? "" : rest.substr(rest.find(';') + 1);
    }
  }
  return {};
}

std::string set_cookie(const Secret& secret, std::string_view path, bool secure) {
  const std::string& value = secret.reveal();
  return fmt::format("{}={}; Path={}; HttpOnly; SameSite=Strict{}; Max-Age={}", session_cookie, value,
                     path.empty() ? "/" : path, secure ? "; Secure" : "",
                     value.empty() ? 0 : std::chrono::seconds(session_length).count());
}

bool is_from_our_pages(const Request& request, std::string_view public_url) {
  const auto origin = request.header("origin");
  if (!origin) {
    // Every browser of these days says Origin where something is to change; some of before said this alone.
    return request.header("sec-fetch-site").value_or("") == "same-origin";
  }
  const std::string said = server::lower(*origin);
  if (!public_url.empty() && said == origin_of(public_url)) return true;
  return said == fmt::format("{}://{}", request.https ? "https" : "http", server::lower(request.host));
}

Result<std::optional<ledger::Known>> Guard::known(const Request& request, bool& by_cookie) {
  const Instant now = clock_.now();
  if (const auto token = bearer_of(request)) return people_.by_token(sha256_hex(*token), now);
  const std::string_view secret = cookie(request, session_cookie);
  if (secret.empty()) return std::nullopt;
  by_cookie = true;
  return people_.by_session(sha256_hex(secret), session_idle, now);
}

std::optional<Response> Guard::operator()(Request& request, Access access) {
  who_ = {};
  if (access == Access::anyone) {
    // Nobody is to be signed in as somebody else by a page that they happen to look at.
    if (changes(request) && request.header("origin") && !is_from_our_pages(request, public_url_))
      return not_from_here();
    return std::nullopt;
  }
  bool by_cookie = false;
  auto found = known(request, by_cookie);
  if (!found) return server::problem(found.error());
  if (!*found)
    return who_are_you(by_cookie            ? "this session is over"
                       : bearer_of(request) ? "this token is unknown, revoked or has expired"
                                            : "nobody is signed in");
  who_ = **std::move(found);
  request.user = who_.name;
  if (by_cookie && changes(request) && !is_from_our_pages(request, public_url_)) return not_from_here();
  const ledger::Role needed = role_for(access);
  if (who_.role >= needed) return std::nullopt;
  return server::problem(403, {Kind::permission,
                               fmt::format("{} is {}, and this takes {}", printable(who_.name),
                                           ledger::name_of(who_.role), ledger::name_of(needed)),
                               "An administrator can change a role: steward user role NAME ROLE."});
}

}  // namespace steward::api
