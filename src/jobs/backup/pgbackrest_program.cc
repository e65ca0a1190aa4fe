#include "jobs/backup/pgbackrest_program.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "core/text.h"
#include "io/process/piped.h"

// POSIX has programs declare it themselves.
extern char** environ;

namespace steward::backup {
namespace {

constexpr std::chrono::milliseconds check_every{500};
constexpr std::size_t most_of_a_version = 64;
/// The first that has annotations.
constexpr std::pair oldest{2, 41};
constexpr std::array<std::string_view, 4> levels{"DETAIL", "INFO", "WARN", "ERROR"};
/// How its errors are numbered: what option is missing or wrong, and that another has the lock.
constexpr int first_wrong_option = 27, last_wrong_option = 37, has_no_lock = 50;

/// On PATH, as an absolute path.
Result<std::string> on_path() {
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    std::string found = folder + "/pgbackrest";
    if (folder.starts_with('/') && access(found.c_str(), X_OK) == 0) return found;
  }
  return fail(Kind::not_found, "there is no program pgbackrest here, which makes these backups",
              "Install the package pgbackrest.");
}

/// Whom it runs as. A repository with files of root's would keep the server from archiving into it.
Result<std::string> user_for(const std::string& wanted) {
  const bool is_root = geteuid() == 0;
  std::string name = wanted.empty() && is_root ? "postgres" : wanted;
  if (name.empty()) return name;
  const passwd* user = getpwnam(name.c_str());
  if (user == nullptr)
    return fail(Kind::not_found, fmt::format("pgBackRest is to run as {}, and there is no such user", printable(name)),
                "Name the user that the database's server runs as: user.");
  if (user->pw_uid == geteuid()) return std::string{};
  if (is_root) return name;
  return fail(
      Kind::permission,
      fmt::format("pgBackRest is to run as {}, and this is uid {}, which may not become another user", name, geteuid()),
      fmt::format("Run steward as {} or as root, or leave out user.", name));
}

/// What of our environment concerns it: where programs and the home are, its own settings, and libpq's.
std::vector<std::string> environment_for(const std::string& user) {
  std::vector<std::string> out{"LC_ALL=C"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool is_its = text.starts_with("PGBACKREST_") || text.starts_with("PGPASSFILE=") ||
                        text.starts_with("PGSERVICEFILE=") || text.starts_with("PATH=") || text.starts_with("TZ=");
    if (is_its || (user.empty() && text.starts_with("HOME="))) out.emplace_back(text);
  }
  if (const passwd* home = user.empty() ? nullptr : getpwnam(user.c_str()); home != nullptr)
    out.push_back(fmt::format("HOME={}", home->pw_dir));
  return out;
}

/// Lines as they come, from the thread that reads them to the one that looks at them.
class Lines {
 public:
  void add(std::string line) {
    {
      const std::scoped_lock lock(mutex_);
      lines_.push_back(std::move(line));
    }
    changed_.notify_one();
  }
  void end() {
    {
      const std::scoped_lock lock(mutex_);
      has_ended_ = true;
    }
    changed_.notify_one();
  }
  /// All that have come, after a while at the latest. False: they were the last.
  bool take(std::vector<std::string>& out) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, check_every, [&] { return has_ended_ || !lines_.empty(); });
    out.assign(std::make_move_iterator(lines_.begin()), std::make_move_iterator(lines_.end()));
    lines_.clear();
    return !has_ended_;
  }

 private:
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<std::string> lines_{};
  bool has_ended_ = false;
};

void read_lines(Source& source, Lines& lines) {
  std::array<std::byte, 16384> buffer{};
  std::string rest;
  while (true) {
    const auto n = source.read(buffer);
    if (!n || *n == 0) break;
    rest.append(reinterpret_cast<const char*>(buffer.data()), *n);
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      lines.add(rest.substr(begin, end - begin));
      begin = end + 1;
    }
    rest.erase(0, begin);
  }
  if (!rest.empty()) lines.add(std::move(rest));
  lines.end();
}

