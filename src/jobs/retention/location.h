/// What a stored file name means: where the file or object is.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"

namespace steward::retention {

enum class Place {
  nothing,  ///< Empty: there is no file.
  outside,  ///< It leaves the root, or is of a kind that has no root here ("https://…").
  file,     ///< `path`, below the root.
  object,   ///< `bucket` and `key`.
};

struct Location {
  Place place = Place::nothing;
  std::string path{};  ///< Relative to the root; without empty, "." and ".." segments.
  std::vector<std::string>
      folders_before_dotdot{};  ///< Folders that a ".." stepped out of: they must be real folders, not symlinks.
  std::string bucket{}, key{};
  /// What a URL would name if its escapes, or what follows a `?`, were part of the name: other addresses.
  std::vector<std::string> otherwise{};
};

/// URLs that begin so lead to a store: "https://cdn.example.com/media/".
struct UrlPrefix {
  std::string prefix{};  ///< As `url_prefix` made it.
  object::StoreTarget store{};
};

/// A prefix as it is compared: "//cdn.example.com/media/". Hosts without regard to case; http, https, their ports, and
/// none of these, mean the same. bad_input where it is no URL of http that ends with a slash.
Result<std::string> url_prefix(std::string_view url);

/// Every address that a stored name may mean by these prefixes: "s3://bucket/key", "/folder/path". First as a browser
/// reads it, decoded and up to `?` and `#`; then as it stands. Empty where it is no such URL. Whoever asks what a row
/// needs takes them all. Pure.
std::vector<std::string> mapped(std::string_view stored, std::span<const UrlPrefix> urls);

/// Pure. `stored` is taken as it is: no percent-decoding, no stripping of `?`, unless one of `urls` is about it.
/// Relative to a root, absolute inside one of `roots` (the same folder by several names: as configured, and with its
/// symlinks resolved), file:// and an absolute path, or s3://bucket/key.
Location locate(std::string_view stored, const std::vector<std::string>& roots, std::span<const UrlPrefix> urls = {});

/// The last segment: "a.png". The same as in SQL by base_name_sql.
std::string_view base_name(std::string_view path);

/// SQL for the base name of a text expression, in both dialects.
std::string base_name_sql(std::string_view expression);

/// Where a copy of a row's file goes: "mockups/2024/11/17-name.png". Bytes that are not UTF-8, controls and slashes in
/// the key are %XX; a name that would be longer than 200 bytes is shortened before its ending.
std::string copy_key(std::string_view table, std::string_view month, std::string_view row_key,
                     std::string_view file_name);

/// The same with a part of the content's hash before the ending, for when the name is taken by other bytes:
/// "17-name.3fa9c1d2.png".
std::string copy_key_apart(std::string_view copy_key, std::string_view sha256);

}  // namespace steward::retention
