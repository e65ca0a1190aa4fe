#include "jobs/backup/throwaway_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "core/text.h"
#include "core/url.h"
#include "io/files/folder.h"
#include "io/process/piped.h"

namespace steward::backup {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view folder_prefix = "steward-proof-";
constexpr int kinder = 10;
constexpr std::chrono::milliseconds look_every{50};
constexpr std::chrono::seconds longest_start{60};

/// What it needs no durability for, since it is thrown away; and room for as many locks as a restore of many tables
/// takes.
constexpr std::string_view configuration = R"(
listen_addresses = ''
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
autovacuum = off
max_connections = 20
max_locks_per_transaction = 1024
shared_buffers = 128MB
maintenance_work_mem = 128MB
logging_collector = off
)";

/// What keeps a cluster that was brought back to itself, whatever it was told to do where it came from. On the command
/// line: there it counts more than the cluster's own files.
constexpr std::array<std::string_view, 21> kept_to_itself{"listen_addresses=",
                                                          "port=5432",
                                                          "archive_mode=off",
                                                          "archive_command=",
                                                          "archive_library=",
                                                          "archive_cleanup_command=",
                                                          "recovery_end_command=",
                                                          "primary_conninfo=",
                                                          "primary_slot_name=",
                                                          "synchronous_standby_names=",
                                                          "shared_preload_libraries=",
                                                          "session_preload_libraries=",
                                                          "local_preload_libraries=",
                                                          "ssl=off",
                                                          "hot_standby=off",
                                                          "fsync=off",
                                                          "autovacuum=off",
                                                          "logging_collector=off",
                                                          "log_destination=stderr",
                                                          "shared_buffers=128MB",
                                                          "huge_pages=off"};
/// Transactions that are prepared for a second phase come back, too.
constexpr std::string_view prepared_transactions = "max_prepared_transactions=10000";
constexpr int first_with_archive_library = 15;

