/// For tests of backups: an application whose database is backed up, and what two databases have in common.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/digest.h"
#include "harness/application.h"
#include "io/sql/test_database.h"

namespace steward::harness {

/// From its construction to its end the PostgreSQL of this process's tests is one of this major: Debian's 15, or 16 or
/// 18 (tests/servers/postgres_majors.sh).
class ServerOf {
 public:
  explicit ServerOf(int major) : major_(major), before_(variable("STEWARD_TEST_POSTGRES")) {
    if (major == debians) return;
    const std::string url = variable("STEWARD_TEST_POSTGRES_" + std::to_string(major));
    if (url.empty())
      ADD_FAILURE() << "no PostgreSQL " << major
                    << " here: tests/servers/postgres_majors.sh start DIR, then source DIR/env";
    ::setenv("STEWARD_TEST_POSTGRES", url.c_str(), 1);
  }
  ~ServerOf() { ::setenv("STEWARD_TEST_POSTGRES", before_.c_str(), 1); }
  ServerOf(const ServerOf&) = delete;
  ServerOf& operator=(const ServerOf&) = delete;
  int major() const { return major_; }
  /// The folder of a major's programs.
  static std::string programs(int major) {
    return major == debians ? "/usr/lib/postgresql/15/bin"
                            : variable("STEWARD_TEST_POSTGRES_" + std::to_string(major) + "_BIN");
  }

 private:
  static constexpr int debians = 15;
  static std::string variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? "" : value;
  }
  int major_;
  std::string before_;
};

enum class S3Make { versity, rgw };
inline void PrintTo(S3Make make, std::ostream* out) { *out << (make == S3Make::rgw ? "rgw" : "versity"); }

/// From its construction to its end the S3 server of this process's tests is of this make: what one server forgives,
/// another does not.
class S3Of {
 public:
  explicit S3Of(S3Make make) : make_(make), before_(variable("STEWARD_TEST_S3_VERSITY")) {
    if (make != S3Make::rgw) return;
    const std::string url = variable("STEWARD_TEST_S3_RGW");
    if (url.empty()) ADD_FAILURE() << "no RGW here: tests/servers/s3_rgw.sh start DIR, then source DIR/env";
    ::setenv("STEWARD_TEST_S3_VERSITY", url.c_str(), 1);
  }
  ~S3Of() { ::setenv("STEWARD_TEST_S3_VERSITY", before_.c_str(), 1); }
  S3Of(const S3Of&) = delete;
  S3Of& operator=(const S3Of&) = delete;
  S3Make make() const { return make_; }

 private:
  static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  }
  S3Make make_;
  std::string before_;
};
/// For tests that are the same on both.
struct OnEachS3 : testing::TestWithParam<S3Make> {
  S3Of server{GetParam()};
};
inline std::string name_of(const testing::TestParamInfo<S3Make>& make) {
  return make.param == S3Make::rgw ? "rgw" : "versity";
}
/// How a dump of PostgreSQL may lie in its store.
inline const std::vector<std::string> dump_formats{"custom", "directory"};

/// One of them, to be used.
struct DumpFormat {
  std::string name{};
};
inline DumpFormat in_format(const std::string& name) { return {name}; }

/// A manifest that a test has changed, with the hash that makes it whole.
inline std::string sealed(nlohmann::json manifest) {
  manifest.erase("sha256");
  manifest["sha256"] = sha256_hex(manifest.dump());
  return manifest.dump();
}

/// An application whose database is backed up, with variables alone.
class BackedUp {
 public:
  explicit BackedUp(const DumpFormat& format, BucketKind bucket = BucketKind::folder)
      : BackedUp(DatabaseKind::postgres, bucket) {
    app.environment["BACKUP_FORMAT"] = format.name;
  }
  explicit BackedUp(DatabaseKind database = DatabaseKind::postgres, BucketKind bucket = BucketKind::folder)
      : app(database, bucket) {
    app.environment["BACKUP_BUCKET"] =
        bucket == BucketKind::folder ? app.path("backups") : app.bucket_name() + "/backups";
    app.environment["TMPDIR"] = "/var/tmp";
  }

  Answer run(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"run", "backup", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return app.steward(words);
  }
  nlohmann::json list() const { return app.steward({"backup", "list", "--json"}).json()["backups"]; }
  Answer verify(const std::string& depth, const std::string& id = "latest") const {
    return app.steward({"backup", "verify", id, "--depth", depth, "--json"});
  }
  /// A new, empty database of the same kind, and its URL.
  std::string empty_database() {
    if (app.database_kind() == DatabaseKind::sqlite)
      return "sqlite:///" + app.path("restored-" + std::to_string(++made_) + ".db");
    others_.push_back(sql::TestDatabase::make(sql::Dialect::postgres));
    return others_.back()->url();
  }
  Answer restore(const std::string& to, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"backup", "restore", "latest", "--to", to, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return app.steward(words);
  }
  /// The database's URL, wherever it is looked at from.
  std::string url() const {
    return app.database_kind() == DatabaseKind::sqlite ? "sqlite:///" + app.path("app.db")
                                                       : app.environment.at("DATABASE_URL");
  }
  /// The files below the folder of backups.
  std::vector<std::string> files() const { return app.files("backups"); }

  Application app;

 private:
  int made_ = 0;
  std::vector<std::unique_ptr<sql::TestDatabase>> others_{};
};

/// All rows of a table as text, in an order of their own.
inline std::vector<std::string> rows_of(const std::string& url, const std::string& table) {
  std::vector<std::string> out;
  const auto connection = sql::connect({.url = url});
  if (!connection) {
    ADD_FAILURE() << connection.error().message;
    return out;
  }
  const auto rows = (*connection)->query("select * from " + table);
  if (!rows) {
    ADD_FAILURE() << rows.error().message;
    return out;
  }
  for (const sql::Row& row : rows->rows) {
    std::string text;
    for (const sql::Value& value : row) text += sql::to_text(value) + '|';
    out.push_back(std::move(text));
  }
  std::ranges::sort(out);
  return out;
}
}  // namespace steward::harness
