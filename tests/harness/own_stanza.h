/// A PostgreSQL of the test's own whose write-ahead log a real pgBackRest archives, and an application in it.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "harness/application.h"
#include "harness/own_server.h"
#include "io/object/s3_test_support.h"

namespace steward::harness {

/// The stanza `app`. Small files go into bundles, or each would be an fsync.
struct OwnStanza {
  OwnServer server;
  std::string folder = server.folder + "/pgbackrest", config = folder + "/pgbackrest.conf",
              repository = folder + "/repo";
  std::unique_ptr<Application> app{};
  std::string place = "repo1-path=" + repository;  ///< Of the repository, in pgBackRest's own file.

  /// `on_s3`: in a bucket, over TLS, which is all that pgBackRest speaks there.
  explicit OwnStanza(bool on_s3 = false) {
    for (const char* name : {"", "/repo", "/log", "/lock", "/spool"})
      std::filesystem::create_directories(folder + name);
    if (on_s3) place = in_a_bucket();
    configure("");
    postgres("chown -R postgres: " + folder, /*as_root=*/true);
    std::ofstream(server.folder + "/data/postgresql.auto.conf", std::ios::app)
        << "archive_mode = on\narchive_command = 'pgbackrest --config=" << config << " --stanza=app archive-push %p'\n";
    server.restart("");
    postgres("pgbackrest --config=" + config + " --stanza=app stanza-create");
    app = std::make_unique<Application>(DatabaseKind::postgres);
    app->environment["STEWARD_CONFIG"] = "steward.yaml";
    app->environment["TMPDIR"] = "/var/tmp";
    policy("");
  }

  /// pgBackRest's own file, with more lines in its first section.
  void configure(const std::string& more) const {
    std::ifstream of(server.folder + "/data/postgresql.auto.conf");
    std::string port;
    for (std::string line; std::getline(of, line);)
      if (line.starts_with("port = ")) port = line.substr(std::string("port = ").size());
    std::erase(port, '\'');  // the server itself writes it so
    std::ofstream(config) << "[global]\nrepo1-path=" << repository
                          << "\nrepo1-bundle=y\nstart-fast=y\nlog-path=" << folder << "/log\nlock-path=" << folder
                          << "/lock\nspool-path=" << folder << "/spool\n"
                          << more << "\n[app]\npg1-path=" << server.folder << "/data\npg1-port=" << port
                          << "\npg1-socket-path=" << server.folder << "/socket\n";
  }

  /// A bucket of its own on the tests' server, and how pgBackRest reaches it.
  std::string in_a_bucket() const {
    object::StoreTarget bucket = object::target_on("STEWARD_TEST_S3_TLS", "s3://" + object::random_bucket());
    bucket.s3.ca_file = object::from_environment("STEWARD_TEST_S3_TLS_CA");
    object::ask(bucket, {.method = "PUT"});
    const std::string port = bucket.s3.endpoint.substr(bucket.s3.endpoint.rfind(':') + 1);
    std::filesystem::copy_file(bucket.s3.ca_file, folder + "/ca.pem");
    return "repo1-type=s3\nrepo1-path=/repo\nrepo1-s3-uri-style=path\nrepo1-s3-region=us-east-1\nrepo1-s3-bucket=" +
           bucket.url.substr(std::string("s3://").size()) +
           "\nrepo1-s3-endpoint=localhost\nrepo1-storage-port=" + port + "\nrepo1-s3-key=" + bucket.s3.access_key +
           "\nrepo1-s3-key-secret=" + bucket.s3.secret_key.reveal() + "\nrepo1-storage-ca-file=" + folder + "/ca.pem";
  }

  /// The policy `app`, with more keys: ", proof: {every: 7 days}".
  void policy(const std::string& more, const std::string& database = ", database: app") const {
    app->file("steward.yaml",
              "databases: {app: \"${DATABASE_URL}\"}\nbackup:\n  app: {engine: pgbackrest, stanza: app, "
              "config: " +
                  config + database + more + "}\n");
  }

  /// A command of a shell as the user that PostgreSQL runs as; a failed test where it fails.
  static void postgres(const std::string& command, bool as_root = false) {
    const std::string as = "setpriv --reuid postgres --regid postgres --init-groups -- ";
    const std::string words = "cd / && " + (as_root || ::geteuid() != 0 ? "" : as) + command + " > /dev/null";
    EXPECT_EQ(std::system(words.c_str()), 0) << words;
  }

  Answer run(const std::string& task = "") const {
    return app->steward({"run", "backup" + (task.empty() ? "" : "/" + task), "--json"});
  }
  nlohmann::json plan(const std::string& name) const {
    return task(app->steward({"plan", "backup", "--json"}).json(), name);
  }
  nlohmann::json list() const { return app->steward({"backup", "list", "--json"}).json()["backups"]; }
  /// The first value that the cluster answers, of its superuser.
  std::string value(const std::string& query) const { return app->value(query); }
};

inline std::string notes_of(const nlohmann::json& task) { return task.value("notes", nlohmann::json::array()).dump(); }

}  // namespace steward::harness
