#include "app/config/variables.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>

#include "app/config/locations.h"
#include "core/text.h"
#include "core/url.h"
#include "io/files/system_folders.h"
#include "io/object/profile.h"
#include "io/sql/database_url.h"
#include "jobs/backup/age.h"

namespace steward::app {
namespace {

constexpr std::int64_t longest_retention_days = 36'500;

Age months(int n) { return Age{std::chrono::months{n}}; }
Age days(std::int64_t n) { return Age{std::chrono::microseconds{std::chrono::days{n}}}; }

std::unexpected<Error> wrong(std::string_view variable, std::string_view value, std::string_view why,
                             std::string hint) {
  return fail(Kind::bad_input, fmt::format("{} is \"{}\": {}", variable, printable(masked(value)), why),
              std::move(hint));
}

/// Reads variables and notes each for `config show`.
class Reader {
 public:
  Reader(const Environment& environment, const std::string& directory, Settings& settings)
      : environment_(environment), directory_(directory), settings_(settings) {}

  Result<void> tasks() {
    TRY(database());
    media_root_ = absolute(text("MEDIA_ROOT", ".", "where relative image names are below"), directory_);
    TRY(cold());
    TRY(logs());
    TRY(bucket());
    built_in();
    TRY(backup());
    return {};
  }

  Result<void> own() {
    settings_.s3 = TRY(object::s3_settings_from([this](const std::string& name) { return environment_(name); }));
    TRY(state());
    const std::string of_file = settings_.environment;
    settings_.environment = text("STEWARD_ENV", of_file, "the environment's name, shown in plans and manifests");
    TRY(serve());
    notifications();
    show("AWS_ENDPOINT_URL", settings_.s3.endpoint, settings_.s3.endpoint.empty() ? "not set" : "environment",
         "S3 endpoint");
    return {};
  }

  Result<void> disabled() {
    std::string list = text("STEWARD_DISABLE", "", "tasks to leave off");
    std::ranges::replace(list, ' ', ',');
    std::map<std::string, std::string*> switches;
    for (rotation::PolicySpec& spec : settings_.rotation) switches[spec.name] = &spec.off_by;
    for (backup::PolicySpec& spec : settings_.backup) switches[spec.name] = &spec.off_by;
    for (retention::TaskSpec& spec : settings_.cleanup) switches[spec.info.name] = &spec.off_by;
    for (const std::string& name : split(list, ',')) {
      if (name.empty()) continue;
      const auto found = switches.find(name);
      if (found == switches.end()) {
        std::vector<std::string> known;
        for (const auto& [task, off_by] : switches) known.push_back(task);
        std::string hint = did_you_mean(name, known);
        return wrong("STEWARD_DISABLE", name, "there is no such task",
                     hint.empty() ? fmt::format("The tasks are {}.", join_and(known)) : hint);
      }
      *found->second = "STEWARD_DISABLE";
    }
    return {};
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
    const auto of_file = settings_.origins.find(name);
    const std::string otherwise = of_file != settings_.origins.end() ? of_file->second
                                  : fallback.empty()                 ? "not set"
                                                                     : "default";
    show(name, value.value_or(fallback), value ? "environment" : otherwise, what);
    return value.value_or(fallback);
  }

  Result<void> database() {
    std::string text_of_url = text("DATABASE_URL", "", "the application's database");
    if (text_of_url.empty()) return {};
    auto url = sql::parse_database_url(text_of_url);
    if (!url) return fail_while("DATABASE_URL", std::move(url).error());
    for (const std::string& note : url->notes) settings_.notes.push_back("DATABASE_URL: " + note);
    if (url->dialect == sql::Dialect::sqlite)
      text_of_url = "sqlite:///" + percent_encode(absolute(url->path, directory_), true);
    settings_.databases["DATABASE_URL"] = {.url = text_of_url};
    return {};
  }

  Result<object::StoreTarget> store(const std::string& name, const std::string& value, bool bare_is_bucket) {
    auto url = store_url(value, directory_, bare_is_bucket);
    if (url) return object::StoreTarget{.url = *url, .s3 = settings_.s3};
    std::string like = url.error().hint;
    if (like == "shots") like = fmt::format("shots, {0}=s3://shots/prefix or {0}=file:///srv/folder", name);
    return wrong(name, value, url.error().message, fmt::format("Write it like {}={}.", name, like));
  }

