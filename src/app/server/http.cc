#include "app/server/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

namespace steward::server {
namespace {

std::optional<std::string_view> first(const Pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs)
    if (key == name) return value;
  return std::nullopt;
}

/// The strictest there is: an answer of the API is not for showing.
constexpr std::string_view api_policy =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// Its own files, images of its own as data, and calls to its own server. No inline script, no inline style.
constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src "
    "'self'; "
    "manifest-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

bool can_be_sent(std::string_view value) {
  return std::ranges::all_of(value,
                             [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
}

/// IMF-fixdate. The names are English whatever the locale.
std::string http_date() {
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm tm{};
  gmtime_r(&now, &tm);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", days.at(static_cast<std::size_t>(tm.tm_wday)), tm.tm_mday,
                     months.at(static_cast<std::size_t>(tm.tm_mon)), tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                     tm.tm_sec);
}

void add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view name) const { return first(headers, name); }
std::optional<std::string_view> Request::query_value(std::string_view name) const { return first(query, name); }
std::string_view Request::parameter(std::string_view name) const { return first(parameters, name).value_or(""); }

Response json(int status, std::string body) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

Response problem(const Error& error) { return problem(row_of(error.kind).http_status, error); }

Response problem(int status, const Error& error) {
  nlohmann::ordered_json document{{"type", "about:blank"},
                                  {"title", reason_phrase(status)},
                                  {"status", status},
                                  {"detail", error.message},
                                  {"kind", row_of(error.kind).name}};
  if (!error.code.empty()) document["code"] = error.code;
  if (!error.hint.empty()) document["hint"] = error.hint;
  Response response{.status = status, .headers = {{"Content-Type", "application/problem+json"}}};
  response.body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

std::string_view reason_phrase(int status) {
  constexpr std::array<std::pair<int, std::string_view>, 32> phrases{{{200, "OK"},
                                                                      {201, "Created"},
                                                                      {202, "Accepted"},
                                                                      {204, "No Content"},
                                                                      {301, "Moved Permanently"},
                                                                      {302, "Found"},
                                                                      {303, "See Other"},
                                                                      {304, "Not Modified"},
                                                                      {307, "Temporary Redirect"},
                                                                      {308, "Permanent Redirect"},
                                                                      {400, "Bad Request"},
                                                                      {401, "Unauthorized"},
                                                                      {403, "Forbidden"},
                                                                      {404, "Not Found"},
                                                                      {405, "Method Not Allowed"},
                                                                      {406, "Not Acceptable"},
                                                                      {408, "Request Timeout"},
                                                                      {409, "Conflict"},
                                                                      {410, "Gone"},
                                                                      {412, "Precondition Failed"},
                                                                      {413, "Content Too Large"},
                                                                      {414, "URI Too Long"},
                                                                      {415, "Unsupported Media Type"},
                                                                      {417, "Expectation Failed"},
                                                                      {421, "Misdirected Request"},
                                                                      {422, "Unprocessable Content"},
                                                                      {429, "Too Many Requests"},
                                                                      {431, "Request Header Fields Too Large"},
                                                                      {500, "Internal Server Error"},
                                                                      {501, "Not Implemented"},
                                                                      {503, "Service Unavailable"},
                                                                      {505, "HTTP Version Not Supported"}}};
  const auto* found = std::ranges::find(phrases, status, &std::pair<int, std::string_view>::first);
  return found == phrases.end() ? "Status" : found->second;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

Result<std::string> response_head(const Response& response, const HeadForm& form) {
  if (response.status < 200 || response.status > 599)
    return fail(Kind::bug, fmt::format("{} is no status of an answer", response.status));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(response.headers, [&](const auto& header) { return lower(header.first) == name; });
  };
  for (const std::string_view own : {"content-length", "connection", "transfer-encoding", "date", "keep-alive"})
    if (given(own)) return fail(Kind::bug, fmt::format("the header {} is the server's own", own));
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name) || !can_be_sent(value)) return fail(Kind::bug, "a header holds what no header can hold");
    add(head, name, value);
  }
  add(head, "Date", http_date());
  const auto unless_given = [&](std::string_view name, std::string_view value) {
    if (!given(lower(name))) add(head, name, value);
  };
  unless_given("Content-Security-Policy", response.page ? page_policy : api_policy);
  unless_given("X-Content-Type-Options", "nosniff");
  unless_given("X-Frame-Options", "DENY");
  unless_given("Referrer-Policy", "no-referrer");
  unless_given("Cross-Origin-Resource-Policy", "same-origin");
  unless_given("Cross-Origin-Opener-Policy", "same-origin");
  if (response.page) {
    unless_given("Cache-Control", "no-cache");
  } else {
    unless_given("Cache-Control", "no-store");
  }
  if (form.hsts) unless_given("Strict-Transport-Security", "max-age=31536000");
  if (!response.events && has_body(response.status)) add(head, "Content-Length", fmt::to_string(response.body.size()));
  // A stream has no length: its end is the connection's.
  if (!form.keep_alive || response.events) {
    add(head, "Connection", "close");
  } else if (!form.http11) {
    add(head, "Connection", "keep-alive");
  }
  return head + "\r\n";
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace steward::server
