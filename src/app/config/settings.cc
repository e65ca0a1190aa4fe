#include "app/config/settings.h"

#include <fmt/format.h>

#include "app/config/file.h"
#include "app/config/variables.h"
#include "core/text.h"

namespace steward::app {

Shape configuration_shape() {
  const Shape text = scalar(Scalar::text), url = scalar(Scalar::url), secret = scalar(Scalar::secret);
  const Shape brakes =
      record("brakes", {{.key = "from",
                         .what = "fewer items than this never trip a brake",
                         .shape = scalar(Scalar::integer),
                         .fallback = "1000",
                         .example = "1000"},
                        {.key = "share",
                         .what = "a task that would remove more of its target than this is refused",
                         .shape = scalar(Scalar::share),
                         .fallback = "90 %",
                         .example = "90 %"},
                        {.key = "times_median",
                         .what = "so is one that would remove more than this many times the median of its earlier runs",
                         .shape = scalar(Scalar::integer),
                         .fallback = "5",
                         .example = "5"},
                        {.key = "runs_for_median",
                         .what = "once there are this many",
                         .shape = scalar(Scalar::integer),
                         .fallback = "10",
                         .example = "10"}});
  const Shape throttle =
      record("throttle", {{.key = "batch_ms",
                           .what = "what a batch of rows is to take, in milliseconds: its size follows",
                           .shape = scalar(Scalar::integer),
                           .fallback = "250",
                           .example = "100"},
                          {.key = "replica_lag",
                           .what = "a replica that is further behind in time is waited for",
                           .shape = scalar(Scalar::age),
                           .fallback = "30 s",
                           .example = "10 s"},
                          {.key = "replica_behind",
                           .what = "so is one that has more write-ahead log still to apply",
                           .shape = scalar(Scalar::bytes),
                           .fallback = "256 MiB",
                           .example = "64 MiB"},
                          {.key = "wal_files",
                           .what = "so many files of write-ahead log may wait to be archived",
                           .shape = scalar(Scalar::integer),
                           .fallback = "64",
                           .example = "16"},
                          {.key = "free_disk",
                           .what = "less room than this where the archive (a folder) or the state directory lies is "
                                   "waited for, between two batches of rows",
                           .shape = scalar(Scalar::bytes),
                           .fallback = "not asked for: a full disk fails the task, and nothing is lost",
                           .example = "1 GiB"}});
  const Shape database = record("database",
                                {{.key = "url",
                                  .what = "postgresql://user@host:5432/name, sqlite:///relative or "
                                          "sqlite:////absolute; better without a password (~/.pgpass)",
                                  .shape = url,
                                  .required = true,
                                  .example = "${DATABASE_URL}"}},
                                "url");
  const Shape store =
      record("store",
             {{.key = "url",
               .what = "s3://bucket/prefix, file:///folder, or a path",
               .shape = url,
               .required = true,
               .example = "s3://app/cold"},
              {.key = "endpoint",
               .what = "the S3 server, where it is not AWS's",
               .shape = url,
               .fallback = "AWS_ENDPOINT_URL",
               .example = "https://s3.example.net"},
              {.key = "region",
               .what = "the region that requests are signed for",
               .shape = text,
               .fallback = "AWS_REGION",
               .example = "eu-central-1"},
              {.key = "addressing",
               .what = "path: endpoint/bucket; virtual: bucket.endpoint",
               .shape = choice({"path", "virtual"}),
               .fallback = "path where there is an endpoint",
               .example = "virtual"},
              {.key = "ca_bundle",
               .what = "certificates (PEM) of a private authority",
               .shape = text,
               .fallback = "AWS_CA_BUNDLE",
               .example = "/etc/ssl/private-ca.pem"},
              {.key = "max_parts",
               .what = "how many parts an upload may have on this server, where that is fewer than AWS's",
               .shape = scalar(Scalar::integer),
               .fallback = "10000",
               .example = "1000"},
              {.key = "access_key",
               .what = "the key's id",
               .shape = text,
               .fallback = "AWS's chain: variables, profile, role",
               .example = "${COLD_KEY}"},
              {.key = "secret_key", .what = "the key", .shape = secret, .example = "${file:/run/secrets/cold}"},
              {.key = "session_token", .what = "of temporary keys", .shape = secret, .example = "${COLD_TOKEN}"}},
             "url");
  return record(
      "configuration",
      {{.key = "version",
        .what = "the format of this file",
        .shape = scalar(Scalar::integer),
        .fallback = "1",
        .example = "1"},
       {.key = "environment",
        .what = "a name that plans, manifests and the ledger show",
        .shape = text,
        .example = "production"},
       {.key = "state",
        .what = "the state directory: ledger, plans, run logs",
        .shape = text,
        .fallback = "STEWARD_STATE_DIR, else /var/lib/steward",
        .example = "/var/lib/steward"},
       {.key = "ledger",
        .what = "the ledger, where it is not in the state directory",
        .shape = url,
        .fallback = "ledger.db in the state directory",
        .example = "postgresql://steward@db/steward"},
       {.key = "time_zone",
        .what = "of dates and of times without an offset, for all tasks",
        .shape = text,
        .fallback = "UTC",
        .example = "Europe/Berlin"},
       {.key = "brakes", .what = "what stops a run that would remove far more than it ever did", .shape = brakes},
       {.key = "serve", .what = "the daemon, its API and its dashboard", .shape = server::serve_shape()},
       {.key = "notifications", .what = "who is told of what, and how", .shape = notify::notifications_shape()},
       {.key = "throttle", .what = "when to go slower, or to wait, for the database's sake", .shape = throttle},
       {.key = "databases",
        .what = "the application's databases, by a name of yours",
        .shape = map_of(database),
        .example = "{app: \"${DATABASE_URL}\"}"},
       {.key = "stores",
        .what = "buckets and folders, by a name of yours",
        .shape = map_of(store),
        .example = "{cold: \"s3://app/cold\"}"},
       {.key = "urls",
        .what = "beginnings of URLs by which rows name their files, and the store that each leads to",
        .shape = map_of(text),
        .example = "{\"https://cdn.example.com/media/\": media}"},
       {.key = "cleanup",
        .what = "the tasks of the job cleanup, by name, in the order in which they are carried out",
        .shape = retention::cleanup_shape()},
       {.key = "rotate-logs",
        .what =
            "the policies of the job rotate-logs, by name: which logs are rotated, how, and how long their archives "
            "are kept",
        .shape = rotation::rotation_shape()},
       {.key = "backup",
        .what = "the policies of the job backup, by name: which database is dumped into which store",
        .shape = backup::backup_shape()},
       {.key = "jobs",
        .what = "when each job runs, and under which conditions",
        .shape = map_of(engine::schedule_shape()),
        .example = "{cleanup: {schedule: \"0 3 * * *\", time_zone: Europe/Berlin}}"}});
}

namespace {

/// What the rooms' settings have to know of one another, and what a person should know of channels.
void finish(Settings& settings) {
  settings.notifications.environment = settings.environment;
  settings.notifications.public_url = settings.serve.public_url;
  for (std::string& line : settings.notifications.complaints())
    settings.notes.push_back("notifications: " + std::move(line));
}

/// `a.yaml:b.yaml`; a file of that whole name comes first.
std::vector<std::string> files_in(const std::string& text) {
  std::vector<std::string> files;
  for (const std::string& file : split(text, ':'))
    if (!file.empty()) files.push_back(file);
  return files;
}

}  // namespace

CheckedSettings check_settings(const Environment& environment, const std::string& directory) {
  CheckedSettings checked;
  if (const auto files = environment("STEWARD_CONFIG")) {
    checked.settings = read_files(files_in(*files), environment, directory, checked.errors);
  } else if (auto settings = read_variables(environment, directory)) {
    checked.settings = *std::move(settings);
  } else {
    checked.errors.push_back(std::move(settings).error());
  }
  finish(checked.settings);
  return checked;
}

Result<Settings> read_settings(const Environment& environment, const std::string& directory) {
  CheckedSettings checked = check_settings(environment, directory);
  if (checked.errors.empty()) return std::move(checked.settings);
  Error first = std::move(checked.errors.front());
  if (checked.errors.size() > 1)
    first.hint += fmt::format("{}`steward config check` shows {} more.", first.hint.empty() ? "" : " ",
                              checked.errors.size() - 1);
  return std::unexpected(std::move(first));
}

}  // namespace steward::app