  Result<void> cold() {
    cold_ = TRY(store("COLD_STORAGE_PATH", text("COLD_STORAGE_PATH", "cold_storage", "where archives go"), false));
    settings_.shown.back().value = cold_.url;
    settings_.archives.push_back(cold_);
    return {};
  }

  Result<void> logs() {
    const bool named = environment_("LOG_DIR").has_value();
    const std::string path = absolute(text("LOG_DIR", "logs", "the folder of the log files"), directory_);
    settings_.shown.back().value = path;
    if (files::is_system_folder(path))
      return wrong("LOG_DIR", path, "that folder is the system's",
                   "Name the folder that holds this application's log files alone.");
    struct stat info{};
    if (named || ::stat(path.c_str(), &info) == 0) {
      log_dir_ = path;
    } else {
      settings_.shown.back().origin = "default, absent";
    }
    return {};
  }

  Result<void> bucket() {
    const std::string name = text("S3_BUCKET", "", "the bucket whose objects expire");
    const std::string retention = text("S3_RETENTION_DAYS", "90", "days after which they do");
    const auto [end, ec] = std::from_chars(retention.data(), retention.data() + retention.size(), bucket_days_);
    if (ec != std::errc{} || end != retention.data() + retention.size() || bucket_days_ < 1 ||
        bucket_days_ > longest_retention_days)
      return wrong("S3_RETENTION_DAYS", retention, "expected a whole number of days above zero",
                   "Write it like S3_RETENTION_DAYS=90.");
    if (name.empty()) return {};
    bucket_ = TRY(store("S3_BUCKET", name, true));
    if (at_or_below(bucket_.url, cold_.url))
      return wrong("S3_BUCKET", bucket_.url,
                   fmt::format("the archive ({}) has the same place, so nothing in it could be told from what expires",
                               cold_.url),
                   "Give COLD_STORAGE_PATH a prefix of its own, like s3://bucket/cold.");
    return {};
  }

  /// A key that may only write there is best: each variable of AWS's counts with `prefix` before its name first.
  Result<object::StoreTarget> backup_store(const std::string& name, const std::string& value,
                                           const std::string& prefix) {
    object::StoreTarget target = TRY(store(name, value, /*bare_is_bucket=*/!value.starts_with('/')));
    target.s3 = TRY(object::s3_settings_from([&](const std::string& of_aws) {
      const auto own = environment_(prefix + of_aws);
      return own ? own : environment_(of_aws);
    }));
    // Where it has none of its own, AWS's chain is asked as for every other store.
    const auto access = environment_(prefix + "AWS_ACCESS_KEY_ID"),
               secret = environment_(prefix + "AWS_SECRET_ACCESS_KEY");
    if (access.has_value() != secret.has_value())
      return fail(Kind::bad_input, fmt::format("{0}AWS_ACCESS_KEY_ID and {0}AWS_SECRET_ACCESS_KEY go together", prefix),
                  "Set both, or neither: then AWS's chain of variables, profiles and roles is asked.");
    if (access) {
      target.s3.access_key = *access;
      target.s3.secret_key = Secret(*secret);
      target.s3.session_token = Secret(environment_(prefix + "AWS_SESSION_TOKEN").value_or(""));
    }
    return target;
  }

  Result<std::chrono::microseconds> backup_lock(const std::string& name, const std::string& what) {
    const std::string value = text(name, "", what);
    if (value.empty()) return std::chrono::microseconds{};
    const auto age = parse_age(value);
    const auto* span = age ? std::get_if<std::chrono::microseconds>(&age->span) : nullptr;
    if (span == nullptr)
      return wrong(name, value, "it is no span of days", fmt::format("Write it like {}=\"30 days\".", name));
    return *span;
  }

