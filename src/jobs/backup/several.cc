#include "jobs/backup/several.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "core/digest.h"
#include "core/glob.h"
#include "core/text.h"
#include "core/url.h"
#include "jobs/backup/manifest.h"
#include "run/locks.h"

namespace steward::backup {
namespace {

constexpr std::size_t shown_samples = 100;

/// The same server's other database: of libpq's parameters the last one counts.
std::string url_of(const std::string& server, const std::string& database) {
  return fmt::format("{}{}dbname={}", server, server.contains('?') ? '&' : '?', percent_encode(database, false));
}

bool matches_any(const std::vector<std::string>& globs, std::string_view name) {
  return std::ranges::any_of(globs, [&](const std::string& glob) { return glob_matches(glob, name); });
}

object::StoreTarget below(object::StoreTarget store, const std::string& folder) {
  if (!folder.empty()) store.url += '/' + folder;
  return store;
}

class CheckSeveral final : public Task {
 public:
  CheckSeveral(TaskInfo info, PolicySpec spec, std::optional<Result<Databases>> databases)
      : info_(std::move(info)), spec_(std::move(spec)), databases_(std::move(databases)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    const Databases found = TRY(databases());
    const Policy all = seen_as_one(spec_);
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    step.target = all.store.url;
    step.strategy = "looks whether each database has a backup of this run";
    step.filter = fmt::format("the server's databases {}", join_and(spec_.several->names));
    if (!spec_.several->except.empty()) step.filter += fmt::format(" but for {}", join_and(spec_.several->except));
    step.reason = fmt::format("{} of the server's {} databases", found.chosen.size(), found.all.size());
    step.planned.items = found.chosen.size();
    for (const std::string& name : found.chosen)
      if (step.samples.size() < shown_samples) step.samples.push_back({.item = printable(name)});
    step.notes = TRY(gone(all, found));
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_policy(part()); }

  Result<void> execute(const Step&, RunContext& run) const override {
    const Databases found = TRY(databases());
    const Policy all = seen_as_one(spec_);
    const auto store = TRY(object::open(all.store));
    std::vector<std::string> missing;
    for (const std::string& name : found.chosen) {
      TRY(run.checkpoint("looking"));
      const auto there = store->head(fmt::format("{}/{}/{}", segment_of(name), run.run(), manifest_key));
      if (!there && there.error().kind != Kind::not_found) return std::unexpected(there.error());
      if (there)
        run.done(1);
      else
        missing.push_back(printable(name));
    }
    for (const std::string& one : TRY(gone(all, found))) run.note(Level::warning, one);
    if (missing.empty()) return {};
    return fail(Kind::unavailable,
                fmt::format("{} of {} databases have no backup of this run: {}", missing.size(), found.chosen.size(),
                            join_and(missing)),
                "Look at what their own tasks say.");
  }

 private:
  Result<Databases> databases() const { return databases_ ? *databases_ : databases_of(spec_); }

  Policy part() const {
    Policy policy = *spec_.policy;
    policy.part_of = PartOf{.name = spec_.name, .server = policy.database};
    return policy;
  }

  /// Databases that have backups here, and are not on the server any more.
  static Result<std::vector<std::string>> gone(const Policy& all, const Databases& found) {
    const auto store = object::open(all.store);
    if (!store && store.error().kind == Kind::not_found) return std::vector<std::string>{};
    if (!store) return std::unexpected(store.error());
    std::set<std::string> here;
    for (const std::string& name : found.all) here.insert(segment_of(name));
    std::set<std::string> said;
    std::vector<std::string> out;
    for (const Backup& one : std::views::reverse(TRY(list_backups(**store)))) {
      if (here.contains(one.manifest.name) || !said.insert(one.manifest.name).second) continue;
      out.push_back(fmt::format("{} is not on the server any more; its backups stay, the newest is {}",
                                printable(one.manifest.name), one.manifest.run));
    }
    return out;
  }

  TaskInfo info_;
  PolicySpec spec_;
  std::optional<Result<Databases>> databases_;
};

}  // namespace

bool is_chosen(const Selection& selection, std::string_view database) {
  const bool all = selection.names.size() == 1 && selection.names.front() == "all";
  return (all || matches_any(selection.names, database)) && !matches_any(selection.except, database);
}

Result<Databases> databases_of(const PolicySpec& spec) {
  const auto connection = TRY(sql::connect(spec.policy->database));
  const sql::Rows rows = TRY(connection->query(
      "select datname from pg_catalog.pg_database where datallowconn and not datistemplate order by datname"));
  Databases found;
  for (const sql::Row& row : rows.rows) {
    found.all.push_back(sql::to_text(row.at(0)));
    if (is_chosen(*spec.several, found.all.back())) found.chosen.push_back(found.all.back());
  }
  if (!found.chosen.empty()) return found;
  return fail(Kind::not_found, fmt::format("{} has no database {}", connection->shown(), join_or(spec.several->names)),
              fmt::format("It has {}.", join_and(found.all)));
}

std::string segment_of(std::string_view database) {
  constexpr std::size_t longest = 63;  // of a name in PostgreSQL
  std::string out;
  for (const char c : database) {
    const bool fits =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    out += fits ? c : '_';
  }
  // What the tasks of one policy are called.
  const bool is_a_word = out == "proof" || out == "verify" || out == "copy" || out == "expire" || out == "copy-expire";
  if (out == database && !is_a_word && !out.empty() && out.size() <= longest) return out;
  // With a hash that no name ends in by accident, since "a.b" and "a_b" are two.
  return out.substr(0, longest) + '-' + sha256_hex(database).substr(0, 8);
}

std::vector<PolicySpec> each_of(const PolicySpec& spec, const std::vector<std::string>& databases) {
  std::vector<PolicySpec> out;
  const Policy& all = *spec.policy;
  for (const std::string& database : databases) {
    PolicySpec one = spec;
    one.several.reset();
    one.name = fmt::format("{}.{}", spec.name, segment_of(database));
    one.policy->part_of = PartOf{.name = spec.name, .server = all.database};
    one.policy->database.url = url_of(all.database.url, database);
    one.policy->store = below(all.store, all.name);
    if (one.policy->copy) one.policy->copy->store = below(all.copy->store, all.name);
    one.policy->name = segment_of(database);
    out.push_back(std::move(one));
  }
  return out;
}

Policy seen_as_one(const PolicySpec& spec) {
  Policy policy = *spec.policy;
  if (!spec.several) return policy;
  policy.store = below(policy.store, policy.name);
  if (policy.copy) policy.copy->store = below(policy.copy->store, policy.name);
  policy.name.clear();
  return policy;
}

Result<std::vector<std::unique_ptr<Lock>>> lock_policy(const Policy& policy) {
  std::vector<std::unique_ptr<Lock>> locks;
  locks.push_back(TRY(policy.part_of ? lock_in_database(policy.part_of->server, "backup/" + policy.part_of->name)
                                     : lock_in_database(policy.database, "backup/" + policy.name)));
  return locks;
}

std::unique_ptr<Task> check_several(TaskInfo info, PolicySpec spec, std::optional<Result<Databases>> databases) {
  return std::make_unique<CheckSeveral>(std::move(info), std::move(spec), std::move(databases));
}

}  // namespace steward::backup
