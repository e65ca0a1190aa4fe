#include "jobs/retention/location.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/digest.h"
#include "core/text.h"
#include "core/url.h"

namespace steward::retention {
namespace {

/// Walks `path` segment by segment; false where it climbs above its beginning.
bool normalise(std::string_view path, Location& location) {
  std::vector<std::string> segments;
  for (const std::string& segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
      continue;
    }
    if (segments.empty()) return false;
    location.folders_before_dotdot.push_back(fmt::format("{}", fmt::join(segments, "/")));
    segments.pop_back();
  }
  location.path = fmt::format("{}", fmt::join(segments, "/"));
  return !segments.empty();
}

Location object_at(std::string_view address) {
  const std::size_t slash = address.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == address.size()) return {.place = Place::outside};
  return {.place = Place::object,
          .bucket = std::string(address.substr(0, slash)),
          .key = std::string(address.substr(slash + 1))};
}

bool has_scheme(std::string_view text) {
  const std::size_t at = text.find("://");
  return at != std::string_view::npos && at > 0 &&
         text.substr(0, at).find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") ==
             std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// "//host/path" of a URL of http or https, or of one without a scheme; empty where it is none.
std::string without_scheme(std::string_view url) {
  for (const std::string_view scheme : {"http:", "https:"})
    if (lower(url.substr(0, scheme.size())) == scheme) {
      url.remove_prefix(scheme.size());
      break;
    }
  if (!url.starts_with("//")) return {};
  const std::size_t path = std::min(url.find_first_of("/?#", 2), url.size());
  std::string host = lower(url.substr(0, path));
  for (const std::string_view port : {":80", ":443"})
    if (host.ends_with(port)) host.resize(host.size() - port.size());
  return host + std::string(url.substr(path));
}

std::string decoded(const std::string& text) { return percent_decode(text).value_or(text); }

/// "a/../b" and "./b" are "b" to a browser. Empty where it climbs above its beginning.
std::string without_dots(std::string_view path) {
  std::vector<std::string> segments;
  for (const std::string& segment : split(path, '/')) {
    if (segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
    } else {
      if (segments.empty()) return {};
      segments.pop_back();
    }
  }
  return fmt::format("{}", fmt::join(segments, "/"));
}

std::string safe(std::string_view bytes, bool keep_slash) {
  const bool utf8 = is_utf8(bytes);
  std::string out;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    const bool bad = u < 0x20 || u == 0x7F || (!utf8 && u >= 0x80) || (c == '/' && !keep_slash);
    if (bad)
      out += fmt::format("%{:02X}", u);
    else
      out += c;
  }
  return out;
}

/// Where the ending of a file name begins; its size where it has none worth keeping.
std::size_t ending(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 || name.size() - dot > 16 ? name.size() : dot;
}

}  // namespace

Result<std::string> url_prefix(std::string_view url) {
  std::string rest = without_scheme(url);
  const bool is_url = !rest.empty() && !url.starts_with("//") && rest.find('/', 2) > 2;
  if (!is_url || !rest.ends_with('/') || rest.find_first_of("?#") != std::string::npos)
    return fail(Kind::bad_input, fmt::format("\"{}\" is no beginning of URLs", printable(masked(url))),
                "Write it with its scheme, and a slash at its end: https://cdn.example.com/media/");
  return rest;
}

