#include "app/server/request_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "core/url.h"

namespace steward::server {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// RFC 3986's host, and a port: "steward.example:8420", "[::1]".
bool is_host(std::string_view text) {
  std::string_view host = text;
  std::string_view port = "0";
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  if (!all_digits(port) || port.size() > 5) return false;
  const bool literal = host.starts_with('[') && host.ends_with(']') && host.size() > 3;
  const std::string_view inner = literal ? host.substr(1, host.size() - 2) : host;
  return !inner.empty() && inner.size() <= 255 && std::ranges::all_of(inner, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           (literal ? c == ':' : c == '-' || c == '_');
  });
}

std::optional<Refusal> read_request_line(std::string_view line, const RequestLimits& limits, Request& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refusal{400, "the request line has no three parts"};
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (method.empty() || method.size() > 20 || !std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; }))
    return Refusal{400, "the method is not of upper-case letters"};
  if (target.empty() || std::ranges::any_of(target, [](char c) { return c <= ' ' || c > '~'; }))
    return Refusal{400, "the target holds what no target can hold"};
  if (target.size() > limits.target.count) return Refusal{414, "the target is too long"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return version.starts_with("HTTP/") && version.size() == 8 && version[6] == '.'
               ? Refusal{505, "this server speaks HTTP/1.1 and HTTP/1.0"}
               : Refusal{400, "the request line does not end in an HTTP version"};
  request.http11 = version == "HTTP/1.1";
  request.method = method;
  request.target = target;
  return std::nullopt;
}

std::optional<Refusal> read_header(std::string_view line, Request& request) {
  if (line.starts_with(' ') || line.starts_with('\t')) return Refusal{400, "a header is folded over two lines"};
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Refusal{400, "a header has no colon"};
  if (!is_token(line.substr(0, colon))) return Refusal{400, "a header's name holds what no name can hold"};
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  request.headers.emplace_back(lower(line.substr(0, colon)), value);
  return std::nullopt;
}

/// What says where the body ends, and for whom the request is: once, and in one way.
std::optional<Refusal> check_framing(Request& request) {
  // Two of these mean two things to two readers.
  for (const std::string_view name : {"host", "content-length", "transfer-encoding", "content-type", "authorization",
                                      "origin", "expect", "last-event-id", "idempotency-key"})
    if (std::ranges::count(request.headers, name, &std::pair<std::string, std::string>::first) > 1)
      return Refusal{400, fmt::format("there are two headers {}", name)};
  const auto length = request.header("content-length");
  const auto encoding = request.header("transfer-encoding");
  if (length && encoding) return Refusal{400, "Content-Length and Transfer-Encoding exclude each other"};
  if (length && (!all_digits(*length) || length->size() > 18)) return Refusal{400, "Content-Length is not a number"};
  if (encoding && (lower(*encoding) != "chunked" || !request.http11))
    return Refusal{400, "the only transfer encoding is chunked, in HTTP/1.1"};
  const auto host = request.header("host");
  if (!host && request.http11) return Refusal{400, "there is no header Host"};
  if (host && !is_host(*host)) return Refusal{400, "the header Host names no host"};
  request.host = host.value_or("");
  if (const auto expect = request.header("expect"); expect && lower(*expect) != "100-continue")
    return Refusal{417, "the only expectation that can be met is 100-continue"};
  return std::nullopt;
}

/// "http://host/path" becomes "/path", if that is where Host points.
std::optional<Refusal> make_origin_form(Request& request) {
  if (request.target.starts_with('/')) return std::nullopt;
  if (request.target == "*" && request.method == "OPTIONS") return std::nullopt;
  const std::string target = lower(request.target);
  const std::size_t begin = target.starts_with("http://") ? 7 : target.starts_with("https://") ? 8 : 0;
  if (begin == 0) return Refusal{400, "the target is no path"};
  const std::size_t end = std::min(target.find_first_of("/?", begin), target.size());
  if (target.substr(begin, end - begin) != lower(request.host))
    return Refusal{400, "the target and the header Host name different hosts"};
  std::string path = request.target.substr(end);
  request.target = path.starts_with('/') ? path : "/" + path;
  return std::nullopt;
}

/// Text that a handler may use: decoded, UTF-8, no control characters.
std::optional<std::string> decoded(std::string_view text) {
  Result<std::string> plain = percent_decode(text);
  if (!plain || !is_utf8(*plain)) return std::nullopt;
  if (std::ranges::any_of(*plain, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }))
    return std::nullopt;
  return *std::move(plain);
}

/// As a form writes it: `+` for a space, and any line breaks that a person may have typed.
std::optional<std::string> decoded_of_form(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  Result<std::string> plain = percent_decode(spaced);
  if (!plain || !is_utf8(*plain) || plain->contains('\0')) return std::nullopt;
  return *std::move(plain);
}

}  // namespace

std::optional<Refusal> read_head(std::string_view head, const RequestLimits& limits, Request& request) {
  const std::size_t first = head.find("\r\n");
  if (auto refused = read_request_line(head.substr(0, first), limits, request)) return refused;
  std::string_view rest = head.substr(first + 2);
  while (!rest.starts_with("\r\n")) {
    const std::size_t end = rest.find("\r\n");
    if (request.headers.size() == limits.headers) return Refusal{431, "there are too many headers"};
    if (auto refused = read_header(rest.substr(0, end), request)) return refused;
    rest.remove_prefix(end + 2);
  }
  if (auto refused = check_framing(request)) return refused;
  if (auto refused = make_origin_form(request)) return refused;
  return read_target(request);
}

std::optional<Refusal> read_target(Request& request) {
  const std::string_view target = request.target;
  if (target.contains('#')) return Refusal{400, "the target has a fragment"};
  if (!target.starts_with('/')) return std::nullopt;
  const std::size_t question = target.find('?');
  for (const std::string& part :
       split(target.substr(1, question == std::string_view::npos ? question : question - 1), '/')) {
    auto segment = decoded(part);
    if (!segment) return Refusal{400, "the path has a broken escape, or holds what is no text"};
    if (*segment == "." || *segment == "..") return Refusal{400, "the path has dots in place of a name"};
    request.segments.push_back(*std::move(segment));
  }
  if (question == std::string_view::npos) return std::nullopt;
  for (const std::string& pair : split(target.substr(question + 1), '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = decoded_of_form(std::string_view(pair).substr(0, equals));
    auto value = decoded_of_form(std::string_view(pair).substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return Refusal{400, "the query has a broken escape, or holds what is no text"};
    request.query.emplace_back(*std::move(name), *std::move(value));
  }
  return std::nullopt;
}

}  // namespace steward::server
