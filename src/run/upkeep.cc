#include "run/upkeep.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/age.h"
#include "run/ledger/outbox.h"
#include "run/ledger/shards.h"

namespace steward {
namespace {
using nlohmann::json;

constexpr std::size_t unfinished_looked_at = 10'000;

/// What unfinished runs need: folders and files, as they begin below a part's folder.
class Needed {
 public:
  static Result<Needed> by(ledger::Ledger& ledger) {
    Needed needed;
    for (const ledger::Status status : {ledger::Status::running, ledger::Status::waiting})
      for (const ledger::Run& run : TRY(ledger.runs({.status = status, .limit = unfinished_looked_at})))
        needed.add(run);
    return needed;
  }
  /// `path`: below the part's folder, "RUN/log.jsonl" or "DIGEST.json".
  bool has(std::string_view path) const { return names_.contains(std::string(path.substr(0, path.find('/')))); }

 private:
  void add(const ledger::Run& run) {
    names_.insert(run.id);
    names_.insert(run.plan_digest + ".json");
    const json plan = json::parse(run.plan, nullptr, false);
    if (!plan.is_object() || !plan.contains("tasks") || !plan["tasks"].is_array()) return;
    for (const json& task : plan["tasks"])
      if (task.is_object() && task.contains("items") && task["items"].is_string())
        names_.insert(fmt::format("items-{}.jsonl", task["items"].get<std::string>()));
  }
  std::set<std::string, std::less<>> names_{};
};

/// A plan's item list was written before the plan: it goes a day later, so that no plan is without its list.
Instant cutoff_of(const UpkeepPart& part, std::string_view path) {
  return path.starts_with("items-") ? part.cutoff - std::chrono::days(1) : part.cutoff;
}

using Take = std::function<Result<void>(const files::Folder& folder, const files::Found& file)>;

/// Calls `take` with each file of a part that no unfinished run needs.
Result<void> each_file(const StateDirectory& state, const std::string& part, const Needed& needed, const Take& take) {
  const auto folder = state.folder().subfolder(part);
  if (!folder && folder.error().kind == Kind::not_found) return {};
  if (!folder) return std::unexpected(folder.error());
  return folder->walk({}, [&](const files::Found& file) -> Result<bool> {
    if (!needed.has(file.path)) TRY(take(*folder, file));
    return true;
  });
}

/// The first moment of the oldest day that stays, so that the logs of that day and later ones are no more than `limit`
/// together; the newest day stays whatever its size. Memory: a number a day.
Result<Instant> logs_cutoff(const StateDirectory& state, const Needed& needed, Instant by_age, Bytes limit) {
  std::map<std::chrono::sys_days, Bytes> days;
  TRY(each_file(state, "runs", needed, [&](const files::Folder&, const files::Found& file) -> Result<void> {
    if (file.info.modified >= by_age) days[std::chrono::floor<std::chrono::days>(file.info.modified)] += file.info.size;
    return {};
  }));
  Bytes together{};
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    together += day->second;
    if (limit < together && day != days.rbegin()) return std::max(by_age, Instant{day->first + std::chrono::days(1)});
  }
  return by_age;
}

Result<void> count(const StateDirectory& state, const Needed& needed, UpkeepPart& part) {
  return each_file(state, part.folder, needed, [&](const files::Folder&, const files::Found& file) -> Result<void> {
    if (file.info.modified >= cutoff_of(part, file.path)) return {};
    ++part.files;
    part.bytes += file.info.size;
    return {};
  });
}

Result<void> remove(const StateDirectory& state, const Needed& needed, UpkeepPart& part) {
  return each_file(state, part.folder, needed,
                   [&](const files::Folder& folder, const files::Found& file) -> Result<void> {
                     if (file.info.modified >= cutoff_of(part, file.path)) return {};
                     TRY(folder.unlink(file.path, files::Durable::later));
                     ++part.files;
                     part.bytes += file.info.size;
                     const std::size_t slash = file.path.rfind('/');
                     if (slash == std::string::npos) return {};
                     // Not empty is as good: what is left in it is newer.
                     if (const auto gone = folder.remove_empty_folder(file.path.substr(0, slash));
                         !gone && gone.error().code != "not-empty")
                       return std::unexpected(gone.error());
                     return {};
                   });
}

json to_json(const Upkeep& upkeep) {
  json detail{{"runs", upkeep.runs}, {"events", upkeep.events}};
  for (const UpkeepPart& part : upkeep.parts)
    detail[part.folder] = {{"files", part.files}, {"bytes", part.bytes.count}, {"before", format_instant(part.cutoff)}};
  return detail;
}

}  // namespace

bool Upkeep::nothing() const {
  return runs == 0 && events == 0 && std::ranges::all_of(parts, [](const UpkeepPart& part) { return part.files == 0; });
}

Result<Upkeep> plan_upkeep(const StateDirectory& state, ledger::Ledger& ledger, Instant now, const UpkeepRules& rules) {
  const Needed needed = TRY(Needed::by(ledger));
  const Instant old = before(now, Age{rules.rest});
  const Instant logs = TRY(logs_cutoff(state, needed, now - rules.logs, rules.logs_together));
  Upkeep upkeep{.parts = {{.name = "run logs", .folder = "runs", .cutoff = logs},
                          {.name = "saved plans", .folder = "plans", .cutoff = old},
                          {.name = "lists of what was removed", .folder = "manifests", .cutoff = old}},
                .runs_before = old};
  for (UpkeepPart& part : upkeep.parts) TRY(count(state, needed, part));
  upkeep.runs = TRY(ledger.runs_with_plan(old));
  upkeep.events = TRY(ledger.outbox().old_events(old));
  return upkeep;
}

Result<Upkeep> carry_out(const Upkeep& upkeep, const StateDirectory& state, ledger::Ledger& ledger, const Clock& clock,
                         const std::string& who) {
  const Needed needed = TRY(Needed::by(ledger));
  Upkeep done = upkeep;
  for (UpkeepPart& part : done.parts) {
    part.files = 0;
    part.bytes = {};
    TRY(remove(state, needed, part));
  }
  done.runs = upkeep.runs == 0 ? 0 : TRY(ledger.forget_plans(upkeep.runs_before));
  TRY(ledger.shards().forget(upkeep.runs_before));
  done.events = upkeep.events == 0 ? 0 : TRY(ledger.outbox().forget_events(upkeep.runs_before));
  if (!done.nothing()) TRY(ledger.audit(who, "state.tidy", state.folder().path(), to_json(done).dump(), clock.now()));
  return done;
}

Result<StateSizes> state_sizes(const StateDirectory& state) {
  StateSizes sizes;
  TRY(state.folder().walk({}, [&](const files::Found& file) -> Result<bool> {
    Bytes& part = file.path.starts_with("runs/")        ? sizes.logs
                  : file.path.starts_with("plans/")     ? sizes.plans
                  : file.path.starts_with("manifests/") ? sizes.lists
                  : file.path.starts_with("ledger.db")  ? sizes.ledger
                                                        : sizes.other;
    part += file.info.size;
    return true;
  }));
  return sizes;
}

}  // namespace steward
