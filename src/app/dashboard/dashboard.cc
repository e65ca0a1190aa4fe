#include "app/dashboard/dashboard.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace steward::dashboard {
namespace {
using server::Request;
using server::Response;

const Asset* find(std::string_view path) {
  const auto all = assets();
  const auto found = std::ranges::lower_bound(all, path, {}, &Asset::path);
  return found != all.end() && found->path == path ? &*found : nullptr;
}

/// Whether the client takes a coding: it names it, and not with q=0.
bool takes(const Request& request, std::string_view coding) {
  for (const std::string& part : split(request.header("accept-encoding").value_or(""), ',')) {
    const std::vector<std::string> words = split(part, ';');
    if (trim(words.front()) != coding) continue;
    const std::string_view weight = words.size() > 1 ? trim(words[1]) : std::string_view("q=1");
    return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000";
  }
  return false;
}

bool is_known(const Request& request, std::string_view etag) {
  const auto known = request.header("if-none-match");
  return known && (*known == "*" || known->find(etag) != std::string_view::npos);
}

Response answer(const Request& request, const Asset& asset) {
  Response response{.headers = {{"Content-Type", std::string(asset.type)},
                                {"ETag", std::string(asset.etag)},
                                {"Vary", "Accept-Encoding"}},
                    .page = true};
  if (asset.immutable) response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  if (is_known(request, asset.etag)) {
    response.status = 304;
  } else if (!asset.brotli.empty() && takes(request, "br")) {
    response.headers.emplace_back("Content-Encoding", "br");
    response.body = asset.brotli;
  } else if (!asset.gzip.empty() && takes(request, "gzip")) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = asset.gzip;
  } else {
    response.body = asset.plain;
  }
  return response;
}

/// The page that all others are drawn in. Its files are named relative to <base>, since the server may stand behind any
/// path.
Response index(std::string_view base_path) {
  const Asset* found = find("index.html");
  if (found == nullptr)
    return {.status = 404,
            .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
            .body =
                "This steward was built without its dashboard. The API is at /api/v1, described at "
                "/api/openapi.json; `steward status` tells the same on the command line.\n"};
  constexpr std::string_view base = "<base href=\"/\" />";
  std::string body(found->plain);
  if (const std::size_t at = body.find(base); at != std::string::npos)
    body.replace(at, base.size(), fmt::format("<base href=\"{}/\" />", base_path));
  return {.headers = {{"Content-Type", "text/html; charset=utf-8"}}, .body = std::move(body), .page = true};
}

}  // namespace

Response page(const Request& request, std::string_view base_path) {
  const std::string path = fmt::format("{}", fmt::join(request.segments, "/"));
  if (path != "index.html")
    if (const Asset* asset = find(path)) return answer(request, *asset);
  const bool is_api = !request.segments.empty() && (request.segments[0] == "api" || request.segments[0] == "assets");
  if (is_api) return server::problem({Kind::not_found, "there is nothing at this address"});
  return index(base_path);
}

void add_pages(server::Router& router, const std::string& base_path) {
  router.otherwise([base_path](const Request& request) { return page(request, base_path); });
}

}  // namespace steward::dashboard
