/// The environment, and the AWS configuration files that it names.
///
///   https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/object/store.h"

namespace steward::object {

/// Looks a variable up. Passed in, so that a test needs no setenv. An empty variable is as good as none.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own.
Environment process_environment();
/// The first of `names` that is set and not empty.
std::optional<std::string> first_set(const Environment& environment, std::initializer_list<const char*> names);

/// What ~/.aws/config and ~/.aws/credentials say of one profile; where both name a setting, credentials wins.
struct Profile {
  std::string name{};
  bool found = false;  ///< In either file.
  std::map<std::string, std::string> values{};
  /// Empty where it is absent.
  std::string value(const std::string& key) const;
};

/// The settings of profile `name` in the text of a file: "[name]", and in ~/.aws/config "[profile name]". Nothing if it
/// has no such section. Nested settings (indented lines) are left out. bad_input names the line that cannot be read.
Result<std::optional<std::map<std::string, std::string>>> profile_in(std::string_view text, std::string_view name,
                                                                     std::string_view file);

/// The profile that AWS_PROFILE names, or "default". Missing files are no error; a profile that was asked for by name
/// and is in neither file is (bad_input).
Result<Profile> read_profile(const Environment& environment);

/// Endpoint, region, CA file from the environment and the profile, in AWS's order; no keys: those come from the chain
/// (credentials.h).
Result<S3Settings> s3_settings_from(const Environment& environment);

}  // namespace steward::object
