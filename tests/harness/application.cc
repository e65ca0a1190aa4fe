#include "harness/application.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/instant.h"
#include "core/random.h"
#include "core/text.h"
#include "io/object/s3_test_support.h"

extern char** environ;

namespace steward::harness {
namespace {

namespace fs = std::filesystem;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value != '\0') return value;
  ADD_FAILURE() << name << " is not set: no server here. ./dev test starts what the tests need.";
  return "postgresql://nobody@127.0.0.1:9/none";
}

/// Also of a file that a child writes to: its place there is the child's, and stays.
std::string read_all(int fd) {
  std::string text;
  std::array<char, 1 << 16> buffer{};
  for (ssize_t n; (n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  return text;
}

/// An unnamed file for what a child prints.
int spool() {
  std::string name = "/tmp/steward-test-output-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  ::unlink(name.c_str());
  return fd;
}

template <class T>
T must(Result<T> result, const std::string& what) {
  if (!result) ADD_FAILURE() << what << ": " << result.error().message;
  return result ? *std::move(result) : T{};
}

/// A URL's database replaced by another.
std::string with_database(const std::string& url, const std::string& database) {
  const std::size_t path = url.find('/', url.find("://") + 3);
  const std::size_t query = url.find('?', path);
  return url.substr(0, path + 1) + database + (query == std::string::npos ? "" : url.substr(query));
}

std::vector<std::string> statements_in(const std::string& text) {
  std::vector<std::string> statements;
  for (const std::string& statement : split(text, ';'))
    if (!trim(statement).empty()) statements.push_back(statement);
  return statements;
}

}  // namespace

nlohmann::json Answer::json() const {
  auto document = nlohmann::json::parse(out, nullptr, false);
  EXPECT_FALSE(document.is_discarded()) << "not one JSON document: " << out << "\nstandard error: " << err;
  return document.is_discarded() ? nlohmann::json::object() : document;
}

void await(const std::function<bool()>& condition, const std::string& what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "never: " << what;
    std::this_thread::yield();
  }
}

namespace {

/// Starts it with its streams at these files.
pid_t start_program(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                    const std::string& directory, int out, int err) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + '=' + value);
  std::vector<char*> arguments, settings;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& variable : variables) settings.push_back(const_cast<char*>(variable.c_str()));
  arguments.push_back(nullptr);
  settings.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const int none = ::open("/dev/null", O_RDONLY);
    ::dup2(none, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    if (::chdir(directory.c_str()) == 0) ::execvpe(arguments[0], arguments.data(), settings.data());
    ::_exit(127);
  }
  return child;
}

int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Started::Started(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                 const std::string& directory)
    : out_(spool()), err_(spool()), child_(start_program(words, environment, directory, out_, err_)) {}

Started::~Started() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    (void)wait();
  }
  ::close(out_);
  ::close(err_);
}

std::string Started::said() const { return read_all(out_); }

Answer Started::wait() {
  int status = 0;
  rusage used{};
  ::wait4(child_, &status, 0, &used);
  child_ = -1;
  return {.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
          .out = read_all(out_),
          .err = read_all(err_),
          .peak = Bytes{static_cast<std::uint64_t>(used.ru_maxrss) * 1024}};
}

Answer run_program(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                   const std::string& directory) {
  return Started(words, environment, directory).wait();
}

std::string steward_binary() {
  if (const char* named = std::getenv("STEWARD_TEST_BINARY"); named != nullptr) return named;
  return (fs::read_symlink("/proc/self/exe").parent_path() / "steward").string();
}

