// What a configuration file may say, and what is said of each mistake in one.
#include "app/config/file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/config/catalogue.h"
#include "app/config/init.h"
#include "app/config/reference.h"
#include "app/config/variables.h"
#include "core/random.h"

namespace steward::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct File : testing::Test {
  std::string folder = "/tmp/steward-config-" + random_hex(6);
  std::map<std::string, std::string> variables{{"STEWARD_STATE_DIR", "/tmp/steward-config-state"}};
  std::vector<Error> errors{};

  File() { std::filesystem::create_directories(folder); }
  ~File() override { std::filesystem::remove_all(folder); }

  Environment environment() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
    };
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + '/' + name) << text;
    return name;
  }
  Settings read(const std::vector<std::string>& files) {
    errors.clear();
    return read_files_in(files);
  }
  Settings read_text(const std::string& text) { return read({write("steward.yaml", text)}); }
  std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const Error& error : errors) out.push_back(error.message);
    return out;
  }

 private:
  Settings read_files_in(const std::vector<std::string>& files) {
    // Files are named as a person in that folder names them.
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder);
    Settings settings = read_files(files, environment(), folder, errors);
    std::filesystem::current_path(before);
    return settings;
  }
};

constexpr const char* head =
    "databases: {app: \"sqlite:///app.db\"}\nstores: {cold: ./cold, exports: \"s3://exports\"}\n";

TEST_F(File, SaysWhatEachKindOfTaskDoes) {
  const Settings settings = read_text(std::string(head) + R"(
time_zone: Europe/Berlin
cleanup:
  old-orders:
    kind: rows
    table: shop.orders
    age_column: made
    age: 2 years
    age_format: epoch-seconds
    where:
      - {column: status, in: [done, "7", 7]}
      - {column: total, less_than: 10}
    hold_when: {column: legal_hold, equals: true}
    referenced_by: [{table: invoices, column: order_id, target: number}]
    archive: {to: cold, folder: orders}
  pictures:
    kind: rows-with-files
    table: pictures
    age_column: made
    age: 12 months
    file_column: path
    root: media
    archive: cold
  logs: {kind: files, folder: logs, names: "*.out", leave_out: [keep, archive], age: 36h}
  exports: {kind: objects, store: exports, age: 90 days, enabled: false}
)");
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_EQ(settings.cleanup.size(), 4U);
  const auto& orders = std::get<retention::RowPolicy>(*settings.cleanup[0].policy);
  EXPECT_EQ(orders.rows.table, "shop.orders");
  EXPECT_EQ(format_age(orders.rows.age), "2 years");
  EXPECT_EQ(orders.rows.age_format, retention::AgeFormat::epoch_seconds);
  EXPECT_EQ(orders.rows.time_zone, "Europe/Berlin");
  EXPECT_EQ(text_of(orders.rows.where[0]), "status in (done, 7, 7)");
  EXPECT_TRUE(orders.rows.where[0].operands[1].quoted);
  EXPECT_FALSE(orders.rows.where[0].operands[2].quoted);
  EXPECT_EQ(text_of(orders.rows.where[1]), "total < 10");
  EXPECT_EQ(text_of(orders.rows.hold_when.at(0)), "legal_hold = true");
  EXPECT_EQ(orders.rows.referenced_by.at(0).target, "number");
  EXPECT_EQ(orders.rows.database.url, "sqlite:///" + folder + "/app.db");
  EXPECT_EQ(orders.archive->store.url, "file://" + folder + "/cold");
  EXPECT_EQ(orders.archive->folder, "orders");
  const auto& pictures = std::get<retention::FileRowPolicy>(*settings.cleanup[1].policy);
  EXPECT_EQ(pictures.root, folder + "/media");
  const auto& logs = std::get<retention::FilePolicy>(*settings.cleanup[2].policy);
  EXPECT_THAT(logs.patterns, ElementsAre("*.out"));
  EXPECT_THAT(logs.leave_out, ElementsAre("keep", "archive"));
  EXPECT_EQ(settings.cleanup[3].off_by, "steward.yaml:27:67");
  EXPECT_EQ(settings.archives.size(), 1U);
}

