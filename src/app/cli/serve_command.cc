// serve: the daemon

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "app/cli/commands.h"
#include "app/cli/notifications.h"
#include "app/cli/service_manager.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/cli/web.h"
#include "core/text.h"
#include "engine/daemon.h"
#include "engine/keepers.h"
#include "jobs/backup/requirements.h"

namespace steward::app {
namespace {

constexpr std::array level_names{"info", "warning", "error"};

/// A line for each thing that happens, for the log of whoever runs the daemon.
engine::Say log_to_stdout(bool as_json, const Clock& clock) {
  return [as_json, &clock](Level level, std::string_view job, std::string_view text) {
    const std::string_view name = level_names.at(static_cast<std::size_t>(level));
    if (as_json) {
      nlohmann::ordered_json line{{"at", format_instant(clock.now())}, {"level", name}, {"text", printable(text)}};
      if (!job.empty()) line["job"] = std::string(job);
      print(line.dump() + '\n');
    } else {
      print(fmt::format("{} {:7} {}{}\n", format_instant(std::chrono::floor<std::chrono::seconds>(clock.now())), name,
                        job.empty() ? "" : fmt::format("{}: ", job), printable(text)));
    }
    std::fflush(stdout);
  };
}

Result<std::string> this_program() {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  if (size <= 0) return fail(Kind::unavailable, "/proc does not say where this program is", "Mount /proc.");
  std::string path(buffer.data(), static_cast<std::size_t>(size));
  // Where it was replaced by a newer one, that is what is to be started.
  constexpr std::string_view deleted = " (deleted)";
  if (path.ends_with(deleted)) path.resize(path.size() - deleted.size());
  return path;
}

// What children get of the environment, besides what the configuration asks for by name.
constexpr std::array names_for_all{"PATH",           "HOME",
                                   "USER",           "LOGNAME",
                                   "LANG",           "TZ",
                                   "TZDIR",          "TMPDIR",
                                   "NO_COLOR",       "SSL_CERT_FILE",
                                   "SSL_CERT_DIR",   "CURL_CA_BUNDLE",
                                   "XDG_STATE_HOME", "ASAN_OPTIONS",
                                   "TSAN_OPTIONS",   "UBSAN_OPTIONS",
                                   "LD_PRELOAD",     "LD_LIBRARY_PATH",
                                   "FAKETIME",       "DONT_FAKE_MONOTONIC"};
constexpr std::array prefixes_for_all{"LC_", "AWS_", "PG", "STEWARD_", "BACKUP_"};
// Of this process alone.
constexpr std::array not_for_children{engine::run_variable, engine::launch_variable,
                                      std::string_view("STEWARD_TRIGGER"), std::string_view("STEWARD_ACTOR")};

bool is_for_children(std::string_view name, const std::set<std::string>& asked) {
  if (std::ranges::find(not_for_children, name) != not_for_children.end()) return false;
  if (asked.contains(std::string(name)) || std::ranges::find(names_for_all, name) != names_for_all.end()) return true;
  if (name.ends_with("_proxy") || name.ends_with("_PROXY")) return true;
  return std::ranges::any_of(prefixes_for_all, [&](const char* prefix) { return name.starts_with(prefix); });
}

/// The variables that children have: a list, not all that happens to be here.
Result<std::vector<std::string>> environment_for_children() {
  std::set<std::string> asked;
  const Environment of_process = process_environment();
  const Environment recording = [&](const std::string& name) {
    asked.insert(name);
    return of_process(name);
  };
  TRY(read_settings(recording, TRY(working_directory())));
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (is_for_children(text.substr(0, text.find('=')), asked)) out.emplace_back(text);
  }
  return out;
}

/// What is not configured is known from `status`; a tick of it each night tells nobody anything.
std::vector<engine::ScheduledJob> jobs_to_serve(const Settings& settings, const JobNames& only) {
  std::vector<engine::ScheduledJob> out = scheduled_jobs(settings);
  std::erase_if(out, [&](const engine::ScheduledJob& job) {
    return !job.configured || (!only.empty() && !only.contains(job.name));
  });
  return out;
}

engine::Daemon* reloads = nullptr;
void on_hangup(int) {
  if (reloads != nullptr) reloads->request_reload();
}

/// While it lives, SIGHUP makes the daemon read its configuration again.
class Hangups {
 public:
  explicit Hangups(engine::Daemon& daemon) {
    reloads = &daemon;
    struct sigaction action{};
    action.sa_handler = on_hangup;
    action.sa_flags = SA_RESTART;
    sigaction(SIGHUP, &action, nullptr);
  }
  ~Hangups() {
    ::signal(SIGHUP, SIG_IGN);
    reloads = nullptr;
  }
  Hangups(const Hangups&) = delete;
  Hangups& operator=(const Hangups&) = delete;
};

engine::Shutdown shutdown_named(const std::string& name) {
  if (name == "wait") return engine::Shutdown::wait;
  return name == "stop" ? engine::Shutdown::stop : engine::Shutdown::leave;
}

/// None where it is off. Where nobody has said where to listen and the address is taken, as by another daemon of this
/// machine, jobs go on without it: they matter more.
Result<std::unique_ptr<Web>> start_web(const Session& session, const std::string& flag, WebRules rules) {
  const std::string by_default = server::ServeRules{}.listen;
  rules.listen = flag.empty() ? session.settings.serve.listen : flag;
  if (rules.listen == "off") return nullptr;
  const auto say = rules.say;
  const bool chosen = rules.listen != by_default;
  auto web = Web::start(session, std::move(rules));
  if (web || chosen || web.error().kind != Kind::unavailable) return web;
  say(Level::warning,
      fmt::format("{}: there is no API and no dashboard here (serve --listen HOST:PORT, or off)", web.error().message));
  return nullptr;
}

/// Says which tasks will fail for want of a program, now and not at the first midnight. In a thread of its own: a
/// database that does not answer keeps nothing waiting.
std::jthread look_for_programs(const Settings& settings, const JobNames& only, const engine::Say& say) {
  if (!only.empty() && !only.contains("backup")) return {};
  return std::jthread([specs = settings.backup, &say] {
    const Caller who = caller("serve", "");
    for (backup::PolicySpec spec : specs) {
      if (spec.policy) spec.policy->database = as(who, spec.policy->database);
      for (const backup::Lack& lack : backup::lacking(spec))
        say(Level::error, "backup",
            fmt::format("{} will fail: {}. {}", lack.task, lack.error.message, lack.error.hint));
    }
  });
}

}  // namespace