  Result<void> backup_copies(backup::Policy& policy) {
    const std::string value = text("BACKUP_COPY_TO", "", "a second store of backups, with copies of its own");
    const std::string keep = text("BACKUP_COPY_KEEP", "", "which copies stay there; unset: all");
    const auto locked = TRY(backup_lock("BACKUP_COPY_OBJECT_LOCK", "so long nobody can remove a copy"));
    if (value.empty()) return {};
    backup::CopyRule rule{.store = TRY(backup_store("BACKUP_COPY_TO", value, "BACKUP_COPY_")), .locked = locked};
    if (rule.store.url == policy.store.url && rule.store.s3.endpoint == policy.store.s3.endpoint)
      return wrong("BACKUP_COPY_TO", rule.store.url, "it is the place of the backups themselves",
                   "Name another bucket, best with another provider.");
    if (at_or_below(rule.store.url, cold_.url) || at_or_below(cold_.url, rule.store.url))
      return wrong("BACKUP_COPY_TO", rule.store.url, fmt::format("the archive ({}) has the same place", cold_.url),
                   "Give it a bucket, a prefix or a folder of its own.");
    if (!keep.empty()) {
      auto rules = backup::parse_keep(keep);
      if (!rules) return fail_while("BACKUP_COPY_KEEP", std::move(rules).error());
      rule.keep = *rules;
    }
    policy.copy = std::move(rule);
    return {};
  }

  Result<void> backup_format(backup::Policy& policy) {
    const std::string format =
        text("BACKUP_FORMAT", "custom", "custom: one object; directory: an object for each table, several at once");
    const std::string jobs = text("BACKUP_JOBS", "", "with BACKUP_FORMAT=directory: so many tables at once; unset: 2");
    if (format == "directory")
      policy.format = backup::Format::directory;
    else if (format != "custom")
      return wrong("BACKUP_FORMAT", format, "there is no such format", "Write custom or directory.");
    const bool is_directory = policy.format == backup::Format::directory;
    const auto url = sql::parse_database_url(policy.database.url);
    if (is_directory && url && url->dialect == sql::Dialect::sqlite)
      return wrong("BACKUP_FORMAT", format, "an SQLite file is dumped as one", "Leave BACKUP_FORMAT out.");
    if (jobs.empty()) return {};
    if (!is_directory)
      return wrong("BACKUP_JOBS", jobs, "the custom format is one stream", "Set BACKUP_FORMAT=directory, too.");
    const auto [end, failed] = std::from_chars(jobs.data(), jobs.data() + jobs.size(), policy.jobs);
    if (failed != std::errc{} || end != jobs.data() + jobs.size() || policy.jobs < 1 || policy.jobs > backup::most_jobs)
      return wrong("BACKUP_JOBS", jobs, "so many tables cannot be dumped at once",
                   fmt::format("Write a number from 1 to {}.", backup::most_jobs));
    return {};
  }

  /// The folders of several databases are where that of the one is: what was backed up before goes on.
  Result<void> backup_databases(backup::PolicySpec& spec) {
    const std::string names =
        text("BACKUP_DATABASES", "", "all, or names with * and ?: several databases of DATABASE_URL's server");
    if (names.empty()) return {};
    const auto url = sql::parse_database_url(spec.policy->database.url);
    if (url && url->dialect == sql::Dialect::sqlite)
      return wrong("BACKUP_DATABASES", names, "an SQLite file is one database", "Leave BACKUP_DATABASES out.");
    backup::Selection several;
    for (const std::string& part : split(names, ','))
      if (const std::string_view name = trim(part); !name.empty()) several.names.emplace_back(name);
    spec.several = std::move(several);
    spec.policy->name.clear();
    return {};
  }