TEST_F(File, AStoreHasAnEndpointAndKeysOfItsOwn) {
  variables["COLD_SECRET"] = "hush";
  const Settings settings = read_text(R"(
databases: {app: "sqlite:///app.db"}
stores:
  cold: {url: "s3://acme/cold", endpoint: "https://s3.example.net", region: eu-1, addressing: virtual, access_key: AK, secret_key: "${COLD_SECRET}"}
cleanup:
  a: {kind: rows, table: t, age_column: c, age: 1 day, archive: cold}
)");
  EXPECT_THAT(messages(), IsEmpty());
  const object::S3Settings& s3 = settings.archives.at(0).s3;
  EXPECT_EQ(s3.endpoint, "https://s3.example.net");
  EXPECT_EQ(s3.region, "eu-1");
  EXPECT_TRUE(s3.virtual_host);
  EXPECT_EQ(s3.secret_key.reveal(), "hush");
  for (const Shown& shown : settings.shown) EXPECT_EQ(shown.value.find("hush"), std::string::npos) << shown.name;
}

TEST_F(File, LaterFilesAreLaidOverEarlierOnesAndPathsAreRelativeToTheirOwn) {
  std::filesystem::create_directories(folder + "/base");
  write("base/base.yaml", std::string(head) + "cleanup:\n  logs: {kind: files, folder: logs, age: 30 days}\n");
  write("production.yaml", "environment: production\ncleanup:\n  logs: {age: 60 days}\n");
  const Settings settings = read({"base/base.yaml", "production.yaml"});
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(settings.environment, "production");
  const auto& logs = std::get<retention::FilePolicy>(*settings.cleanup.at(0).policy);
  EXPECT_EQ(logs.folder, folder + "/base/logs");
  EXPECT_EQ(format_age(logs.age), "60 days");
}

TEST_F(File, AVariableOfStewardsOwnComesBeforeTheFile) {
  variables["STEWARD_ENV"] = "staging";
  variables["STEWARD_DISABLE"] = "logs";
  const Settings settings = read_text(std::string(head) +
                                      "environment: production\nstate: /elsewhere\ncleanup:\n  logs: "
                                      "{kind: files, folder: logs, age: 30 days}\n");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(settings.environment, "staging");
  EXPECT_EQ(settings.state_dir, "/tmp/steward-config-state");
  EXPECT_EQ(settings.cleanup.at(0).off_by, "STEWARD_DISABLE");
}

TEST_F(File, WhatInitWritesIsWhatTheVariablesSay) {
  variables["DATABASE_URL"] = "sqlite:///app.db";
  variables["LOG_DIR"] = "logs";
  variables["S3_BUCKET"] = "exports";
  variables["MEDIA_ROOT"] = "media $1 \"quoted\"";
  const auto by_variables = read_variables(environment(), folder);
  ASSERT_TRUE(by_variables);
  const Settings by_file = read_text(initial_file(*by_variables));
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_EQ(by_file.cleanup.size(), by_variables->cleanup.size());
  for (std::size_t i = 0; i < by_file.cleanup.size(); ++i) {
    const retention::TaskSpec &file = by_file.cleanup[i], &variable = by_variables->cleanup[i];
    EXPECT_EQ(file.info.name, variable.info.name);
    ASSERT_TRUE(file.policy && variable.policy) << file.info.name;
    EXPECT_EQ(title_of(*file.policy), title_of(*variable.policy));
  }
  EXPECT_EQ(std::get<retention::FileRowPolicy>(*by_file.cleanup[0].policy).root,
            std::get<retention::FileRowPolicy>(*by_variables->cleanup[0].policy).root);
}

TEST_F(File, InitWithNothingSetIsRightToo) {
  const auto by_variables = read_variables(environment(), folder);
  ASSERT_TRUE(by_variables);
  read_text(initial_file(*by_variables));
  EXPECT_THAT(messages(), IsEmpty());
}