/// Puts lines that go on with one before to it, and hands it over when the next begins.
class Joiner {
 public:
  explicit Joiner(const std::function<Result<void>(const LogLine&)>& take) : take_(take) {}
  Result<void> add(std::string_view text) {
    LogLine line = log_line(text);
    if (line.level.empty() && !line_.level.empty() && text.starts_with(' ')) {
      line_.text += "; " + line.text;
      return {};
    }
    TRY(flush());
    line_ = std::move(line);
    has_line_ = true;
    return {};
  }
  Result<void> flush() {
    if (!has_line_) return {};
    has_line_ = false;
    return take_(line_);
  }

 private:
  const std::function<Result<void>(const LogLine&)>& take_;
  LogLine line_{};
  bool has_line_ = false;
};

Kind kind_of_code(int code) {
  if (code == has_no_lock) return Kind::busy;
  return code >= first_wrong_option && code <= last_wrong_option ? Kind::bad_input : Kind::unavailable;
}

}  // namespace

LogLine log_line(std::string_view line) {
  // "P00   INFO: text": the process, then the level, set to the right.
  if (line.size() > 4 && line[0] == 'P' && line[3] == ' ')
    for (const std::string_view level : levels) {
      const std::string_view rest = trim(line.substr(4));
      if (rest.starts_with(level) && rest.substr(level.size()).starts_with(": "))
        return {.level = std::string(level), .text = printable(trim(rest.substr(level.size() + 2)))};
    }
  return {.text = printable(trim(line))};
}

Error error_said(std::string_view said, const std::string& act, const Error& otherwise) {
  constexpr std::string_view mark = "ERROR: [", hint_mark = "HINT: ";
  const std::size_t at = said.find(mark);
  if (at == std::string_view::npos) return otherwise;
  Error error{.kind = Kind::unavailable};
  int code = 0;
  std::string why;
  for (const std::string& line : split(said.substr(at), '\n')) {
    std::string_view text = trim(line);
    if (text.starts_with(mark)) {
      // One error alone is its last word; of several, the first is why.
      if (code != 0) continue;
      text.remove_prefix(mark.size());
      std::from_chars(text.data(), text.data() + text.size(), code);
      text = trim(text.substr(std::min(text.size(), text.find(':') + 1)));
      why = printable(text);
    } else if (text.starts_with(hint_mark)) {
      error.hint += (error.hint.empty() ? "" : " ") + printable(text.substr(hint_mark.size()));
    } else if (!text.empty()) {
      why += "; " + printable(text);
    }
  }
  error.kind = kind_of_code(code);
  error.message = fmt::format("pgBackRest cannot {}: {} (error {:03})", act, why, code);
  return error;
}

std::string shown(const PgBackRest& policy) { return "pgbackrest:" + policy.stanza; }

Result<PgBackRestProgram> PgBackRestProgram::find(const PgBackRest& policy) {
  PgBackRestProgram program;
  program.path_ = TRY(on_path());
  program.user_ = TRY(user_for(policy.user));
  program.environment_ = environment_for(program.user_);
  program.options_.push_back("--stanza=" + policy.stanza);
  if (!policy.config.empty()) program.options_.push_back("--config=" + policy.config);
  if (policy.repo > 0) program.options_.push_back(fmt::format("--repo={}", policy.repo));
  program.stop_ = policy.stop;
  TRY(program.learn_version());
  return program;
}

std::vector<std::string> PgBackRestProgram::as_user(std::vector<std::string> words) const {
  // It ends when this process does: a backup under way is gone on with by the next.
  std::vector<std::string> out{"/usr/bin/setpriv", "--pdeathsig=TERM"};
  if (!user_.empty()) {
    const passwd* user = getpwnam(user_.c_str());
    out.push_back("--reuid=" + user_);
    out.push_back(fmt::format("--regid={}", user == nullptr ? 0 : user->pw_gid));
    out.emplace_back("--init-groups");
  }
  out.emplace_back("--");
  out.insert(out.end(), std::make_move_iterator(words.begin()), std::make_move_iterator(words.end()));
  return out;
}

