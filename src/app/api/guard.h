/// Who comes, and what they may do: asked for every route before its handler.
///
/// A browser shows the cookie of its session, a script a token ("Authorization: Bearer steward_…"). A cookie alone is
/// not believed where something is to change: then the browser has to say as well that one of our own pages asks
/// (Origin, Sec-Fetch-Site), since other sites can make it send the cookie.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "app/server/router.h"
#include "core/instant.h"
#include "core/secret.h"
#include "run/ledger/people.h"

namespace steward::api {

inline constexpr std::string_view session_cookie = "steward_session";
/// A session that nobody uses ends, and so does one that is old.
inline constexpr std::chrono::hours session_idle{12}, session_length{7 * 24};

/// What a request has to say of itself to be let in.
ledger::Role role_for(server::Access access);

/// Whether a browser sends it from one of our own pages. `public_url` may be empty: then what Host says is us, which
/// server::HostNames has looked at. Pure.
bool is_from_our_pages(const server::Request& request, std::string_view public_url);

class Guard {
 public:
  /// `people` and `clock` outlive it.
  Guard(ledger::People& people, const Clock& clock, std::string public_url)
      : people_(people), clock_(clock), public_url_(std::move(public_url)) {}

  /// As server::Guard.
  std::optional<server::Response> operator()(server::Request& request, server::Access access);
  /// Whom the request under way comes from; without a name where it may be anyone. Handlers run one after another.
  const ledger::Known& who() const { return who_; }
  /// Cookies go over TLS alone: the public URL, or a trusted proxy, says that there is.
  bool is_secure(const server::Request& request) const { return request.https || public_url_.starts_with("https://"); }

 private:
  Result<std::optional<ledger::Known>> known(const server::Request& request, bool& by_cookie);

  ledger::People& people_;
  const Clock& clock_;
  std::string public_url_;
  ledger::Known who_{};
};

/// The value of a cookie in the request; empty where there is none.
std::string_view cookie(const server::Request& request, std::string_view name);
/// The header that sets the cookie of a session, or with an empty secret takes it away. `path`: the base path.
std::string set_cookie(const Secret& secret, std::string_view path, bool secure);

}  // namespace steward::api