/// A mistake, and the line that a person gets for it.
struct Mistake {
  const char* name;
  const char* text;
  const char* message;
  const char* hint;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

struct Mistakes : File, testing::WithParamInterface<Mistake> {};

TEST_P(Mistakes, IsOneLineWithItsPlaceWhatWasExpectedAndTheNearestName) {
  read_text(std::string(head) + GetParam().text);
  ASSERT_EQ(errors.size(), 1U) << fmt::format("{}", fmt::join(messages(), "\n"));
  EXPECT_EQ(errors[0].message, GetParam().message);
  EXPECT_EQ(errors[0].hint, GetParam().hint);
  EXPECT_EQ(errors[0].kind, Kind::bad_input);
}

const Mistake mistakes[] = {
    {"unknown_section", "clean_up: {}",
     "steward.yaml:3:1: unknown key \"clean_up\" in the configuration; expected version, environment, state, ledger, "
     "time_zone, brakes, serve, notifications, throttle, databases, stores, urls, cleanup, rotate-logs, backup or jobs",
     "Did you mean \"cleanup\"?"},
    {"unknown_key", "cleanup:\n  logs: {kind: files, folder: logs, ages: 30 days, age: 30 days}",
     "steward.yaml:4:37: unknown key \"ages\" in files policy \"logs\"; expected enabled, approval, folder, names, "
     "leave_out or "
     "age",
     "Did you mean \"age\"? For example: age: 30 days"},
    {"missing_key", "cleanup:\n  logs: {kind: files, folder: logs}",
     "steward.yaml:4:9: files policy \"logs\" has no age: files not modified for this long go",
     "For example: age: 30 days"},
    {"a_policy_without_an_age_or_a_table", "cleanup:\n  s: {kind: rows, age_column: c, age: 30 days}",
     "steward.yaml:4:6: rows policy \"s\" has no table: the table, as name or schema.name",
     "For example: table: signals"},
    {"zero_age", "cleanup:\n  logs: {kind: files, folder: logs, age: 0 days}",
     "steward.yaml:4:42: age: \"0 days\" is not an age: it is zero, expected an age such as 30 days, 12 months or 90m",
     ""},
    {"no_kind", "cleanup:\n  logs: {folder: logs, age: 1 day}",
     "steward.yaml:4:9: policy \"logs\" has no kind: expected rows, rows-with-files, files or objects",
     "For example: kind: rows"},
    {"unknown_kind", "cleanup:\n  logs: {kind: file, folder: logs, age: 1 day}",
     "steward.yaml:4:16: kind of policy \"logs\" is \"file\": expected rows, rows-with-files, files or objects",
     "Did you mean \"files\"?"},
    {"unknown_store", "cleanup:\n  e: {kind: objects, store: export, age: 1 day}",
     "steward.yaml:4:29: there is no store \"export\"", "Did you mean \"exports\"?"},
    {"unknown_database", "cleanup:\n  r: {kind: rows, database: main, table: t, age_column: c, age: 1 day}",
     "steward.yaml:4:29: there is no database \"main\"", "The databases are app."},
    {"a_systems_folder", "cleanup:\n  logs: {kind: files, folder: /etc/app, age: 1 day}",
     "steward.yaml:4:31: the folder /etc/app is the system's",
     "Name the folder that holds this application's files alone."},
    {"two_comparisons",
     "cleanup:\n  r: {kind: rows, table: t, age_column: c, age: 1 day, where: {column: a, equals: 1, in: [2]}}",
     "steward.yaml:4:63: a condition has one comparison, not several",
     "For example: {column: status, in: [done, failed]}"},
    {"one_archive_folder_for_two",
     "cleanup:\n  a: {kind: rows, table: t, age_column: c, age: 1 day, archive: cold}\n  b: {kind: rows, table: x.t, "
     "age_column: c, age: 1 day, archive: cold}",
     "steward.yaml:5:67: another task archives to the folder t of cold",
     "Give one of them a folder of its own: archive: {to: cold, folder: NAME}"},
    {"an_archive_where_objects_expire",
     "cleanup:\n  a: {kind: rows, table: t, age_column: c, age: 1 day, archive: exports}\n  b: {kind: objects, store: "
     "exports, age: 1 day}",
     "steward.yaml:5:3: b expires objects of s3://exports, and an archive is at s3://exports: nothing in it could be "
     "told "
     "from what expires",
     "Give the archive a prefix of its own, like s3://bucket/cold."},
    {"a_tasks_name", "cleanup:\n  purge signals: {kind: files, folder: logs, age: 1 day}",
     "steward.yaml:4:3: \"purge signals\" cannot be a task's name", "Use letters, digits and -, as in purge-signals."},
    {"an_empty_task", "cleanup:\n  logs:\n", "steward.yaml:4:3: policy \"logs\" is empty",
     "Write its keys below it, or remove it."},
    {"a_list_for_a_map", "cleanup: [a, b]", "steward.yaml:3:10: cleanup is a list: expected names with their values",
     ""},
    {"a_map_for_a_text", "environment: {name: x}", "steward.yaml:3:14: environment is a map: expected a text", ""},
    {"a_version_to_come", "version: 2", "steward.yaml:3:10: the format of this file is 2, this program knows 1",
     "Upgrade steward, or write version: 1."},
    {"a_ledger_that_is_none", "ledger: mysql://u:pw@h/d",
     "steward.yaml:3:9: ledger: \"mysql://u:***@h/d\" names no database that steward knows: mysql is neither "
     "postgresql "
     "nor sqlite",
     "Write it like postgresql://user@host/database, sqlite:///relative.db or sqlite:////absolute.db."},
};
INSTANTIATE_TEST_SUITE_P(Config, Mistakes, testing::ValuesIn(mistakes),
                         [](const auto& mistake) { return std::string(mistake.param.name); });

TEST_F(File, WithoutAFileVariablesSayWhereTheServerAnswers) {
  variables["STEWARD_LISTEN"] = "off";
  variables["STEWARD_PUBLIC_URL"] = "https://ops.example.com/steward";
  const auto settings = read_settings(environment(), folder);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->serve.listen, "off");
  EXPECT_EQ(settings->serve.public_url, "https://ops.example.com/steward");
}

