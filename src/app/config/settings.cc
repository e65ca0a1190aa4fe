#include "app/config/settings.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "core/text.h"
#include "core/url.h"
#include "io/object/profile.h"
#include "io/sql/database_url.h"
#include "jobs/retention/needs.h"

namespace steward::app {
namespace {

constexpr std::int64_t longest_retention_days = 36'500;

/// Folders whose files are the system's: no policy may be pointed at them, or (those of the second list) at anything
/// below.
constexpr std::array system_folders{"/",    "/home", "/media",     "/mnt", "/opt",       "/root",    "/run",    "/srv",
                                    "/tmp", "/usr",  "/usr/local", "/var", "/var/cache", "/var/lib", "/var/tmp"};
constexpr std::array system_trees{"/bin",         "/boot",    "/dev",         "/etc",      "/lib",      "/lib32",
                                  "/lib64",       "/libx32",  "/proc",        "/sbin",     "/sys",      "/usr/bin",
                                  "/usr/include", "/usr/lib", "/usr/libexec", "/usr/sbin", "/usr/share"};

std::unexpected<Error> wrong(std::string_view variable, std::string_view value, std::string_view why,
                             std::string hint) {
  return fail(Kind::bad_input, fmt::format("{} is \"{}\": {}", variable, printable(masked(value)), why),
              std::move(hint));
}

std::string absolute(const std::string& path, const std::string& directory) {
  std::string whole = path.starts_with('/') ? path : directory + '/' + path;
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

bool is_system_folder(const std::string& path) {
  const auto matches = [&](const std::string& p) {
    return std::ranges::any_of(system_folders, [&](std::string_view f) { return p == f; }) ||
           std::ranges::any_of(system_trees, [&](std::string_view f) { return at_or_below(p, f); });
  };
  const std::string real = retention::resolved(path);
  return matches(path) || (!real.empty() && matches(real));
}

bool is_bucket_name(std::string_view name) {
  const bool characters =
      std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; });
  return name.size() >= 3 && name.size() <= 255 && characters && std::isalnum(static_cast<unsigned char>(name.front()));
}

/// Reads variables and notes each for `config show`.
class Reader {
 public:
  Reader(const Environment& environment, const std::string& directory)
      : environment_(environment), directory_(directory) {}

  Result<Settings> read() {
    if (const auto file = environment_("STEWARD_CONFIG"))
      return wrong("STEWARD_CONFIG", *file, "this version is configured by variables alone",
                   "Unset it; `steward config show` lists the variables.");
    TRY(database());
    settings_.media_root = absolute(text("MEDIA_ROOT", ".", "where relative image names are below"), directory_);
    settings_.s3 = TRY(object::s3_settings_from([this](const std::string& name) { return environment_(name); }));
    TRY(cold());
    TRY(logs());
    TRY(bucket());
    TRY(state());
    TRY(disabled());
    settings_.environment = text("STEWARD_ENV", "", "the environment's name, shown in plans and manifests");
    show("AWS_ENDPOINT_URL", settings_.s3.endpoint, settings_.s3.endpoint.empty() ? "not set" : "environment",
         "S3 endpoint");
    return std::move(settings_);
  }

 private:
  void show(std::string name, const std::string& value, std::string origin, std::string what) {
    settings_.shown.push_back({.name = std::move(name),
                               .value = printable(masked(value)),
                               .origin = std::move(origin),
                               .what = std::move(what)});
  }

  std::string text(const std::string& name, const std::string& fallback, const std::string& what) {
    const auto value = environment_(name);
    show(name, value.value_or(fallback), value ? "environment" : fallback.empty() ? "not set" : "default", what);
    return value.value_or(fallback);
  }

  Result<void> database() {
    settings_.database_url = text("DATABASE_URL", "", "the application's database");
    if (settings_.database_url.empty()) return {};
    auto url = sql::parse_database_url(settings_.database_url);
    if (!url) return fail_while("DATABASE_URL", std::move(url).error());
    for (const std::string& note : url->notes) settings_.notes.push_back("DATABASE_URL: " + note);
    if (url->dialect == sql::Dialect::sqlite)
      settings_.database_url = "sqlite:///" + percent_encode(absolute(url->path, directory_), true);
    return {};
  }

  /// s3://bucket/prefix, file:///folder, or a path.
  Result<object::StoreTarget> store(const std::string& name, const std::string& value, bool bare_is_bucket) {
    object::StoreTarget target{.url = value, .s3 = settings_.s3};
    if (value.starts_with("s3://")) {
      const std::string rest = value.substr(5);
      if (!is_bucket_name(rest.substr(0, rest.find('/'))))
        return wrong(name, value, "it names no bucket", fmt::format("Write it like {}=s3://bucket/prefix.", name));
      while (target.url.ends_with('/')) target.url.pop_back();
      return target;
    }
    if (value.starts_with("file://")) {
      if (!value.starts_with("file:///"))
        return wrong(name, value, "a file URL has three slashes",
                     fmt::format("Write it like {}=file:///srv/folder.", name));
      target.url = "file://" + absolute(value.substr(7), directory_);
      return target;
    }
    if (value.contains("://"))
      return wrong(name, value, "stores are s3:// or file://",
                   fmt::format("Write it like {}=s3://bucket/prefix.", name));
    if (bare_is_bucket) {
      if (!is_bucket_name(value))
        return wrong(name, value, "it is no bucket's name",
                     fmt::format("Write it like {0}=shots, {0}=s3://shots/prefix or {0}=file:///srv/folder.", name));
      target.url = "s3://" + value;
      return target;
    }
    target.url = "file://" + absolute(value, directory_);
    return target;
  }

