/// Which handler answers which request.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/server/http.h"

namespace steward::server {

/// What a person must be allowed to do for a route to answer.
enum class Access {
  anyone,      ///< Login, health: without being known.
  view,        ///< Look at everything.
  operate,     ///< Run, cancel, pause.
  approve,     ///< Give a verdict on a plan.
  administer,  ///< Users, tokens, settings.
};

/// Called on the handlers' thread. What it throws becomes a 500 that says nothing of it.
using Handler = std::function<Response(const Request&)>;

/// Who may: sets `request.user`, or gives the answer (401, 403) that the request gets instead. Asked for every route,
/// before its handler.
using Guard = std::function<std::optional<Response>(Request&, Access)>;

class Router {
 public:
  /// `pattern` is "/runs/{run}/log": `{name}` stands for one part of a path, `{name...}` at the end for all that are
  /// left. Where more than one fits, text goes before a parameter, from the left. GET answers HEAD, too. A pattern that
  /// is added twice for a method, or is not of this form, is a std::logic_error.
  void add(std::string_view method, std::string_view pattern, Access access, Handler handler);

  /// Answers GET of what no route is for, whatever its method: pages, whose addresses are their own affair. For anyone.
  void otherwise(Handler handler) { otherwise_ = std::move(handler); }

  /// Without one, only what is for anyone is answered, and all else is 403.
  void guard(Guard guard) { guard_ = std::move(guard); }

  /// The answer: the guard's, the handler's, 404, or 405 with Allow. OPTIONS is 204 with Allow where there is no route
  /// of its own.
  Response answer(Request& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> parts;  ///< "runs", "{run}".
    Access access;
    Handler handler;
  };
  const Route* find(std::string_view method, const std::vector<std::string>& segments) const;
  std::string allowed(const std::vector<std::string>& segments) const;

  std::vector<Route> routes_;
  Guard guard_;
  Handler otherwise_;
};

}  // namespace steward::server