  Result<void> backup() {
    backup::PolicySpec spec{.name = "backup-database"};
    const std::string bucket = text("BACKUP_BUCKET", "", "where backups go");
    const std::string direct = text("DATABASE_URL_DIRECT", "", "the database past its pooler, for backups");
    if (settings_.databases.empty()) spec.needs.emplace_back("DATABASE_URL");
    if (bucket.empty()) spec.needs.emplace_back("BACKUP_BUCKET");
    if (!spec.needs.empty()) {
      settings_.backup.push_back(std::move(spec));
      return {};
    }
    backup::Policy policy{.database = settings_.databases.at("DATABASE_URL")};
    if (!direct.empty()) {
      if (auto url = sql::parse_database_url(direct); !url)
        return fail_while("DATABASE_URL_DIRECT", std::move(url).error());
      policy.database.url = direct;
    }
    policy.store = TRY(backup_store("BACKUP_BUCKET", bucket, "BACKUP_"));
    if (at_or_below(policy.store.url, cold_.url) || at_or_below(cold_.url, policy.store.url))
      return wrong("BACKUP_BUCKET", policy.store.url, fmt::format("the archive ({}) has the same place", cold_.url),
                   "Give it a bucket, a prefix or a folder of its own.");
    policy.name = backup::folder_name(policy.database.url);
    TRY(backup_format(policy));
    const std::string recipients =
        text("BACKUP_AGE_RECIPIENTS", "", "public keys of age, to which backups are encrypted");
    for (const std::string& part : split(recipients, ',')) {
      const std::string recipient(trim(part));
      if (recipient.empty()) continue;
      if (const auto good = backup::check_recipient(recipient); !good)
        return fail_while("BACKUP_AGE_RECIPIENTS", good.error());
      policy.recipients.push_back(recipient);
    }
    const std::string identity = text("BACKUP_AGE_IDENTITY", "", "the file of a secret key of age");
    if (!identity.empty()) policy.identity = absolute(identity, directory_);
    const std::string proof = text("BACKUP_PROOF", "", "how often the newest backup is restored and compared");
    if (!proof.empty()) {
      const auto every = parse_age(proof);
      if (!every)
        return wrong("BACKUP_PROOF", proof, "it is no span of time", "Write it like BACKUP_PROOF=\"7 days\".");
      policy.proof = backup::ProofRule{.every = *every};
    }
    const std::string keep = text("BACKUP_KEEP", "", "which backups stay; unset: all");
    if (!keep.empty()) {
      auto rules = backup::parse_keep(keep);
      if (!rules) return fail_while("BACKUP_KEEP", std::move(rules).error());
      policy.keep = *rules;
    }
    policy.locked = TRY(backup_lock("BACKUP_OBJECT_LOCK", "so long nobody can remove a backup"));
    TRY(backup_copies(policy));
    spec.policy = std::move(policy);
    TRY(backup_databases(spec));
    settings_.backup.push_back(std::move(spec));
    return {};
  }

  Result<void> state() {
    std::string fallback = "/var/lib/steward";
    if (::geteuid() != 0) {
      const std::string home = environment_("HOME").value_or("");
      fallback = environment_("XDG_STATE_HOME").value_or(home + "/.local/state") + "/steward";
      if (!environment_("XDG_STATE_HOME") && home.empty() && !environment_("STEWARD_STATE_DIR") &&
          settings_.state_dir.empty())
        return fail(Kind::bad_input,
                    "there is no place for steward's state: neither STEWARD_STATE_DIR, XDG_STATE_HOME nor HOME is set",
                    "Set STEWARD_STATE_DIR to a folder that this user can write.");
    }
    if (!settings_.state_dir.empty()) fallback = settings_.state_dir;
    settings_.state_dir = absolute(text("STEWARD_STATE_DIR", fallback, "ledger, plans, run logs"), directory_);
    settings_.shown.back().value = settings_.state_dir;
    const std::string of_file = settings_.ledger_url;
    settings_.ledger_url = text("STEWARD_LEDGER_URL", of_file, "the ledger, where it is not in the state directory");
    if (settings_.ledger_url.empty()) return {};
    auto url = sql::parse_database_url(settings_.ledger_url);
    if (!url) return fail_while("STEWARD_LEDGER_URL", std::move(url).error());
    return {};
  }

  Result<void> serve() {
    server::ServeRules& rules = settings_.serve;
    const std::string listen = rules.listen, url = rules.public_url;
    rules.listen = text("STEWARD_LISTEN", listen, "where `steward serve` answers, or off");
    if (auto checked = server::check_listen(rules.listen); !checked && rules.listen != listen)
      return fail_while("STEWARD_LISTEN", std::move(checked).error());
    rules.public_url = text("STEWARD_PUBLIC_URL", url, "how browsers reach it, for links and cookies");
    if (rules.public_url.empty() || rules.public_url == url) return {};
    if (auto checked = server::check_public_url(rules.public_url); !checked)
      return fail_while("STEWARD_PUBLIC_URL", std::move(checked).error());
    return {};
  }

  /// An address that cannot be used is told of (Settings::notes), and ends nothing.
  void notifications() {
    const auto url = environment_("SLACK_WEBHOOK_URL");
    settings_.shown.push_back({.name = "SLACK_WEBHOOK_URL",
                               .value = url ? "***" : "",
                               .origin = url ? "environment" : "not set",
                               .what = "who is told, where no file has notifications"});
    if (url) settings_.notifications = notify::notifications_of_variable(*url);
  }

