/// What a stored file name means: where the file or object is.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

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
};

/// Pure. `stored` is taken as it is: no percent-decoding, no stripping of `?`. Relative to a root, absolute inside one
/// of `roots` (the same folder by several names: as configured, and with its symlinks resolved), file:// and an
/// absolute path, or s3://bucket/key.
Location locate(std::string_view stored, const std::vector<std::string>& roots);

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
