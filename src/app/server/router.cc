#include "app/server/router.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/text.h"

namespace steward::server {
namespace {

bool is_parameter(std::string_view part) { return part.starts_with('{'); }
bool takes_rest(std::string_view part) { return is_parameter(part) && part.ends_with("...}"); }

bool fits(const std::vector<std::string>& parts, const std::vector<std::string>& segments) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (takes_rest(parts[i])) return segments.size() > i;
    if (i >= segments.size()) return false;
    if (is_parameter(parts[i]) ? segments[i].empty() : parts[i] != segments[i]) return false;
  }
  return parts.size() == segments.size();
}

/// Whether `a` says more about a path than `b`.
bool more_exact(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto rank = [](std::string_view part) { return takes_rest(part) ? 2 : is_parameter(part) ? 1 : 0; };
  return std::ranges::lexicographical_compare(a, b, {}, rank, rank);
}

Pairs parameters_of(const std::vector<std::string>& parts, const std::vector<std::string>& segments) {
  Pairs found;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (takes_rest(parts[i])) {
      std::string rest = segments[i];
      for (std::size_t j = i + 1; j < segments.size(); ++j) rest += '/' + segments[j];
      found.emplace_back(parts[i].substr(1, parts[i].size() - 5), rest);
    } else if (is_parameter(parts[i])) {
      found.emplace_back(parts[i].substr(1, parts[i].size() - 2), segments[i]);
    }
  }
  return found;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Access access, Handler handler) {
  if (!pattern.starts_with('/')) throw std::logic_error("a route begins with a slash: " + std::string(pattern));
  std::vector<std::string> parts = split(pattern.substr(1), '/');
  for (const std::string& part : parts)
    if (is_parameter(part) != part.ends_with('}') || (takes_rest(part) && &part != &parts.back()))
      throw std::logic_error("not a pattern of a route: " + std::string(pattern));
  for (const Route& route : routes_)
    if (route.method == method && route.parts == parts)
      throw std::logic_error("there is a route already: " + std::string(pattern));
  routes_.push_back({std::string(method), std::move(parts), access, std::move(handler)});
}

const Router::Route* Router::find(std::string_view method, const std::vector<std::string>& segments) const {
  const Route* best = nullptr;
  for (const Route& route : routes_)
    if (route.method == method && fits(route.parts, segments) && (!best || more_exact(route.parts, best->parts)))
      best = &route;
  return best;
}

std::string Router::allowed(const std::vector<std::string>& segments) const {
  std::set<std::string> methods;
  for (const Route& route : routes_) {
    if (!fits(route.parts, segments)) continue;
    methods.insert(route.method);
    if (route.method == "GET") methods.insert("HEAD");
  }
  if (methods.empty()) return {};
  methods.insert("OPTIONS");
  std::string text;
  for (const std::string& method : methods) text += (text.empty() ? "" : ", ") + method;
  return text;
}

Response Router::answer(Request& request) const {
  const Route* route = find(request.method, request.segments);
  if (!route && request.method == "HEAD") route = find("GET", request.segments);
  if (!route) {
    const std::string methods = allowed(request.segments);
    if (methods.empty() && otherwise_ && (request.method == "GET" || request.method == "HEAD"))
      return otherwise_(request);
    if (methods.empty()) return problem({Kind::not_found, "there is nothing at this address"});
    Response response = request.method == "OPTIONS" ? Response{.status = 204}
                                                    : problem(405, {Kind::bad_input, "this address takes " + methods});
    response.headers.emplace_back("Allow", methods);
    return response;
  }
  if (guard_) {
    if (std::optional<Response> instead = guard_(request, route->access)) return *std::move(instead);
  } else if (route->access != Access::anyone) {
    return problem(403, {Kind::permission, "nobody may do this here"});
  }
  request.parameters = parameters_of(route->parts, request.segments);
  return route->handler(request);
}

}  // namespace steward::server