Result<int> serve_command(const Output&, const ServeCommand& command) {
  std::vector<std::string> warnings;
  const Session session = TRY(open_session(warnings));
  const auto chosen = [](const std::string& flag, const std::string& configured) {
    return flag.empty() ? configured : flag;
  };
  const server::ServeRules& rules = session.settings.serve;
  const engine::Say say = log_to_stdout(chosen(command.log_format, rules.log_format) == "json", session.clock);
  for (const std::string& warning : warnings) say(Level::warning, "", warning);
  const JobNames only = TRY(chosen_jobs(command.only, session.settings));
  engine::Keeping keeping = TRY(engine::Keeping::begin(session.state, only, session.clock.now()));
  std::vector<engine::ScheduledJob> jobs = jobs_to_serve(session.settings, only);
  if (jobs.empty())
    say(Level::warning, "", "no job is configured: this daemon has nothing to start (steward config show)");
  for (const engine::ScheduledJob& job : jobs)
    say(Level::info, job.name, fmt::format("{}, {}", engine::words_of(job.schedule), job.schedule.zone.name()));
  const auto watchdog = watchdog_interval();
  std::string program = TRY(this_program()), directory = TRY(working_directory());
  std::vector<std::string> environment = TRY(environment_for_children());
  engine::DaemonSettings settings{.jobs = std::move(jobs),
                                  .lease = engine::lease_name(only),
                                  .shared = session.settings.ledger_is_shared(),
                                  .shutdown = shutdown_named(chosen(command.shutdown, rules.shutdown)),
                                  .children = {.program = program, .environment = environment, .directory = directory}};
  const FinishBeforeLeaving finish;
  Notifications notifications(session, say);
  // A notice that cannot be written costs a second message at the most: who runs by hand tells people itself then.
  const auto tell_by = [&](const Settings& by) -> Result<void> {
    TRY(notifications.take(by));
    (void)keeping.tells(notifications.tells());
    return {};
  };
  TRY(tell_by(session.settings));
  Web* answering = nullptr;
  settings.reload = [&]() -> std::optional<std::vector<engine::ScheduledJob>> {
    const auto fresh = settings_of_process();
    if (!fresh) {
      say(Level::error, "", fmt::format("the configuration stays as it was: {}", fresh.error().message));
      return std::nullopt;
    }
    say(Level::info, "", "the configuration was read again");
    if (answering != nullptr) answering->take(*fresh);
    if (const auto told = tell_by(*fresh); !told) say(Level::warning, "", told.error().message);
    return jobs_to_serve(*fresh, only);
  };
  if (watchdog) {
    settings.beat = [] { tell_service_manager("WATCHDOG=1"); };
    settings.beat_every = *watchdog;
  }

  settings.looked = [&] { notifications.wake(); };
  engine::Daemon daemon(*session.ledger, session.clock, session.state, std::move(settings), say);
  const Hangups hangups(daemon);
  const std::unique_ptr<Web> web =
      TRY(start_web(session, command.listen,
                    {.lease = engine::lease_name(only),
                     .program = program,
                     .directory = directory,
                     .environment = environment,
                     .changed = [&daemon] { daemon.wake(); },
                     .say = [&say](Level level, std::string_view text) { say(level, "", text); }}));
  answering = web.get();
  const std::jthread looking = look_for_programs(session.settings, only, say);
  if (web)
    if (const auto noted = keeping.answers_at(web->url()); !noted) say(Level::warning, "", noted.error().message);
  TRY(daemon.serve(stop_of_process().get_token(), [&] {
    say(Level::info, "", fmt::format("steward {} serves, with the ledger {}", version, session.ledger->shown()));
    if (web) say(Level::info, "", fmt::format("the API answers at {}", web->url()));
    tell_service_manager("READY=1");
  }));
  tell_service_manager("STOPPING=1");
  say(Level::info, "", "stopped");
  return 0;
}

}  // namespace steward::app
