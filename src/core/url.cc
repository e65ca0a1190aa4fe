#include "core/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace steward {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool names_a_secret(std::string_view name) {
  std::string lower = percent_decode(name).value_or(std::string(name));
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array words{"pass", "pwd", "secret", "token", "key", "credential", "signature"};
  return std::ranges::any_of(words, [&](const char* word) { return lower.contains(word); });
}

/// Where the login of a URL may begin: after "SCHEME://" or "//", else at its front.
std::size_t authority_begin(std::string_view text) {
  const std::size_t end = text.find("://");
  const auto in_scheme = [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '-' || c == '.'; };
  if (end != std::string_view::npos && std::ranges::all_of(text.substr(0, end), in_scheme)) return end + 3;
  return text.starts_with("//") ? 2 : 0;
}

struct Range {
  std::size_t begin, end;
};

/// The values of query parameters that are secrets by their names. A parameter may begin at any ? or &: the first ? may
/// stand in a password.
std::vector<Range> secret_parameters(std::string_view text) {
  std::vector<Range> values;
  std::size_t name = text.find('?', authority_begin(text));
  while (name != std::string_view::npos) {
    ++name;
    const std::size_t end = std::min(text.find('&', name), text.size());
    const std::size_t equals = text.find('=', name);
    if (equals < end && names_a_secret(text.substr(name, equals - name))) values.push_back({equals + 1, end});
    name = text.find_first_of("?&", name);
  }
  return values;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return fail(Kind::bad_input, "a percent sign is not followed by two hexadecimal digits",
                  "Write %25 for a percent sign.");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x80 && std::isalnum(u)) || c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/'))
      out += c;
    else
      out += fmt::format("%{:02X}", u);
  }
  return out;
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](std::string_view why, std::string hint = {}) {
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a URL: {}", masked(text), why), std::move(hint));
  };
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0)
    return wrong("it has no scheme", "Write it like postgresql://user@host/database, s3://bucket or file:///folder.");
  Url url;
  for (const char c : text.substr(0, scheme_end)) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '+' && c != '-' && c != '.')
      return wrong("its scheme has a character that none may have");
    url.scheme += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  std::string_view rest = text.substr(scheme_end + 3);
  std::string_view query;
  if (const std::size_t at = rest.find('?'); at != std::string_view::npos) {
    query = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);

  const auto decoded = [&](std::string_view part) -> Result<std::string> {
    auto out = percent_decode(part);
    if (!out) return wrong(out.error().message, out.error().hint);
    return out;
  };
  // The last @: passwords with an @ that nobody encoded are common, and hosts have none.
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const std::size_t colon = login.find(':');
    url.user = TRY(decoded(login.substr(0, colon)));
    if (colon != std::string_view::npos) url.password = Secret(TRY(decoded(login.substr(colon + 1))));
  }
  std::size_t colon = authority.rfind(':');
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return wrong("its [ is not closed");
    url.host = std::string(authority.substr(1, bracket - 1));
    colon = bracket + 1 < authority.size() ? bracket + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && authority[colon] != ':')
      return wrong("something other than a port follows its ]");
  } else {
    url.host = TRY(decoded(authority.substr(0, colon)));
  }
  if (colon != std::string_view::npos) {
    url.port = std::string(authority.substr(colon + 1));
    const bool number = !url.port.empty() && url.port.size() <= 5 &&
                        std::ranges::all_of(url.port, [](unsigned char c) { return std::isdigit(c); });
    if (!url.port.empty() && (!number || std::stoi(url.port) > 65535))
      return wrong("its port is not a number up to 65535");
  }
  url.path = TRY(decoded(path));
  if (url.host.empty() && slash != std::string_view::npos) url.path.insert(0, 1, '/');
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::string name = TRY(decoded(pair.substr(0, equals)));
    std::string value = equals == std::string_view::npos ? std::string{} : TRY(decoded(pair.substr(equals + 1)));
    url.query.emplace_back(std::move(name), std::move(value));
  }
  return url;
}

std::string masked(std::string_view text) {
  // Both rules look at the text as it was written: what one hides must not hide a parameter's name from the other.
  std::vector<Range> hidden = secret_parameters(text);
  const std::size_t begin = authority_begin(text);
  // A password may itself hold '/', '?', '#' or '@' that nobody encoded, so all from the first colon to the very last @
  // is hidden. That hides too much of a URL with an @ further on, and never too little.
  const std::size_t colon = text.find(':', begin);
  const std::size_t at = text.rfind('@');
  if (colon != std::string_view::npos && at != std::string_view::npos && colon < at) hidden.push_back({colon + 1, at});

  std::ranges::sort(hidden, {}, &Range::begin);
  std::string out;
  std::size_t done = 0;
  for (const Range& range : hidden) {
    if (range.begin >= done) out.append(text.substr(done, range.begin - done)).append("***");
    done = std::max(done, range.end);
  }
  return out.append(text.substr(done));
}

}  // namespace steward
