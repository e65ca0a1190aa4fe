#include "engine/keepers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "run/runner.h"

namespace steward::engine {
namespace {
using nlohmann::json;

constexpr std::string_view folder_of_all = "serve", file_name = "daemon.json";
constexpr std::string_view lease_of_all = "serve";

std::set<std::string, std::less<>> jobs_of(std::string_view lease) {
  std::set<std::string, std::less<>> jobs;
  if (!lease.starts_with("serve ")) return jobs;
  for (const std::string& job : split(lease.substr(lease_of_all.size() + 1), ',')) jobs.insert(job);
  return jobs;
}

/// What it says of itself; what cannot be read is left out: that it is alive is known from its lock.
Keeper read(const std::string& text) {
  Keeper out{.here = true};
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return out;
  out.daemon = document.value("daemon", "");
  out.url = document.value("url", "");
  out.tells = document.value("tells", false);
  out.since = parse_instant(document.value("since", ""));
  for (const json& job : document.value("jobs", json::array()))
    if (job.is_string()) out.jobs.insert(job.get<std::string>());
  return out;
}

Result<std::vector<std::string>> folders_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_directory(error)) names.push_back(entry->path().filename().string());
  if (error) return fail(Kind::unavailable, fmt::format("cannot list {}: {}", path, error.message()));
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::string lease_name(const std::set<std::string, std::less<>>& jobs) {
  return jobs.empty() ? std::string(lease_of_all) : fmt::format("{} {}", lease_of_all, fmt::join(jobs, ","));
}

std::string daemon_name() { return fmt::format("{}:{}", this_process().host, getpid()); }

Result<Keeping> Keeping::begin(const StateDirectory& state, const std::set<std::string, std::less<>>& jobs,
                               Instant now) {
  std::string name = fmt::format("{}/{}", folder_of_all, lease_name(jobs));
  std::ranges::replace_if(name, [](char c) { return c == ' ' || c == ','; }, '_');
  TRY(state.folder().make_folders(name));
  files::Folder folder = TRY(state.folder().subfolder(name));
  auto lock = folder.lock();
  if (!lock && lock.error().kind == Kind::busy)
    return fail(Kind::busy, fmt::format("another daemon serves {} already", state.folder().path()),
                "Stop that one first (systemctl stop steward), or give this one another STEWARD_STATE_DIR.", "serving");
  Keeping keeping(std::move(folder), TRY(std::move(lock)),
                  {.daemon = daemon_name(), .jobs = jobs, .here = true, .since = now});
  // It may be here to make room on a disk that is full: that its name is known is worth less than that. What another
  // has left there is not to be taken for it.
  if (!keeping.write()) (void)keeping.folder_.unlink(file_name);
  return keeping;
}

Result<void> Keeping::answers_at(const std::string& url) {
  self_.url = url;
  return write();
}

Result<void> Keeping::tells(bool does) {
  if (std::exchange(self_.tells, does) == does) return {};
  return write();
}

Result<void> Keeping::write() const {
  const json document{{"daemon", self_.daemon},
                      {"jobs", self_.jobs},
                      {"since", format_instant(*self_.since)},
                      {"url", self_.url},
                      {"tells", self_.tells}};
  return files::replace_file(folder_, file_name, document.dump() + '\n');
}

std::vector<Keeper> keepers_of(const std::vector<ledger::LeaseState>& leases, std::vector<Keeper> here, bool shared) {
  if (!shared) return here;
  std::vector<Keeper> out;
  for (Keeper& keeper : here) keeper.decides = false;
  for (const ledger::LeaseState& state : leases) {
    if (!state.in_force) continue;
    Keeper keeper{.daemon = state.lease.holder, .jobs = jobs_of(state.lease.name)};
    const auto same = std::ranges::find(here, state.lease.holder, &Keeper::daemon);
    if (same != here.end()) {
      keeper = *same;
      keeper.decides = true;
      here.erase(same);
    }
    keeper.until = state.until;
    out.push_back(std::move(keeper));
  }
  std::ranges::move(here, std::back_inserter(out));
  return out;
}

Result<std::vector<Keeper>> keepers(ledger::Ledger& ledger, const StateDirectory& state, bool shared, Instant now) {
  std::vector<Keeper> here;
  const auto served = state.folder().subfolder(folder_of_all);
  if (!served && served.error().kind != Kind::not_found) return std::unexpected(served.error());
  if (served) {
    for (const std::string& name : TRY(folders_in(served->path()))) {
      const files::Folder folder = TRY(served->subfolder(name));
      if (!TRY(folder.is_locked())) continue;
      const auto text = files::read_file(folder, file_name, 64_KiB);
      here.push_back(text ? read(*text) : Keeper{.here = true});
    }
  }
  return keepers_of(shared ? TRY(ledger.agenda().leases(now)) : std::vector<ledger::LeaseState>{}, std::move(here),
                    shared);
}

}  // namespace steward::engine