TEST_F(File, SaysWhereDagsterIsForLinks) {
  EXPECT_EQ(read_text(head).serve.dagster_url, "");
  EXPECT_EQ(read_text(std::string(head) + "serve: {dagster_url: \"https://dagster.example.com/\"}\n").serve.dagster_url,
            "https://dagster.example.com");
  EXPECT_THAT(messages(), IsEmpty());
  read_text(std::string(head) + "serve: {dagster_url: dagster}\n");
  EXPECT_THAT(messages(), ElementsAre(testing::HasSubstr("\"dagster\" is no public URL")));
}

TEST(Catalogue, ATasksKindIsThatOfItsPartOfTheJob) {
  const Settings none;
  EXPECT_EQ(kind_of(none, "backup", "app"), "backup");
  EXPECT_EQ(kind_of(none, "backup", "all.shop"), "backup") << "one of several databases";
  EXPECT_EQ(kind_of(none, "backup", "app.proof"), "proof");
  EXPECT_EQ(kind_of(none, "backup", "app.copy"), "copy");
  EXPECT_EQ(kind_of(none, "backup", "app.copy-expire"), "purge");
  EXPECT_EQ(kind_of(none, "backup", "app.expire"), "purge");
  EXPECT_EQ(kind_of(none, "rotate-logs", "web"), "rotation");
  EXPECT_EQ(kind_of(none, "rotate-logs", "web.archive"), "purge");
  EXPECT_EQ(kind_of(none, "cleanup", "archive-mockups"), "archive") << "not configured, its name tells";
  EXPECT_EQ(kind_of(none, "cleanup", "purge-logs"), "purge");
}