std::vector<std::string> mapped(std::string_view stored, std::span<const UrlPrefix> urls) {
  std::vector<std::string> all;
  if (urls.empty()) return all;
  const std::string url = without_scheme(stored);
  if (url.empty()) return all;
  const std::string path = url.substr(0, url.find_first_of("?#"));
  std::vector<std::string> spellings{decoded(path), path, decoded(url), url};
  for (std::size_t i = 0, n = spellings.size(); i < n; ++i) {
    const std::size_t at = std::min(spellings[i].find('/', 2), spellings[i].size());
    if (const std::string clean = without_dots(std::string_view(spellings[i]).substr(at)); !clean.empty())
      spellings.push_back(spellings[i].substr(0, at) + clean);
  }
  std::vector<const UrlPrefix*> longest_first;
  for (const UrlPrefix& one : urls) longest_first.push_back(&one);
  std::ranges::stable_sort(longest_first, std::ranges::greater{}, [](const UrlPrefix* p) { return p->prefix.size(); });
  for (const std::string& spelling : spellings)
    for (const UrlPrefix* one : longest_first)
      for (const std::string& prefix : {one->prefix, decoded(one->prefix)}) {
        if (!spelling.starts_with(prefix) || spelling.size() == prefix.size()) continue;
        const std::string& store = one->store.url;
        std::string address =
            (store.starts_with("file://") ? store.substr(7) : store) + '/' + spelling.substr(prefix.size());
        if (std::ranges::find(all, address) == all.end()) all.push_back(std::move(address));
      }
  return all;
}

Location locate(std::string_view stored, const std::vector<std::string>& roots, std::span<const UrlPrefix> urls) {
  if (stored.empty()) return {};
  if (const std::vector<std::string> addresses = mapped(stored, urls); !addresses.empty()) {
    const std::string& first = addresses.front();
    // A browser would not ask for these.
    if (first.starts_with("s3://") && std::ranges::any_of(split(first, '/'), [](const std::string& segment) {
          return segment == "." || segment == "..";
        }))
      return {.place = Place::outside};
    Location location = locate(first, roots);
    location.otherwise.assign(addresses.begin() + 1, addresses.end());
    return location;
  }
  if (stored.starts_with("s3://")) return object_at(stored.substr(5));
  if (stored.find('\0') != std::string_view::npos) return {.place = Place::outside};
  if (stored.starts_with("file://")) {
    stored.remove_prefix(7);
    if (!stored.starts_with('/')) return {.place = Place::outside};
  } else if (has_scheme(stored)) {
    return {.place = Place::outside};
  }
  Location location{.place = Place::file};
  if (!stored.starts_with('/')) {
    if (!normalise(stored, location)) return {.place = Place::outside};
    return location;
  }
  Location absolute{.place = Place::file};
  if (!normalise(stored, absolute)) return {.place = Place::outside};
  const std::string whole = '/' + absolute.path;
  for (const std::string& root : roots) {
    const std::string prefix = root.ends_with('/') ? root : root + '/';
    if (!whole.starts_with(prefix) || whole.size() == prefix.size()) continue;
    location.path = whole.substr(prefix.size());
    for (const std::string& folder : absolute.folders_before_dotdot)
      if (const std::string full = '/' + folder; full.starts_with(prefix))
        location.folders_before_dotdot.push_back(full.substr(prefix.size()));
    return location;
  }
  return {.place = Place::outside};
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string base_name_sql(std::string_view e) {
  // rtrim takes a set of characters: all those of the text but the slash, so what it leaves ends with the last slash
  return fmt::format("substr({0}, length(rtrim({0}, replace({0}, '/', ''))) + 1)", e);
}

std::string copy_key(std::string_view table, std::string_view month, std::string_view row_key,
                     std::string_view file_name) {
  constexpr std::size_t longest = 200;
  std::string name = fmt::format("{}-{}", safe(row_key, false), safe(file_name, false));
  if (name.size() > longest) {
    const std::string tail = name.substr(ending(name));
    const std::string hash = sha256_hex(name).substr(0, 16);
    std::size_t keep = longest - tail.size() - hash.size() - 1;
    while (keep > 0 && (static_cast<unsigned char>(name[keep]) & 0xC0) == 0x80) --keep;  // not inside a UTF-8 sequence
    name = fmt::format("{}.{}{}", name.substr(0, keep), hash, tail);
  }
  return fmt::format("{}/{}/{}", safe(table, false), month, name);
}

std::string copy_key_apart(std::string_view copy_key, std::string_view sha256) {
  const std::size_t name_at = copy_key.size() - base_name(copy_key).size();
  const std::size_t dot = name_at + ending(copy_key.substr(name_at));
  return fmt::format("{}.{}{}", copy_key.substr(0, dot), sha256.substr(0, 16), copy_key.substr(dot));
}

}  // namespace steward::retention
