// URLs of databases and stores: whatever is written there, no password is shown.

#include <algorithm>

#include "core/text.h"
#include "core/url.h"
#include "io/sql/database_url.h"
#include "property.h"

namespace steward::fuzz {
namespace {

/// Where a password stands in a URL, as written.
struct Place {
  std::size_t at, length;
};

/// The passwords that parse_url and parse_database_url find in `text`, which is a URL.
std::vector<Place> passwords_in(std::string_view text) {
  std::vector<Place> places;
  const std::size_t begin = text.find("://") + 3;
  const std::size_t end = std::min(text.find_first_of("/?", begin), text.size());
  const std::size_t at = text.substr(0, end).rfind('@');
  const std::size_t colon = text.find(':', begin);
  if (at != std::string_view::npos && at >= begin && colon < at) places.push_back({colon + 1, at - colon - 1});
  std::size_t pair = text.find('?', begin);
  while (pair != std::string_view::npos) {
    ++pair;
    const std::size_t next = std::min(text.find('&', pair), text.size());
    for (const std::string_view name : {"password=", "sslpassword="})
      if (text.substr(pair, next - pair).starts_with(name))
        places.push_back({pair + name.size(), next - pair - name.size()});
    pair = text.find('&', pair);
  }
  return places;
}

bool is_plain(std::string_view text) {
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
         std::string_view::npos;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

/// All that a person gets to see of it.
std::string seen(const Result<sql::DatabaseUrl>& url) {
  if (!url) return url.error().message + '\n' + url.error().hint;
  std::string text = url->shown;
  for (const std::string& note : url->notes) text += '\n' + note;
  return text;
}

void check_passwords(std::string_view text) {
  for (const auto& [at, length] : passwords_in(text)) {
    const std::string_view password = text.substr(at, length);
    if (length >= 4 && !password.contains('*') && count(text, password) == 1)
      require(!masked(text).contains(password), "no password is shown");
    if (!is_plain(password)) continue;
    std::string other(text);
    other.replace(at, length, "a4ORQ1");
    require(masked(other) == masked(text), "what is shown does not depend on the password");
    require(seen(sql::parse_database_url(other)) == seen(sql::parse_database_url(text)),
            "what is said does not depend on the password");
  }
}

void check_database(const sql::DatabaseUrl& url) {
  require(printable(url.shown) == url.shown, "what is shown is printable");
  for (const auto& [name, value] : url.keywords) {
    require(!value.empty() && !value.contains('\0'), "a keyword has a value that C can hold");
    require(std::ranges::count(url.keywords, name, &std::pair<std::string, std::string>::first) == 1,
            "a keyword comes once");
  }
  if (url.connect_timeout) require(url.connect_timeout->count() > 0, "a time-out is more than nothing");
  if (url.dialect == sql::Dialect::sqlite) require(!url.path.empty(), "a file has a name");
}

}  // namespace
}  // namespace steward::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace steward;
  using namespace steward::fuzz;
  const std::string_view text = text_of(data, size);
  require(percent_decode(percent_encode(text, size % 2 == 0)) == text, "what was encoded decodes");
  masked(text);
  const auto url = parse_url(text);
  if (url) require(!url->scheme.empty(), "a URL has a scheme");
  if (const auto database = sql::parse_database_url(text)) check_database(*database);
  if (url) check_passwords(text);
  return 0;
}
