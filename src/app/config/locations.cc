#include "app/config/locations.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/text.h"

namespace steward::app {
namespace {

bool is_bucket_name(std::string_view name) {
  const bool characters =
      std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; });
  return name.size() >= 3 && name.size() <= 255 && characters && std::isalnum(static_cast<unsigned char>(name.front()));
}

}  // namespace

std::string absolute(const std::string& path, const std::string& directory) {
  const std::string whole = path.starts_with('/') ? path : directory + '/' + path;
  std::vector<std::string> segments;
  for (const std::string& segment : split(whole, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == ".." && !segments.empty())
      segments.pop_back();
    else if (segment != "..")
      segments.push_back(segment);
  }
  return '/' + fmt::format("{}", fmt::join(segments, "/"));
}

bool at_or_below(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

Result<std::string> store_url(const std::string& text, const std::string& directory, bool bare_is_bucket) {
  if (text.starts_with("s3://")) {
    const std::string rest = text.substr(5);
    if (!is_bucket_name(rest.substr(0, rest.find('/'))))
      return fail(Kind::bad_input, "it names no bucket", "s3://bucket/prefix");
    std::string url = text;
    while (url.ends_with('/')) url.pop_back();
    return url;
  }
  if (text.starts_with("file://")) {
    if (!text.starts_with("file:///"))
      return fail(Kind::bad_input, "a file URL has three slashes", "file:///srv/folder");
    return "file://" + absolute(text.substr(7), directory);
  }
  if (text.contains("://")) return fail(Kind::bad_input, "stores are s3:// or file://", "s3://bucket/prefix");
  if (!bare_is_bucket) return "file://" + absolute(text, directory);
  if (!is_bucket_name(text)) return fail(Kind::bad_input, "it is no bucket's name", "shots");
  return "s3://" + text;
}

}  // namespace steward::app
