#include "io/object/profile.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/text.h"

namespace steward::object {
namespace {

/// Under cron or a service manager there may be no HOME.
std::string home(const Environment& environment) {
  if (auto set = first_set(environment, {"HOME"})) return *std::move(set);
  const passwd* user = getpwuid(geteuid());
  return user == nullptr ? "/" : user->pw_dir;
}

std::string with_home(std::string path, const Environment& environment) {
  if (path.starts_with("~/")) path.replace(0, 1, home(environment));
  return path;
}

/// The text of a file; nothing if it is not there.
Result<std::optional<std::string>> text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return fail(Kind::permission, fmt::format("cannot read {}: {}", path, std::strerror(errno)),
                "Let this user read it, or name the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// "[profile shots]" and "[shots]" are both shots; "[sso-session x]" and "[services x]" are no profiles.
std::string_view section_profile(std::string_view section) {
  section = trim(section);
  if (section.starts_with("profile ") || section.starts_with("profile\t")) return trim(section.substr(8));
  return section.contains(' ') ? std::string_view{} : section;
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (!value) return std::nullopt;
    return value;
  };
}

std::optional<std::string> first_set(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto value = environment(name); value && !value->empty()) return value;
  return std::nullopt;
}

std::string Profile::value(const std::string& key) const {
  const auto found_at = values.find(key);
  return found_at == values.end() ? std::string{} : found_at->second;
}

Result<std::optional<std::map<std::string, std::string>>> profile_in(std::string_view text, std::string_view name,
                                                                     std::string_view file) {
  std::optional<std::map<std::string, std::string>> values;
  bool inside = false;
  int number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      const std::size_t end = line.find(']');
      if (end == std::string_view::npos)
        return fail(Kind::bad_input, fmt::format("{}:{}: the [ of a profile's name is not closed", file, number));
      inside = section_profile(line.substr(1, end - 1)) == name;
      if (inside && !values) values.emplace();
      continue;
    }
    if (!inside || raw.front() == ' ' || raw.front() == '\t') continue;
    const std::size_t equals = line.find('=');
    // The line itself may hold a key: it is not shown.
    if (equals == std::string_view::npos)
      return fail(Kind::bad_input, fmt::format("{}:{}: this line has no =", file, number), "Write NAME = VALUE.");
    (*values)[std::string(trim(line.substr(0, equals)))] = std::string(trim(line.substr(equals + 1)));
  }
  return values;
}

Result<Profile> read_profile(const Environment& environment) {
  const auto asked = first_set(environment, {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
  Profile profile{.name = asked.value_or("default")};
  const std::string folder = home(environment) + "/.aws/";
  const std::string config =
      with_home(first_set(environment, {"AWS_CONFIG_FILE"}).value_or(folder + "config"), environment);
  const std::string credentials =
      with_home(first_set(environment, {"AWS_SHARED_CREDENTIALS_FILE"}).value_or(folder + "credentials"), environment);
  for (const std::string& path : {config, credentials}) {
    const auto text = TRY(text_of_file(path));
    if (!text) continue;
    const auto values = TRY(profile_in(*text, profile.name, path));
    if (!values) continue;
    profile.found = true;
    for (const auto& [key, value] : *values) profile.values[key] = value;
  }
  if (asked && !profile.found)
    return fail(Kind::bad_input,
                fmt::format("the profile \"{}\" is neither in {} nor in {}", *asked, config, credentials),
                "Check AWS_PROFILE.");
  return profile;
}

Result<S3Settings> s3_settings_from(const Environment& environment) {
  const Profile profile = TRY(read_profile(environment));
  const auto setting = [&](std::initializer_list<const char*> variables, const char* key) {
    auto value = first_set(environment, variables);
    return value ? *std::move(value) : profile.value(key);
  };
  S3Settings settings;
  settings.endpoint = setting({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}, "endpoint_url");
  settings.region = setting({"AWS_REGION", "AWS_DEFAULT_REGION"}, "region");
  settings.ca_file = setting({"AWS_CA_BUNDLE"}, "ca_bundle");
  return settings;
}

}  // namespace steward::object
