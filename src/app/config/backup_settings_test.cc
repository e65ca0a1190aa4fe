// What says how databases are backed up: variables alone, or the section `backup` of a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "app/config/file.h"
#include "app/config/settings.h"
#include "core/random.h"

namespace steward::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct BackupOf : testing::Test {
  std::string folder = "/tmp/steward-config-" + random_hex(6);
  std::map<std::string, std::string> variables{{"STEWARD_STATE_DIR", "/tmp/steward-config-state"},
                                               {"DATABASE_URL", "postgresql://app@pool:6432/shop"},
                                               {"BACKUP_BUCKET", "acme"}};
  std::vector<Error> errors{};

  BackupOf() { std::filesystem::create_directories(folder); }
  ~BackupOf() override { std::filesystem::remove_all(folder); }

  Environment environment() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
    };
  }
  /// The one policy that the variables make.
  backup::PolicySpec of_variables() const {
    const Settings settings = read_settings(environment(), folder).value();
    return settings.backup.at(0);
  }
  std::string error_of_variables() const { return read_settings(environment(), folder).error().message; }
  Settings read_text(const std::string& text) {
    errors.clear();
    const std::string path = folder + "/steward.yaml";
    std::ofstream(path) << text;
    return read_files({path}, environment(), folder, errors);
  }
  std::vector<std::string> hints_and_messages() const {
    std::vector<std::string> out;
    for (const Error& error : errors) out.push_back(error.message + " | " + error.hint);
    return out;
  }
};

TEST_F(BackupOf, VariablesIsTheDatabaseIntoTheBucketUnderTheDatabasesName) {
  const backup::PolicySpec spec = of_variables();
  ASSERT_TRUE(spec.policy);
  EXPECT_EQ(spec.policy->store.url, "s3://acme");
  EXPECT_EQ(spec.policy->name, "shop");
  EXPECT_EQ(spec.policy->store.s3.access_key, "") << "AWS's chain is asked";
  EXPECT_FALSE(spec.policy->proof);
  EXPECT_TRUE(spec.policy->keep.empty()) << "nothing is removed unless somebody says so";
}

TEST_F(BackupOf, VariablesGoesPastThePoolerAndWithAKeyOfItsOwn) {
  variables["DATABASE_URL_DIRECT"] = "postgresql://app@db:5432/shop";
  variables["BACKUP_AWS_ACCESS_KEY_ID"] = "backups";
  variables["BACKUP_AWS_SECRET_ACCESS_KEY"] = "another";
  const Settings settings = read_settings(environment(), folder).value();
  EXPECT_EQ(settings.backup.at(0).policy->database.url, "postgresql://app@db:5432/shop");
  EXPECT_EQ(settings.backup.at(0).policy->store.s3.access_key, "backups");
  EXPECT_EQ(settings.databases.at("DATABASE_URL").url, "postgresql://app@pool:6432/shop") << "the others do not";
  EXPECT_EQ(settings.backup.at(0).policy->store.s3.secret_key.reveal(), "another");
  EXPECT_EQ(settings.s3.access_key, "");
  variables["BACKUP_AWS_SECRET_ACCESS_KEY"] = "";
  EXPECT_THAT(error_of_variables(), HasSubstr("go together"));
}

TEST_F(BackupOf, VariablesHasCopiesWithAKeyAndRulesOfTheirOwnAndALock) {
  variables["BACKUP_COPY_TO"] = "s3://offsite/app";
  variables["BACKUP_COPY_KEEP"] = "monthly 24";
  variables["BACKUP_COPY_AWS_ACCESS_KEY_ID"] = "copies";
  variables["BACKUP_COPY_AWS_SECRET_ACCESS_KEY"] = "secret";
  variables["BACKUP_COPY_AWS_ENDPOINT_URL"] = "https://s3.other.example";
  variables["BACKUP_OBJECT_LOCK"] = "30 days";
  variables["BACKUP_COPY_OBJECT_LOCK"] = "7 days";
  const backup::PolicySpec spec = of_variables();
  ASSERT_TRUE(spec.policy->copy);
  EXPECT_EQ(spec.policy->copy->store.url, "s3://offsite/app");
  EXPECT_EQ(spec.policy->copy->store.s3.access_key, "copies");
  EXPECT_EQ(spec.policy->copy->store.s3.endpoint, "https://s3.other.example");
  EXPECT_NE(spec.policy->store.s3.access_key, "copies");
  EXPECT_EQ(text_of(spec.policy->copy->keep), "monthly 24");
  EXPECT_EQ(spec.policy->locked, std::chrono::days{30});
  EXPECT_EQ(spec.policy->copy->locked, std::chrono::days{7});
  EXPECT_EQ(backup::policy_of_copies(*spec.policy).store.url, "s3://offsite/app");

  variables["BACKUP_COPY_TO"] = spec.policy->store.url;
  variables.erase("BACKUP_COPY_AWS_ENDPOINT_URL");
  EXPECT_THAT(error_of_variables(), HasSubstr("it is the place of the backups themselves"));
  variables["BACKUP_COPY_TO"] = "s3://offsite/app";
  variables["BACKUP_COPY_AWS_SECRET_ACCESS_KEY"] = "";
  EXPECT_THAT(error_of_variables(), HasSubstr("BACKUP_COPY_AWS_SECRET_ACCESS_KEY go together"));
  variables["BACKUP_COPY_AWS_SECRET_ACCESS_KEY"] = "secret";
  variables["BACKUP_OBJECT_LOCK"] = "1 month";
  EXPECT_THAT(error_of_variables(), HasSubstr("it is no span of days"));
}