  Result<void> cold() {
    settings_.cold =
        TRY(store("COLD_STORAGE_PATH", text("COLD_STORAGE_PATH", "cold_storage", "where archives go"), false));
    settings_.shown.back().value = settings_.cold.url;
    return {};
  }

  Result<void> logs() {
    const bool named = environment_("LOG_DIR").has_value();
    const std::string path = absolute(text("LOG_DIR", "logs", "the folder of the log files"), directory_);
    settings_.shown.back().value = path;
    if (is_system_folder(path))
      return wrong("LOG_DIR", path, "that folder is the system's",
                   "Name the folder that holds this application's log files alone.");
    struct stat info{};
    if (named || ::stat(path.c_str(), &info) == 0) {
      settings_.log_dir = path;
    } else {
      settings_.shown.back().origin = "default, absent";
    }
    return {};
  }

  Result<void> bucket() {
    const std::string name = text("S3_BUCKET", "", "the bucket whose objects expire");
    const std::string days = text("S3_RETENTION_DAYS", "90", "days after which they do");
    std::int64_t n = 0;
    const auto [end, ec] = std::from_chars(days.data(), days.data() + days.size(), n);
    if (ec != std::errc{} || end != days.data() + days.size() || n < 1 || n > longest_retention_days)
      return wrong("S3_RETENTION_DAYS", days, "expected a whole number of days above zero",
                   "Write it like S3_RETENTION_DAYS=90.");
    settings_.bucket_age = Age{std::chrono::microseconds{std::chrono::days{n}}};
    if (name.empty()) return {};
    settings_.bucket = TRY(store("S3_BUCKET", name, true));
    const std::string& bucket = settings_.bucket.url;
    if (at_or_below(bucket, settings_.cold.url))
      return wrong("S3_BUCKET", bucket,
                   fmt::format("the archive ({}) has the same place, so nothing in it could be told from what expires",
                               settings_.cold.url),
                   "Give COLD_STORAGE_PATH a prefix of its own, like s3://bucket/cold.");
    return {};
  }

  Result<void> state() {
    std::string fallback = "/var/lib/steward";
    if (::geteuid() != 0) {
      const std::string home = environment_("HOME").value_or("");
      fallback = environment_("XDG_STATE_HOME").value_or(home + "/.local/state") + "/steward";
      if (!environment_("XDG_STATE_HOME") && home.empty() && !environment_("STEWARD_STATE_DIR"))
        return fail(Kind::bad_input,
                    "there is no place for steward's state: neither STEWARD_STATE_DIR, XDG_STATE_HOME nor HOME is set",
                    "Set STEWARD_STATE_DIR to a folder that this user can write.");
    }
    settings_.state_dir = absolute(text("STEWARD_STATE_DIR", fallback, "ledger, plans, run logs"), directory_);
    settings_.shown.back().value = settings_.state_dir;
    settings_.ledger_url = text("STEWARD_LEDGER_URL", "", "the ledger, where it is not in the state directory");
    if (settings_.ledger_url.empty()) return {};
    auto url = sql::parse_database_url(settings_.ledger_url);
    if (!url) return fail_while("STEWARD_LEDGER_URL", std::move(url).error());
    return {};
  }

  Result<void> disabled() {
    std::string list = text("STEWARD_DISABLE", "", "tasks to leave off");
    std::ranges::replace(list, ' ', ',');
    const std::vector<std::string> known{"archive-mockups", "purge-signals", "purge-logs", "expire-objects",
                                         "purge-audit-logs"};
    for (const std::string& name : split(list, ',')) {
      if (name.empty()) continue;
      if (std::ranges::find(known, name) == known.end()) {
        std::string hint = did_you_mean(name, known);
        return wrong("STEWARD_DISABLE", name, "there is no such task",
                     hint.empty() ? fmt::format("The tasks are {}.", join_and(known)) : hint);
      }
      settings_.disabled.insert(name);
    }
    return {};
  }

  const Environment& environment_;
  const std::string& directory_;
  Settings settings_{};
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return {};
    return std::string(value);
  };
}

Result<Settings> read_settings(const Environment& environment, const std::string& directory) {
  return Reader(environment, directory).read();
}

std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? std::string(entry->pw_name) : fmt::format("uid {}", ::geteuid());
}

}  // namespace steward::app