TEST_F(File, SaysHowTheDaemonEndsAndWhatItsDisksAreToHave) {
  const Settings by_default = read_text(head);
  EXPECT_EQ(by_default.serve.shutdown, "leave");
  EXPECT_EQ(by_default.serve.log_format, "text");
  EXPECT_EQ(by_default.throttle.free_disk, Bytes{}) << "nothing is asked for";
  const Settings settings =
      read_text(std::string(head) + "serve: {shutdown: wait, log_format: json}\nthrottle: {free_disk: 1 GiB}\n");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(settings.serve.shutdown, "wait");
  EXPECT_EQ(settings.serve.log_format, "json");
  EXPECT_EQ(settings.throttle.free_disk, 1024_MiB);
  read_text(std::string(head) + "serve: {shutdown: now}\n");
  EXPECT_THAT(messages(), ElementsAre(testing::HasSubstr("expected leave, wait or stop")));
}

TEST_F(File, WhetherAJobIsConfiguredOrOffAndRemovesIsSaidInOnePlace) {
  EXPECT_FALSE(scheduled_job(read_settings(environment(), folder).value(), "cleanup").configured);
  variables["LOG_DIR"] = folder;
  engine::ScheduledJob job = scheduled_job(read_settings(environment(), folder).value(), "cleanup");
  EXPECT_TRUE(job.configured && job.removes && job.off_by.empty());
  variables["STEWARD_DISABLE"] = "purge-logs";
  job = scheduled_job(read_settings(environment(), folder).value(), "cleanup");
  EXPECT_TRUE(job.configured && !job.removes);
  EXPECT_EQ(job.off_by, "STEWARD_DISABLE");
  EXPECT_FALSE(scheduled_job(read_settings(environment(), folder).value(), "backup").configured);
}

TEST_F(File, AllMistakesAreToldAtOnceEachOnce) {
  read_text(std::string(head) + R"(
environmnt: production
cleanup:
  a: {kind: rows, table: t, age_column: c, age: ninety}
  b: {kind: objects, store: nowhere, age: 1 day}
  c: {kind: files, folder: logs, age: 1 day, enabled: maybe}
)");
  EXPECT_EQ(errors.size(), 4U) << fmt::format("{}", fmt::join(messages(), "\n"));
}

TEST_F(File, ASecretNeverStandsInAMessage) {
  variables["URL"] = "mysql://user:hunter2@host/db";
  read_text("databases: {app: \"${URL}\"}\nstores: {cold: {url: \"ftp://u:hunter2@x\"}}\n");
  ASSERT_EQ(errors.size(), 2U);
  for (const Error& error : errors)
    EXPECT_EQ((error.message + error.hint).find("hunter2"), std::string::npos) << error.message;
}

TEST_F(File, TheExampleIsRight) {
  variables["DATABASE_URL"] = "postgresql://steward@db/app";
  variables["COLD_ACCESS_KEY"] = "AK";
  std::ifstream in(std::string(STEWARD_SOURCES) + "/examples/config/team.yaml");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::string secret = "/run/secrets/cold_secret_key";
  write("secret", "hush\n");
  text.replace(text.find(secret), secret.size(), folder + "/secret");
  const Settings settings = read_text(text);
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_EQ(settings.cleanup.size(), 5U);
  EXPECT_EQ(settings.cleanup[1].info.title,
            "rows of shop.orders older than 7 years go to the archive, then are deleted");
}

TEST(Reference, InTheDocumentsIsTheProgramsOwn) {
  const std::string file = std::string(STEWARD_SOURCES) + "/docs/configuration-reference.md";
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t begin = text.find("<!-- from here on: ");
  ASSERT_NE(begin, std::string::npos) << file;
  const std::string head_of_page = text.substr(0, text.find('\n', begin) + 1);
  const std::string now = head_of_page + reference(configuration_shape());
  if (std::getenv("STEWARD_GOLDEN") != nullptr) {
    std::ofstream(file) << now;
    return;
  }
  EXPECT_EQ(text, now) << "run ./dev golden Reference, and look at the difference";
}

}  // namespace
}  // namespace steward::app