TEST_F(BackupOf, VariablesMayBeInManyObjectsAndOfSeveralDatabases) {
  EXPECT_EQ(of_variables().policy->format, backup::Format::custom);
  variables["BACKUP_FORMAT"] = "directory";
  EXPECT_EQ(of_variables().policy->jobs, backup::default_jobs);
  variables["BACKUP_JOBS"] = "4";
  EXPECT_EQ(of_variables().policy->format, backup::Format::directory);
  EXPECT_EQ(of_variables().policy->jobs, 4U);
  EXPECT_FALSE(of_variables().several);
  variables["BACKUP_DATABASES"] = "shop, crm_*";
  EXPECT_THAT(of_variables().several->names, ElementsAre("shop", "crm_*"));
  EXPECT_EQ(of_variables().policy->name, "") << "what was backed up before goes on where it is";
  for (const char* jobs : {"0", "33", "4x", "-1"}) {
    variables["BACKUP_JOBS"] = jobs;
    EXPECT_THAT(error_of_variables(), HasSubstr("so many tables cannot be dumped at once")) << jobs;
  }
  variables["BACKUP_FORMAT"] = "custom";
  EXPECT_THAT(error_of_variables(), HasSubstr("the custom format is one stream"));
  variables["BACKUP_FORMAT"] = "tar";
  EXPECT_THAT(error_of_variables(), HasSubstr("there is no such format"));
  variables["BACKUP_JOBS"] = variables["BACKUP_FORMAT"] = "";
  variables["DATABASE_URL"] = "sqlite:///app.db";
  EXPECT_THAT(error_of_variables(), HasSubstr("an SQLite file is one database"));
  variables["BACKUP_DATABASES"] = "";
  variables["BACKUP_FORMAT"] = "directory";
  EXPECT_THAT(error_of_variables(), HasSubstr("an SQLite file is dumped as one"));
}

TEST_F(BackupOf, VariablesNamesWhatIsMissingAndEachMistake) {
  variables["BACKUP_BUCKET"] = "";
  EXPECT_THAT(of_variables().needs, ElementsAre("BACKUP_BUCKET"));
  variables["BACKUP_BUCKET"] = folder + "/cold_storage/backups";
  EXPECT_THAT(error_of_variables(), HasSubstr("the archive")) << "neither eats the other";
  variables["BACKUP_BUCKET"] = "acme";
  variables["BACKUP_KEEP"] = "hourly 3";
  EXPECT_THAT(error_of_variables(), HasSubstr("BACKUP_KEEP: \"hourly 3\""));
  variables["BACKUP_KEEP"] = "daily 3";
  variables["BACKUP_PROOF"] = "now and then";
  EXPECT_THAT(error_of_variables(), HasSubstr("BACKUP_PROOF"));
}

constexpr const char* head =
    "databases: {app: postgresql://db/shop, log: postgresql://db/log}\nstores: {backups: s3://acme}\n";

TEST_F(BackupOf, AFileIsAsItIsWritten) {
  const Settings settings = read_text(std::string(head) +
                                      "backup:\n"
                                      "  nightly: {database: app, store: backups, compress: 9, globals: false,\n"
                                      "            proof: {every: 3 days, depth: bytes, largest: 2 GiB},\n"
                                      "            keep: {daily: 14, within: 7 days}, identity: key.txt}\n"
                                      "  second: {database: log, store: backups, name: other, enabled: false}\n");
  EXPECT_THAT(hints_and_messages(), IsEmpty());
  ASSERT_EQ(settings.backup.size(), 2U);
  const backup::Policy& policy = *settings.backup[0].policy;
  EXPECT_EQ(policy.name, "shop");
  EXPECT_EQ(policy.level, 9);
  EXPECT_FALSE(policy.globals);
  EXPECT_EQ(policy.proof->depth, backup::Depth::bytes);
  EXPECT_EQ(policy.proof->largest, Bytes{std::uint64_t{2} << 30});
  EXPECT_EQ(text_of(policy.keep), "daily 14, within 7 days");
  EXPECT_EQ(policy.identity, folder + "/key.txt");
  EXPECT_EQ(settings.backup[1].policy->name, "other");
  EXPECT_NE(settings.backup[1].off_by, "");
}

