/// For tests: a database of the test's own, on a real server or in a real file, gone when the test ends.
///
/// PostgreSQL is the server that STEWARD_TEST_POSTGRES names by a superuser's URL; `tests/servers/postgres.sh start
/// DIR` starts one and writes that variable to DIR/env. Where there is none, the test fails: it does not skip.
#pragma once
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>

#include "io/sql/connection.h"

namespace steward::sql {

class TestDatabase {
 public:
  /// Fails the test, and gives null, where it cannot be made.
  static std::unique_ptr<TestDatabase> make(Dialect dialect, const std::string& create_options = {}) {
    std::unique_ptr<TestDatabase> out(new TestDatabase(dialect));
    const Result<void> made = dialect == Dialect::sqlite ? out->make_file() : out->make_database(create_options);
    if (made) return out;
    ADD_FAILURE() << made.error().message << "\n" << made.error().hint;
    return nullptr;
  }
  ~TestDatabase() {
    if (server_) (void)server_->execute("drop database " + name_ + " with (force)");
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  Dialect dialect() const { return dialect_; }
  const std::string& url() const { return url_; }
  /// SQLite: the file.
  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// PostgreSQL: the database's name, and a superuser's connection to another database of its server.
  const std::string& name() const { return name_; }
  Connection& server() const { return *server_; }
  /// The URL with another login: "user:password".
  std::string url_as(const std::string& login) const {
    std::string out = url_;
    const std::size_t begin = out.find("://") + 3;
    return out.replace(begin, out.find('@') - begin, login);
  }

  /// A connection to it; fails the test, and gives null, where there is none. `target.url` is filled in.
  std::unique_ptr<Connection> connect(Target target = {}) const {
    if (target.url.empty()) target.url = url_;
    Result<std::unique_ptr<Connection>> connection = sql::connect(target);
    if (connection) return std::move(*connection);
    ADD_FAILURE() << connection.error().message;
    return nullptr;
  }

 private:
  explicit TestDatabase(Dialect dialect) : dialect_(dialect) {}

  Result<void> make_file() {
    std::string pattern = std::filesystem::temp_directory_path() / "steward-sql-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) return fail(Kind::unavailable, "cannot make a temporary folder");
    folder_ = pattern;
    path_ = folder_ / "app.db";
    std::ofstream(path_).close();  // an empty file is an empty database
    url_ = "sqlite:///" + path_.string();
    return {};
  }

  Result<void> make_database(const std::string& options) {
    const char* server = std::getenv("STEWARD_TEST_POSTGRES");
    if (server == nullptr || *server == '\0')
      return fail(Kind::bad_input, "no PostgreSQL here: ./dev test starts one; run through it, or start one with",
                  "tests/servers/postgres.sh start /tmp/pg && . /tmp/pg/env");
    auto connection = TRY(sql::connect({.url = server}));
    name_ = fmt::format("steward_test_{}_{:08x}", getpid(), std::random_device{}());
    TRY(connection->execute(fmt::format("create database {} {}", name_, options)));
    server_ = std::move(connection);
    url_ = fmt::format("{}{}dbname={}", server, std::string_view(server).contains('?') ? '&' : '?', name_);
    return {};
  }

  Dialect dialect_;
  std::string url_{}, name_{};
  std::filesystem::path folder_{}, path_{};
  std::unique_ptr<Connection> server_{};
};

}  // namespace steward::sql