std::string days_ago(double days) {
  return format_instant(std::chrono::floor<std::chrono::seconds>(
      SystemClock().now() - std::chrono::microseconds(static_cast<std::int64_t>(days * 86'400e6))));
}

Application::Application(DatabaseKind database, BucketKind bucket) : database_(database), bucket_(bucket) {
  root_ = "/tmp/steward-test-" + random_hex(6);
  for (const char* folder : {"media", "logs", "bucket"}) fs::create_directories(path(folder));
  environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", root_},
                 {"MEDIA_ROOT", "media"},   {"COLD_STORAGE_PATH", "cold"},
                 {"LOG_DIR", "logs"},       {"STEWARD_STATE_DIR", path("state")},
                 {"STEWARD_LISTEN", "off"}, {"AWS_EC2_METADATA_DISABLED", "true"}};
  // For a program that is built with AddressSanitizer: another library may be preloaded (faketime).
  const char* options = std::getenv("ASAN_OPTIONS");
  environment["ASAN_OPTIONS"] = std::string(options != nullptr ? options : "") + ":verify_asan_link_order=0";
  make_database();
  make_bucket();
}

Application::~Application() {
  db_.reset();
  if (admin_) (void)admin_->execute("drop database \"" + database_name_ + "\" with (force)");
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void Application::make_database() {
  if (database_ == DatabaseKind::sqlite) {
    environment["DATABASE_URL"] = "sqlite:///app.db";
    db_ = must(sql::connect({.url = "sqlite:///" + path("app.db"), .create = true}), "SQLite");
    sql("create table mockups (id integer primary key, idea_id integer, image_url text, created_at text);"
        "create table listings (id integer primary key, mockup_id integer references mockups(id));"
        "create table signals (id integer primary key, idea_id integer, timestamp text, engagement_rate real, details "
        "text, content_hash text);"
        "create table audit_logs (id integer primary key, username text, action text, details text, timestamp text)");
    return;
  }
  const std::string server = from_environment("STEWARD_TEST_POSTGRES");
  admin_ = must(sql::connect({.url = server}), "PostgreSQL");
  if (!admin_) return;
  database_name_ = "app_" + random_hex(6);
  (void)must(admin_->execute("create database " + database_name_), "create database");
  environment["DATABASE_URL"] = with_database(server, database_name_);
  db_ = must(sql::connect({.url = environment["DATABASE_URL"]}), "PostgreSQL");
  sql("create table mockups (id bigint primary key, idea_id bigint, image_url text, created_at timestamptz);"
      "create table listings (id bigint primary key, mockup_id bigint references mockups(id));"
      "create index on listings (mockup_id);"
      "create table signals (id bigint primary key, idea_id bigint, timestamp timestamptz, engagement_rate double "
      "precision, details jsonb, content_hash text);"
      "create index on signals (timestamp);"
      "create table audit_logs (id bigint primary key, username text, action text, details jsonb, timestamp "
      "timestamptz)");
}

void Application::reconnect() {
  if (admin_) admin_ = must(sql::connect({.url = from_environment("STEWARD_TEST_POSTGRES")}), "PostgreSQL");
  db_ = must(sql::connect({.url = environment["DATABASE_URL"]}), "the database");
}

void Application::make_bucket() {
  if (bucket_ == BucketKind::folder) {
    bucket_name_ = "file://" + path("bucket");
    environment["S3_BUCKET"] = bucket_name_;
    store_ = must(object::open({.url = bucket_name_}), "the bucket");
    return;
  }
  const object::StoreTarget target = object::new_bucket("STEWARD_TEST_S3_VERSITY");
  bucket_name_ = target.url;
  environment["S3_BUCKET"] = bucket_name_;
  environment["AWS_ENDPOINT_URL"] = target.s3.endpoint;
  environment["AWS_ACCESS_KEY_ID"] = target.s3.access_key;
  environment["AWS_SECRET_ACCESS_KEY"] = target.s3.secret_key.reveal();
  store_ = must(object::open(target), "the bucket");
}

Answer Application::steward(std::vector<std::string> words) const {
  words.insert(words.begin(), steward_binary());
  return run_program(words, environment, root_);
}

pid_t Application::start_steward(std::vector<std::string> words) const {
  words.insert(words.begin(), steward_binary());
  const int out = spool();
  const pid_t child = start_program(words, environment, root_, out, out);
  ::close(out);
  return child;
}

int Application::wait_for(pid_t child) { return exit_code_of(child); }

std::unique_ptr<Started> Application::start(std::vector<std::string> words,
                                            const std::map<std::string, std::string>& different) const {
  words.insert(words.begin(), steward_binary());
  std::map<std::string, std::string> all = environment;
  for (const auto& [name, value] : different) all[name] = value;
  return std::make_unique<Started>(words, all, root_);
}

nlohmann::json Application::run_cleanup(std::vector<std::string> more) const {
  more.insert(more.begin(), {"run", "cleanup", "--json"});
  return steward(more).json();
}

nlohmann::json Application::plan_cleanup(std::vector<std::string> more) const {
  more.insert(more.begin(), {"plan", "cleanup", "--json"});
  return steward(more).json();
}

void Application::sql(const std::string& statements) {
  ASSERT_TRUE(db_);
  for (const std::string& statement : statements_in(statements)) {
    const auto done = db_->query(statement);
    ASSERT_TRUE(done) << statement << ": " << done.error().message;
  }
}

std::string Application::value(const std::string& query) {
  const auto rows = db_->query(query);
  EXPECT_TRUE(rows) << query << ": " << (rows ? "" : rows.error().message);
  if (!rows || rows->rows.empty()) return "(no row)";
  return sql::is_null(rows->rows[0][0]) ? "NULL" : sql::to_text(rows->rows[0][0]);
}

void Application::file(const std::string& relative, std::string_view content, double days_old) {
  const std::string whole = path(relative);
  fs::create_directories(fs::path(whole).parent_path());
  std::ofstream(whole, std::ios::binary) << content;
  const auto then = SystemClock().now() - std::chrono::microseconds(static_cast<std::int64_t>(days_old * 86'400e6));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(then);
  const std::array<timespec, 2> times{timespec{seconds.time_since_epoch().count(), (then - seconds).count() * 1000},
                                      timespec{seconds.time_since_epoch().count(), (then - seconds).count() * 1000}};
  ::utimensat(AT_FDCWD, whole.c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
}

bool Application::exists(const std::string& relative) const { return fs::exists(fs::symlink_status(path(relative))); }

std::string Application::content(const std::string& relative) const {
  std::ostringstream text;
  text << std::ifstream(path(relative), std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::string> Application::files(const std::string& relative) const {
  std::vector<std::string> found;
  if (!fs::exists(path(relative))) return found;
  for (const auto& entry : fs::recursive_directory_iterator(path(relative)))
    if (entry.is_regular_file()) found.push_back(fs::relative(entry.path(), path(relative)).string());
  std::ranges::sort(found);
  return found;
}

void Application::object(const std::string& key, std::string_view content, double days_old) {
  if (bucket_ == BucketKind::folder) return file("bucket/" + key, content, days_old);
  StringSource source(content);
  (void)must(store_->put(key, source, {.size = Bytes{content.size()}}), "put " + key);
  const std::string data = from_environment("STEWARD_TEST_S3_VERSITY_DATA") + '/' + bucket_name_.substr(5) + '/' + key;
  const auto then = std::chrono::floor<std::chrono::seconds>(SystemClock().now()) -
                    std::chrono::seconds(static_cast<std::int64_t>(days_old * 86'400));
  const std::array<timespec, 2> times{timespec{then.time_since_epoch().count(), 0},
                                      timespec{then.time_since_epoch().count(), 0}};
  EXPECT_EQ(::utimensat(AT_FDCWD, data.c_str(), times.data(), 0), 0) << data;
}

std::vector<std::string> Application::objects() {
  std::vector<std::string> keys;
  (void)store_->list("", [&](const object::ObjectInfo& info) -> Result<bool> {
    keys.push_back(info.key);
    return true;
  });
  std::ranges::sort(keys);
  return keys;
}

void Application::mockup(int id, const std::string& image_url, double days_old, std::optional<std::string> content) {
  const std::string url = image_url.empty() ? "NULL" : fmt::format("'{}'", image_url);
  sql(fmt::format("insert into mockups values ({}, {}, {}, '{}')", id, id * 7, url, days_ago(days_old)));
  if (content && !image_url.empty()) file("media/" + image_url, *content);
}

nlohmann::json task(const nlohmann::json& document, std::string_view name) {
  if (document.contains("tasks"))
    for (const auto& entry : document["tasks"])
      if (entry.value("task", "") == name) return entry;
  ADD_FAILURE() << "no task " << name << " in " << document.dump(1);
  return nlohmann::json::object();
}

std::int64_t skipped(const nlohmann::json& task, std::string_view reason) {
  std::int64_t items = 0;
  if (task.contains("skipped"))
    for (const auto& skip : task["skipped"])
      if (skip.value("reason", "") == reason) items += skip.value("items", 0);
  return items;
}

}  // namespace steward::harness
