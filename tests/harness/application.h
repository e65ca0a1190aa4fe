/// An application for tests: a real database (SQLite or PostgreSQL), image files, log files and a bucket (a folder or
/// S3), all its own, and the real program run upon it with variables alone.
#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "io/object/store.h"
#include "io/sql/connection.h"

namespace steward::harness {

/// What a process said.
struct Answer {
  int exit_code = -1;  ///< 128 + signal where it was killed.
  std::string out{}, err{};
  Bytes peak{};                 ///< Of its memory (ru_maxrss).
  nlohmann::json json() const;  ///< `out`, parsed; a failed test where it is not exactly one document.
};

/// Waits for a condition, asked again and again; a failed test where it does not come within a minute.
void await(const std::function<bool()>& condition, const std::string& what);

/// A program under way, with this environment and no other, in `directory`. Killed at the end if nobody has waited.
class Started {
 public:
  Started(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
          const std::string& directory);
  ~Started();
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  pid_t pid() const { return child_; }
  /// What it has said up to now on standard output.
  std::string said() const;
  /// Its end; once.
  Answer wait();

 private:
  int out_, err_;
  pid_t child_;
};

/// Runs a program to its end, with this environment and no other, in `directory`.
Answer run_program(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                   const std::string& directory);

/// The steward that was built: STEWARD_TEST_BINARY, or `steward` beside the test program.
std::string steward_binary();

enum class DatabaseKind { sqlite, postgres };
inline void PrintTo(DatabaseKind kind, std::ostream* out) {
  *out << (kind == DatabaseKind::sqlite ? "sqlite" : "postgres");
}
enum class BucketKind { folder, versity };

/// Days before now, as RFC 3339.
std::string days_ago(double days);

class Application {
 public:
  explicit Application(DatabaseKind database = DatabaseKind::sqlite, BucketKind bucket = BucketKind::folder);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  const std::string& root() const { return root_; }
  std::string path(std::string_view relative) const { return root_ + "/" + std::string(relative); }
  /// What `steward` is given. Change it freely.
  std::map<std::string, std::string> environment{};

  /// Runs the program in the application's folder.
  Answer steward(std::vector<std::string> words) const;
  /// Starts the program and does not wait for it; `wait_for` gives its exit code, 128 + signal where it was killed.
  pid_t start_steward(std::vector<std::string> words) const;
  static int wait_for(pid_t child);
  /// The same with what it says. `different` replaces or adds variables for this one alone.
  std::unique_ptr<Started> start(std::vector<std::string> words,
                                 const std::map<std::string, std::string>& different = {}) const;
  /// `run cleanup --json`, parsed; whatever the exit code.
  nlohmann::json run_cleanup(std::vector<std::string> more = {}) const;
  nlohmann::json plan_cleanup(std::vector<std::string> more = {}) const;

  /// After the database's server was restarted.
  void reconnect();
  sql::Connection& db() { return *db_; }
  DatabaseKind database_kind() const { return database_; }
  BucketKind bucket_kind() const { return bucket_; }
  /// One statement, or several with semicolons; a failed test where the database refuses it.
  void sql(const std::string& statements);
  /// The first value of the first row, as text; "NULL".
  std::string value(const std::string& query);
  std::int64_t count(const std::string& table) { return std::stoll(value("select count(*) from " + table)); }

  /// Writes a file below the application's folder, with its parents.
  void file(const std::string& relative, std::string_view content, double days_old = 0);
  bool exists(const std::string& relative) const;
  std::string content(const std::string& relative) const;  ///< Empty where it is absent.
  /// All regular files below a folder, relative to it, sorted.
  std::vector<std::string> files(const std::string& relative) const;

  /// An object in the bucket, of that age (versitygw: through the file's mtime).
  void object(const std::string& key, std::string_view content, double days_old = 0);
  std::vector<std::string> objects();
  object::Store& bucket() { return *store_; }
  const std::string& bucket_name() const { return bucket_name_; }

  /// A row of `mockups` with a file of that content below media/.
  void mockup(int id, const std::string& image_url, double days_old, std::optional<std::string> content = "pixels");

 private:
  void make_database();
  void make_bucket();
  DatabaseKind database_;
  BucketKind bucket_;
  std::string root_{}, database_name_{}, bucket_name_{};
  std::unique_ptr<sql::Connection> admin_{}, db_{};
  std::unique_ptr<object::Store> store_{};
};

/// The entry of one task in the document of plan or run.
nlohmann::json task(const nlohmann::json& document, std::string_view name);
/// How many items a task's `skipped` has for a reason; 0 where it has none.
std::int64_t skipped(const nlohmann::json& task, std::string_view reason);

}  // namespace steward::harness
