// healthcheck: for the HEALTHCHECK of a container, monitoring agents and cron

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "engine/health.h"
#include "io/http/client.h"

namespace steward::app {
namespace {
using nlohmann::json;
using std::chrono::seconds;

// What hangs is not well; who asks has a timeout of its own, of seconds.
constexpr seconds patience{2};

std::optional<Error> ask(const std::string& url) {
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  http::Client client({.agent = fmt::format("steward/{} healthcheck", version)});
  const auto answer = client.send(
      {.url = base + "/healthz", .body_limit = 65'536, .connect_timeout = patience, .whole_timeout = patience});
  const std::string hint = "Is `steward serve` running there, and is --url its address?";
  if (!answer) return Error{answer.error().kind, answer.error().message, hint};
  if (answer->status == 200) return {};
  return Error{Kind::unavailable, fmt::format("{} answers with {}", http::host_and_port(base), answer->status), hint};
}

/// The folders that have to have room: each file system once.
class Spaces {
 public:
  void add(const std::string& what, const std::string& path) {
    const auto folder = files::Folder::open(path);
    if (!folder) return;  // one that is not there yet, or is a task's own failure
    const auto info = folder->info();
    const auto space = folder->space();
    if (info && space && seen_.insert(info->device).second)
      all_.push_back({.what = what, .path = folder->path(), .room = space->room, .total = space->total});
  }
  std::vector<engine::FolderSpace> take() && { return std::move(all_); }

 private:
  std::set<std::uint64_t> seen_{};
  std::vector<engine::FolderSpace> all_{};
};

std::vector<engine::FolderSpace> spaces_of(const Settings& settings) {
  constexpr std::string_view scheme = "file://";
  Spaces spaces;
  spaces.add("state directory", settings.state_dir);
  for (const object::StoreTarget& archive : settings.archives)
    if (archive.url.starts_with(scheme)) spaces.add("cold storage", archive.url.substr(scheme.size()));
  for (const retention::TaskSpec& spec : settings.cleanup)
    if (const auto* files = spec.policy ? std::get_if<retention::FilePolicy>(&*spec.policy) : nullptr; files != nullptr)
      spaces.add("folder of logs", files->folder);
  return std::move(spaces).take();
}

/// As somebody who only looks: a ledger that is not there is not made, and an older one is not migrated.
Result<std::unique_ptr<ledger::Ledger>> open_ledger(const Settings& settings, const StateDirectory& state) {
  const std::string url = settings.ledger_url.empty() ? state.ledger_url() : settings.ledger_url;
  TRY(ledger::open({.url = url, .read_only = true, .patience = patience}));
  return ledger::open({.url = url, .patience = patience});
}

void look(const HealthcheckCommand& command, const Settings& settings, engine::HealthFacts& facts) {
  facts.folders = spaces_of(settings);
  if (!command.url.empty()) facts.server = ask(command.url);
  const auto folder = files::Folder::open(settings.state_dir);
  if (!folder) {
    facts.ledger = folder.error();
    return;
  }
  const auto state = StateDirectory::open(settings.state_dir);
  const auto ledger = state ? open_ledger(settings, *state) : std::unexpected(state.error());
  if (!ledger) {
    facts.ledger = ledger.error();
    return;
  }
  const auto only = chosen_jobs(command.only, settings);
  std::vector<engine::ScheduledJob> jobs = scheduled_jobs(settings);
  std::erase_if(jobs,
                [&](const engine::ScheduledJob& job) { return only && !only->empty() && !only->contains(job.name); });
  engine::read_health(facts, **ledger, *state, jobs, settings.ledger_is_shared());
}

json to_json(const std::vector<engine::Finding>& findings) {
  json all = json::array();
  for (const engine::Finding& found : findings)
    all.push_back({{"kind", found.kind},
                   {"severity", engine::name_of(found.severity)},
                   {"message", printable(found.message)},
                   {"hint", printable(found.hint)}});
  return {{"healthy", engine::is_healthy(findings)}, {"findings", all}};
}

}  // namespace

Result<int> healthcheck_command(const Output& output, const HealthcheckCommand& command) {
  engine::HealthFacts facts{.now = SystemClock{}.now()};
  std::vector<engine::Finding> findings;
  const auto settings = settings_of_process();
  if (settings) {
    TRY(chosen_jobs(command.only, *settings));
    look(command, *settings, facts);
    findings = engine::findings(facts);
  } else {
    findings.push_back(
        {.kind = "configuration", .message = settings.error().message, .hint = "steward config check tells all."});
  }
  const bool healthy = engine::is_healthy(findings);
  if (output.json) {
    print_json(to_json(findings));
  } else {
    for (const engine::Finding& found : findings)
      print(fmt::format("{}: {}: {}. {}\n",
                        tinted(output, found.severity == engine::Severity::error ? Tint::bad : Tint::warn,
                               engine::name_of(found.severity)),
                        found.kind, printable(found.message), printable(found.hint)));
    if (healthy) print("healthy\n");
  }
  return healthy ? 0 : 1;
}

}  // namespace steward::app