std::vector<std::string> PgBackRestProgram::words(std::string_view command, std::vector<std::string> options) const {
  std::vector<std::string> out{path_};
  for (const std::string& option : options_)
    if (command != "check" || !option.starts_with("--repo=")) out.push_back(option);  // it looks at all repositories
  out.insert(out.end(), std::make_move_iterator(options.begin()), std::make_move_iterator(options.end()));
  out.emplace_back(command);
  return out;
}

Result<void> PgBackRestProgram::learn_version() {
  auto program = process::Piped::start(
      {.command = {.arguments = as_user({path_, "version"}), .environment = environment_, .directory = "/"},
       .stop = stop_});
  if (!program) return std::unexpected(std::move(program).error());
  std::array<std::byte, most_of_a_version> text{};
  const std::size_t n = TRY(program->output().read(text));
  TRY(program->finish("ask pgBackRest for its version"));
  const std::string_view said = trim({reinterpret_cast<const char*>(text.data()), n});
  version_ = printable(said.substr(said.find_last_of(' ') + 1));
  int major = 0, minor = 0;
  const char* const end = version_.data() + version_.size();
  const char* const point = std::from_chars(version_.data(), end, major).ptr;
  if (point != end) std::from_chars(point + 1, end, minor);
  if (std::pair(major, minor) >= oldest) return {};
  return fail(Kind::not_found,
              fmt::format("pgBackRest {} is here, which cannot keep what is known of a backup", version_),
              fmt::format("Install {}.{} or a later one.", oldest.first, oldest.second));
}

Result<process::Piped> PgBackRestProgram::start(std::string_view command, std::vector<std::string> options,
                                                std::string_view told) const {
  options.push_back(fmt::format("--log-level-console={}", told));
  options.emplace_back("--log-level-stderr=error");
  options.emplace_back("--no-log-timestamp");
  return process::Piped::start({.command = {.arguments = as_user(words(command, std::move(options))),
                                            .environment = environment_,
                                            .directory = "/"},
                                .stop = stop_});
}

Result<std::string> PgBackRestProgram::ask(std::string_view command, std::vector<std::string> options,
                                           const std::string& act) const {
  std::string out;
  process::Piped program = TRY(start(command, std::move(options), "off"));
  std::array<std::byte, 16384> buffer{};
  for (std::size_t n = 1; n > 0; out.append(reinterpret_cast<const char*>(buffer.data()), n))
    n = TRY(program.output().read(buffer));
  const auto ended = program.finish(act);
  if (!ended && ended.error().kind == Kind::interrupted) return std::unexpected(ended.error());
  if (!ended) return std::unexpected(error_said(program.said(), act, ended.error()));
  return out;
}

Result<void> PgBackRestProgram::run(std::string_view command, std::vector<std::string> options, const std::string& act,
                                    const std::function<Result<void>(const LogLine&)>& take,
                                    const std::function<Result<void>()>& check) const {
  process::Piped program = TRY(start(command, std::move(options), "detail"));
  Lines lines;
  Joiner joiner(take);
  Result<void> ours{};
  {
    const std::jthread reader([&] { read_lines(program.output(), lines); });
    std::vector<std::string> some;
    for (bool more = true; more;) {
      more = lines.take(some);
      for (const std::string& line : some)
        if (ours) ours = joiner.add(line);
      if (ours) ours = check();
      // Told to end, it gives back its lock and its session in the server.
      if (!ours) program.stop();
    }
  }
  if (ours) ours = joiner.flush();
  const auto ended = program.finish(act);
  if (!ours) return ours;
  if (ended || ended.error().kind == Kind::interrupted) return ended;
  return std::unexpected(error_said(program.said(), act, ended.error()));
}

std::string for_a_shell(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    const bool is_plain =
        !word.empty() &&
        word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@") ==
            std::string::npos;
    if (!out.empty()) out += ' ';
    if (is_plain) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

}  // namespace steward::backup