std::unexpected<Error> cannot(std::string_view what) {
  return fail(Kind::unavailable, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

struct User {
  uid_t uid;
  gid_t gid;
  std::string name;
};

/// Whom it runs as; nothing: as this process does.
Result<std::optional<User>> server_user(const std::string& wanted = {}) {
  if (geteuid() != 0) return std::nullopt;
  for (const std::string& name : {wanted, std::string("postgres"), std::string("nobody")})
    if (const passwd* user = name.empty() ? nullptr : getpwnam(name.c_str()); user != nullptr)
      return User{user->pw_uid, user->pw_gid, name};
  return fail(Kind::not_found, "PostgreSQL does not run as root, and there is no user postgres or nobody");
}

/// As that user; ended by the kernel when this process is.
std::vector<std::string> as(const std::optional<User>& user, std::vector<std::string> arguments) {
  std::vector<std::string> out{"/usr/bin/setpriv", "--pdeathsig=QUIT"};
  if (user) {
    out.push_back("--reuid=" + user->name);
    out.push_back(fmt::format("--regid={}", user->gid));
    out.emplace_back("--init-groups");
  }
  out.emplace_back("--");
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

std::vector<std::string> environment() {
  const char* path = std::getenv("PATH");
  return {fmt::format("PATH={}", path == nullptr ? "/usr/bin:/bin" : path), "LC_ALL=C"};
}

/// Folders of those that were killed: nobody has their lock any more.
void remove_left_over(const std::string& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(folder_prefix)) continue;
    const files::Handle lock(open((entry.path() / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (lock.fd() < 0 || flock(lock.fd(), LOCK_EX | LOCK_NB) != 0) continue;
    fs::remove_all(entry.path(), ignored);
  }
}

/// The last line; where there is one, the last that says why it ended.
std::string end_of(const std::string& path) {
  std::ifstream file(path);
  std::string line, last, fatal;
  while (std::getline(file, line)) {
    if (line.contains("FATAL:") || line.contains("PANIC:")) fatal = line;
    if (!line.empty()) last = line;
  }
  return printable(fatal.empty() ? last : fatal);
}

}  // namespace

struct ThrowawayServer::State {
  std::string folder{};
  files::Handle lock{};
  pid_t pid = 0;
  std::string role = "postgres";

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (pid > 0) {
      kill(pid, SIGQUIT);  // at once: nothing of it is kept
      while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    std::error_code ignored;
    if (!folder.empty()) fs::remove_all(folder, ignored);
  }

  std::string data() const { return folder + "/data"; }

  Result<void> make_folder(const std::string& parent, const std::optional<User>& user) {
    std::string path = fmt::format("{}/{}XXXXXX", parent, folder_prefix);
    if (mkdtemp(path.data()) == nullptr) return cannot("make a folder in " + parent);
    folder = path;
    lock = files::Handle(open((folder + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (lock.fd() < 0 || flock(lock.fd(), LOCK_EX | LOCK_NB) != 0) return cannot("lock " + folder);
    if (user && chown(folder.c_str(), user->uid, user->gid) != 0) return cannot("give away " + folder);
    return {};
  }

  Result<void> make_cluster(const Clients& clients, const std::optional<User>& user) const {
    auto initdb = process::Piped::start(
        {.command = {.arguments = as(user, {clients.program("initdb"), "--pgdata=" + data(), "--username=postgres",
                                            "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"}),
                     .environment = environment(),
                     .directory = folder,
                     .nice = kinder}});
    if (!initdb) return std::unexpected(std::move(initdb).error());
    TRY(initdb->finish("make a cluster for the proof"));
    std::ofstream file(data() + "/postgresql.conf", std::ios::app);
    file << configuration << "unix_socket_directories = '" << folder << "'\n";
    file.close();
    return file ? Result<void>{} : cannot("write " + data() + "/postgresql.conf");
  }

  /// Its own files of settings and of who may come in stay where they are, and are not read.
  Result<std::vector<std::string>> settings_of(const GivenCluster& given, const Clients& clients) const {
    const std::string folder_of = folder + '/';
    std::ofstream(folder_of + "hba") << "local all all trust\n";
    std::ofstream(folder_of + "ident").close();
    std::ofstream(folder_of + "conf").close();
    for (const char* name : {"hba", "ident", "conf"})
      if (chmod((folder_of + name).c_str(), 0644) != 0) return cannot("write " + folder_of + name);
    std::vector<std::string> out{"config_file=" + folder_of + "conf", "hba_file=" + folder_of + "hba",
                                 "ident_file=" + folder_of + "ident", "external_pid_file=" + folder_of + "pid",
                                 "unix_socket_directories=" + folder};
    for (const std::string_view setting : kept_to_itself)
      if (clients.major >= first_with_archive_library || !setting.starts_with("archive_library"))
        out.emplace_back(setting);
    out.emplace_back(prepared_transactions);
    const std::vector<std::string> more = given.settings(data());
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  Result<void> make_data(const std::optional<User>& user) const {
    if (mkdir(data().c_str(), 0700) != 0) return cannot("make " + data());
    if (user && chown(data().c_str(), user->uid, user->gid) != 0) return cannot("give away " + data());
    return {};
  }

  Result<void> run(const Clients& clients, const std::optional<User>& user,
                   const std::vector<std::string>& settings = {}, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{clients.program("postgres"), "-D", data()}, variables = environment();
    for (const std::string& setting : settings) words.insert(words.end(), {"-c", setting});
    variables.insert(variables.end(), more.begin(), more.end());
    const files::Handle log(open((folder + "/log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    if (log.fd() < 0) return cannot("write " + folder + "/log");
    process::Command command{.arguments = as(user, std::move(words)),
                             .environment = std::move(variables),
                             .directory = folder,
                             .output = log.fd(),
                             .nice = kinder};
    pid = TRY(process::start(command));
    return {};
  }

  bool has_ended() {
    if (pid == 0 || waitpid(pid, nullptr, WNOHANG) != pid) return pid == 0;
    pid = 0;
    return true;
  }
};

ThrowawayServer::ThrowawayServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ThrowawayServer::ThrowawayServer(ThrowawayServer&&) noexcept = default;
ThrowawayServer& ThrowawayServer::operator=(ThrowawayServer&&) noexcept = default;
ThrowawayServer::~ThrowawayServer() = default;

std::string scratch_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder == '/' ? folder : "/var/tmp";
}

sql::Target ThrowawayServer::target(const std::string& database) const {
  return {.url = fmt::format("postgresql://{}@/{}?host={}", percent_encode(state_->role, false),
                             percent_encode(database, false), percent_encode(state_->folder, false)),
          .application = "steward backup proof"};
}

namespace {

Result<void> expect_room(const std::string& parent, Bytes room) {
  struct statvfs disk{};
  if (statvfs(parent.c_str(), &disk) != 0) return cannot("ask " + parent + " for its room");
  const Bytes left{static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize};
  if (left >= room) return {};
  return fail(Kind::unavailable,
              fmt::format("{} has {} left, and the proof may need {}", parent, format_bytes(left), format_bytes(room)),
              "Set TMPDIR to a folder with more room.");
}

}  // namespace

Result<void> ThrowawayServer::wait_for(const std::function<Result<void>()>& check,
                                       std::chrono::steady_clock::time_point give_up) const {
  while (!sql::connect(target("postgres"))) {
    TRY(check());
    if (state_->has_ended() || std::chrono::steady_clock::now() > give_up)
      return fail(Kind::unavailable,
                  fmt::format("the server for the proof did not start: {}", end_of(state_->folder + "/log")));
    std::this_thread::sleep_for(look_every);
  }
  return {};
}

Result<ThrowawayServer> ThrowawayServer::start(const Clients& clients, const std::string& parent, Bytes room,
                                               const std::function<Result<void>()>& check) {
  remove_left_over(parent);
  TRY(expect_room(parent, room));
  const auto user = TRY(server_user());
  auto state = std::make_unique<State>();
  TRY(state->make_folder(parent, user));
  TRY(state->make_cluster(clients, user));
  TRY(state->run(clients, user));
  ThrowawayServer server(std::move(state));
  TRY(server.wait_for(check, std::chrono::steady_clock::now() + longest_start));
  return server;
}

Result<ThrowawayServer> ThrowawayServer::start_on(const GivenCluster& given, const Clients& clients,
                                                  const std::string& parent, Bytes room,
                                                  const std::function<Result<void>()>& check) {
  remove_left_over(parent);
  TRY(expect_room(parent, room));
  const auto user = TRY(server_user(given.user));
  auto state = std::make_unique<State>();
  state->role = given.role;
  TRY(state->make_folder(parent, user));
  TRY(state->make_data(user));
  TRY(given.fill(state->data()));
  TRY(state->run(clients, user, TRY(state->settings_of(given, clients)), given.environment));
  ThrowawayServer server(std::move(state));
  TRY(server.wait_for(check, std::chrono::steady_clock::time_point::max()));
  return server;
}

Result<void> ThrowawayServer::create_database(const std::string& name, const std::string& encoding) const {
  const auto connection = TRY(sql::connect(target("postgres")));
  const std::string quoted = TRY(connection->quote_identifier(name));
  TRY(connection->execute(
      fmt::format("create database {} template template0 encoding '{}' locale 'C'", quoted, encoding)));
  return {};
}

}  // namespace steward::backup