  retention::RowRules rows(std::string table, std::string age_column, Age age) const {
    return {.database = settings_.databases.at("DATABASE_URL"),
            .table = std::move(table),
            .age_column = std::move(age_column),
            .age = age};
  }

  void add(std::string name, std::string title, std::optional<retention::Policy> policy, const char* needs) {
    retention::TaskSpec spec{.info = {.name = std::move(name), .title = std::move(title)}, .policy = std::move(policy)};
    if (!spec.policy) spec.needs = {needs};
    settings_.cleanup.push_back(std::move(spec));
  }

  /// The five tasks of cleanup, in their order, and the rotation of logs.
  void built_in() {
    const bool has_database = !settings_.databases.empty();
    const auto when = [](bool there, auto make) {
      return there ? std::optional<retention::Policy>(make()) : std::nullopt;
    };
    add("archive-mockups", "mockups older than 12 months go to cold storage with their images",
        when(has_database,
             [&] {
               return retention::FileRowPolicy{.rows = rows("mockups", "created_at", months(12)),
                                               .file_column = "image_url",
                                               .root = media_root_,
                                               .archive = {.store = cold_},
                                               .s3 = settings_.s3};
             }),
        "DATABASE_URL");
    add("purge-signals", "signals older than 30 days are deleted",
        when(has_database, [&] { return retention::RowPolicy{.rows = rows("signals", "timestamp", days(30))}; }),
        "DATABASE_URL");
    add("purge-logs", "log files not modified for 30 days are deleted",
        when(!log_dir_.empty(),
             [&] {
               return retention::FilePolicy{.folder = log_dir_,
                                            .patterns = retention::log_file_names(),
                                            .leave_out = {"archive"},
                                            .age = days(30)};
             }),
        "LOG_DIR");
    add("expire-objects", "objects older than S3_RETENTION_DAYS are deleted",
        when(!bucket_.url.empty(),
             [&] { return retention::ObjectPolicy{.bucket = bucket_, .age = days(bucket_days_)}; }),
        "S3_BUCKET");
    add("purge-audit-logs", "audit entries older than 18 months go to the archive, then are deleted",
        when(has_database,
             [&] {
               return retention::RowPolicy{.rows = rows("audit_logs", "timestamp", months(18)),
                                           .archive = retention::ArchiveRules{.store = cold_}};
             }),
        "DATABASE_URL");
    rotation::PolicySpec logs{.name = "logs"};
    if (log_dir_.empty())
      logs.needs = {"LOG_DIR"};
    else
      logs.policy = rotation::Policy{.folder = log_dir_};
    settings_.rotation.push_back(std::move(logs));
  }

  const Environment& environment_;
  const std::string& directory_;
  Settings& settings_;
  std::string media_root_{}, log_dir_{};
  object::StoreTarget cold_{}, bucket_{};
  std::int64_t bucket_days_ = 0;
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return {};
    return std::string(value);
  };
}

Result<void> read_own_variables(const Environment& environment, const std::string& directory, Settings& settings) {
  return Reader(environment, directory, settings).own();
}

Result<void> read_disabled(const Environment& environment, Settings& settings) {
  return Reader(environment, {}, settings).disabled();
}

Result<Settings> read_variables(const Environment& environment, const std::string& directory) {
  Settings settings;
  Settings own;
  TRY(read_own_variables(environment, directory, own));
  settings.s3 = own.s3;
  TRY(Reader(environment, directory, settings).tasks());
  settings.state_dir = own.state_dir;
  settings.ledger_url = own.ledger_url;
  settings.environment = own.environment;
  settings.serve = own.serve;
  settings.notifications = own.notifications;
  settings.shown.insert(settings.shown.end(), own.shown.begin(), own.shown.end());
  TRY(read_disabled(environment, settings));
  return settings;
}

std::string user_name() {
  // Whom the server has let in, where this is a process of its own (app/api/operations.h).
  if (const char* actor = std::getenv("STEWARD_ACTOR"); actor != nullptr && *actor != '\0') return actor;
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? std::string(entry->pw_name) : fmt::format("uid {}", ::geteuid());
}

}  // namespace steward::app