TEST_F(BackupOf, AFileMayBeInManyObjectsAndOfSeveralDatabases) {
  const std::string two =
      "databases: {app: postgresql://db/shop, file: sqlite:///a.db}\nstores: {backups: s3://acme}\n";
  const Settings settings = read_text(two +
                                      "backup:\n"
                                      "  nightly: {database: app, store: backups, databases: all, except: tmp_*,\n"
                                      "            format: directory, jobs: 8}\n"
                                      "  named: {database: app, store: backups, databases: [a, b_*], name: some}\n");
  EXPECT_THAT(hints_and_messages(), IsEmpty());
  ASSERT_EQ(settings.backup.size(), 2U);
  EXPECT_THAT(settings.backup[0].several->names, ElementsAre("all"));
  EXPECT_THAT(settings.backup[0].several->except, ElementsAre("tmp_*"));
  EXPECT_EQ(settings.backup[0].policy->name, "nightly");
  EXPECT_EQ(settings.backup[0].policy->format, backup::Format::directory);
  EXPECT_EQ(settings.backup[0].policy->jobs, 8U);
  EXPECT_THAT(settings.backup[1].several->names, ElementsAre("a", "b_*"));
  EXPECT_EQ(settings.backup[1].policy->name, "some");
  read_text(two +
            "backup:\n"
            "  a: {database: app, store: backups, jobs: 2, except: x}\n"
            "  b: {database: app, store: backups, name: b, format: directory, jobs: 90}\n"
            "  c: {database: file, store: backups, format: directory, databases: all}\n");
  EXPECT_THAT(hints_and_messages(),
              ElementsAre(HasSubstr("jobs is for format: directory"), HasSubstr("except is for databases"),
                          HasSubstr("90 tables cannot be dumped at once"), HasSubstr("an SQLite file is dumped as one"),
                          HasSubstr("an SQLite file is one database")));
}

TEST_F(BackupOf, AFileTellsEachMistakeWithWhatToWrite) {
  read_text(std::string(head) +
            "backup:\n"
            "  one: {database: ap, store: backups}\n"
            "  two: {database: app, store: backups, compress: 40, encrypt: [AGE-SECRET-KEY-1QQQ]}\n"
            "  three: {database: app, store: backups}\n"
            "  four: {database: log, store: backups, name: a/b, keep: {}}\n");
  EXPECT_THAT(hints_and_messages(),
              ElementsAre(HasSubstr("there is no database \"ap\""), HasSubstr("zstd has no level 40"),
                          HasSubstr("that is a secret key"), HasSubstr("another policy has the folder shop"),
                          HasSubstr("\"a/b\" cannot be"), HasSubstr("keep keeps nothing")));
  for (const std::string& line : hints_and_messages()) EXPECT_EQ(line.find("QQQ"), std::string::npos);
}

TEST_F(BackupOf, AFileHasASecondStore) {
  const std::string stores =
      "databases: {app: postgresql://db/shop}\n"
      "stores: {backups: {url: s3://acme, max_parts: 1000}, offsite: {url: s3://far, access_key: k, secret_key: s}}\n";
  const Settings settings = read_text(stores +
                                      "backup:\n"
                                      "  app: {database: app, store: backups, object_lock: 14 days,\n"
                                      "        copy_to: {store: offsite, keep: {last: 3}, object_lock: 2 days}}\n");
  EXPECT_THAT(hints_and_messages(), IsEmpty());
  const backup::Policy& policy = *settings.backup.at(0).policy;
  EXPECT_EQ(policy.store.s3.most_parts, 1000U);
  EXPECT_EQ(policy.locked, std::chrono::days{14});
  ASSERT_TRUE(policy.copy);
  EXPECT_EQ(policy.copy->store.s3.access_key, "k");
  EXPECT_EQ(text_of(policy.copy->keep), "last 3");
  EXPECT_EQ(policy.copy->locked, std::chrono::days{2});

  read_text(
      "databases: {app: postgresql://db/shop}\nstores: {backups: {url: s3://acme, max_parts: 7}}\n"
      "backup:\n"
      "  app: {database: app, store: backups, object_lock: 1 month, copy_to: {store: backups}}\n");
  EXPECT_THAT(hints_and_messages(), ElementsAre(HasSubstr("an upload cannot be limited to 7 parts"),
                                                HasSubstr("\"1 month\" is no span of time of a fixed length"),
                                                HasSubstr("another policy has the folder shop")));
}

}  // namespace
}  // namespace steward::app
