#include "jobs/retention/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/forgetting.h"
#include "jobs/retention/restorer.h"
#include "jobs/retention/row_step.h"
#include "run/locks.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;

constexpr std::size_t rows_at_once = 200;

/// Whether a request covers a manifest, and a row of it.
class Selection {
 public:
  Selection(const RestoreRequest& request) : request_(request), keys_(request.keys.begin(), request.keys.end()) {}
  bool covers(const manifest::Listed& listed) const {
    return request_.run.empty() || listed.run.starts_with(request_.run);
  }
  bool covers(const manifest::Header& header) const {
    return request_.table.empty() || names_table(request_.table, header.table);
  }
  bool covers(const std::string& key) const { return keys_.empty() || keys_.contains(key); }

 private:
  const RestoreRequest& request_;
  std::set<std::string> keys_;
};

/// Hands over the rows that a request covers, newest manifest first: of a row that was archived twice, the last is
/// tried first.
Result<void> each_selected(object::Store& store, const RestoreRequest& request,
                           const std::function<Result<void>(const manifest::Header&, const Item&, const ArchivedRow&,
                                                            const std::string& key)>& take) {
  const Selection selection(request);
  std::vector<manifest::Listed> manifests = TRY(manifest::list(store, ""));
  std::ranges::reverse(manifests);
  for (const manifest::Listed& listed : manifests) {
    if (!selection.covers(listed)) continue;
    // The header comes with the whole manifest; a first look that stops at once tells whether it is the right table.
    const manifest::Header header =
        TRY(manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; }));
    if (!selection.covers(header)) continue;
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      if (!left_the_database(item)) return true;
      if (item.rows == 0 && !selection.covers(item.key)) return true;
      const std::set<std::string> kept(item.kept.begin(), item.kept.end());
      TRY(each_archived_row(store, item, [&](const ArchivedRow& row) -> Result<bool> {
        const sql::Row key = TRY(row.values_of(header.key_columns));
        const std::string text = manifest::key_text(key);
        if (!kept.contains(text) && selection.covers(text)) TRY(take(header, item, row, text));
        return true;
      }));
      return true;
    }));
  }
  return {};
}

class Restore final : public Task {
 public:
  Restore(TaskInfo info, RestoreSettings settings, RestoreRequest request)
      : info_(std::move(info)), settings_(std::move(settings)), request_(std::move(request)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    Step step{.target = archive.shown(),
              .strategy = "file, then row, read back and compared; held for 30 days",
              .filter = filter(),
              .reason = "asked for",
              .cutoff = context.now};
    std::uint64_t referring = 0;
    TRY(each_selected(archive.store(), request_,
                      [&](const manifest::Header& header, const Item& item, const ArchivedRow& row,
                          const std::string& key) -> Result<void> {
                        step.planned.add(1, item.rows == 0 ? std::optional(item.size) : std::nullopt);
                        referring += row.referring.size();
                        if (step.samples.size() < 3)
                          step.samples.push_back({.item = printable(fmt::format("{} {}", header.table, key))});
                        return {};
                      }));
    if (step.planned.items == 0)
      return fail(Kind::not_found, fmt::format("nothing in {} is {}", archive.shown(), filter()),
                  TRY(lies_with(archive.store())));
    if (referring > 0)
      step.notes.push_back(
          fmt::format("{} rows of other tables referred to these: those that went come back behind them, the others "
                      "refer to them again where nobody has changed that since",
                      format_count(referring)));
    return step;
  }

  /// Each table that rows come back to, against a cleanup of it.
  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    std::map<std::pair<std::string, std::string>, const Home*> targets;  // by database and lock
    TRY(each_selected(
        archive.store(), request_,
        [&](const manifest::Header& header, const Item&, const ArchivedRow&, const std::string&) -> Result<void> {
          const Home* to = TRY(home(header));
          targets[{to->database.url, lock_name(header.table)}] = to;
          return {};
        }));
    std::vector<std::unique_ptr<Lock>> locks;
    for (const auto& [key, to] : targets) locks.push_back(TRY(lock_in_database(to->database, key.second)));
    return locks;
  }

  Result<void> execute(const Step&, RunContext& run) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    std::map<const Home*, std::unique_ptr<Restorer>> restorers;
    const auto each_batch = [&](auto&& wanted, auto&& bring) -> Result<void> {
      std::map<const Home*, std::vector<Returning>> waiting;
      TRY(each_selected(archive.store(), request_,
                        [&](const manifest::Header& header, const Item& item, const ArchivedRow& row,
                            const std::string& key) -> Result<void> {
                          if (!wanted(row)) return {};
                          const Home* home = TRY(this->home(header));
                          std::unique_ptr<Restorer>& restorer = restorers[home];
                          if (!restorer) restorer = TRY(open(*home, archive.store(), run));
                          std::vector<Returning>& rows = waiting[home];
                          rows.push_back({header, item, row, key});
                          if (rows.size() < rows_at_once) return {};
                          TRY(bring(*restorer, rows));
                          rows.clear();
                          return {};
                        }));
      for (const auto& [home, rows] : waiting)
        if (!rows.empty()) TRY(bring(*restorers.at(home), rows));
      return {};
    };
    bool any_referring = false;
    TRY(each_batch(
        [&](const ArchivedRow& row) {
          any_referring = any_referring || !row.referring.empty();
          return true;
        },
        [](Restorer& restorer, const std::vector<Returning>& rows) { return restorer.batch(rows); }));
    if (any_referring)
      TRY(each_batch([](const ArchivedRow& row) { return !row.referring.empty(); },
                     [](Restorer& restorer, const std::vector<Returning>& rows) { return restorer.referring(rows); }));
    std::uint64_t damaged = 0, without_file = 0, back = 0, set_back = 0;
    for (const auto& [home, restorer] : restorers) {
      damaged += restorer->tally().damaged;
      without_file += restorer->tally().without_file;
      back += restorer->tally().back;
      set_back += restorer->tally().set_back;
    }
    if (back + set_back > 0)
      run.note(Level::info, fmt::format("of rows that referred to these {} are back, and {} refer to them again",
                                        format_count(back), format_count(set_back)));
    if (without_file > 0)
      run.note(Level::info, fmt::format("{} of the rows came without a file: theirs was missing already when they were "
                                        "archived",
                                        format_count(without_file)));
    if (damaged == 0) return {};
    return fail(Kind::corrupt, fmt::format("{} of the copies are damaged or gone; all others are back", damaged),
                "`steward archive verify` names them; bring them back from a copy of the cold storage.");
  }

 private:
  Result<const Home*> home(const manifest::Header& header) const {
    if (const Home* found = home_of(settings_.homes, header.task, header.table, !header.file_column.empty()))
      return found;
    return fail(Kind::bad_input, fmt::format("no task is configured that says where {} belongs", header.table),
                "Configure a task on that table with this archive; enabled: false will do.", "not-configured");
  }

  /// A hint for who looks for what is archived with rows of another table.
  Result<std::string> lies_with(object::Store& store) const {
    if (!request_.table.empty())
      for (const manifest::Listed& listed : TRY(manifest::list(store, ""))) {
        const manifest::Header header = TRY(header_of(store, listed));
        for (const std::string& table : header.referring)
          if (names_table(request_.table, table))
            return fmt::format("What went from there with rows of {0} comes back with them: --table {0}.",
                               header.table);
      }
    return "Look with `steward archive list`.";
  }

  Result<std::unique_ptr<Restorer>> open(const Home& home, object::Store& archive, RunContext& run) const {
    auto db = TRY(sql::connect(home.database));
    SourceFiles files = TRY(SourceFiles::open(home.root, settings_.s3, home.urls));
    return make_restorer(std::move(db), std::move(files), archive, run);
  }

  std::string filter() const {
    std::string text = "archived";
    if (!request_.run.empty()) text += " by run " + request_.run;
    if (!request_.table.empty()) text += " from " + request_.table;
    if (!request_.keys.empty()) text += fmt::format(" with key {}", fmt::join(request_.keys, ", "));
    return text;
  }

  TaskInfo info_;
  RestoreSettings settings_;
  RestoreRequest request_;
};

}  // namespace

const Home* home_of(std::span<const Home> homes, std::string_view task, std::string_view table, bool with_files) {
  std::vector<const Home*> fit;
  for (const Home& home : homes)
    if (!with_files || !home.root.empty()) fit.push_back(&home);
  for (const Home* home : fit)
    if (home->task == task && names_table(home->table, table)) return home;
  for (const Home* home : fit)
    if (names_table(home->table, table)) return home;
  const bool one = !fit.empty() && std::ranges::all_of(fit, [&](const Home* home) {
    return home->database.url == fit.front()->database.url && home->root == fit.front()->root;
  });
  return one ? fit.front() : nullptr;
}

Result<bool> has_any(const object::StoreTarget& target, const RestoreRequest& request) {
  const auto archive = manifest::Archive::read(target);
  if (!archive && archive.error().kind == Kind::not_found) return false;
  if (!archive) return std::unexpected(archive.error());
  bool found = false;
  const auto looked =
      each_selected(archive->store(), request,
                    [&](const manifest::Header&, const Item&, const ArchivedRow&, const std::string&) -> Result<void> {
                      found = true;
                      return fail(Kind::interrupted, "one is enough");
                    });
  if (found) return true;
  TRY(looked);
  return false;
}

std::unique_ptr<Task> restore_archived(TaskInfo info, RestoreSettings settings, RestoreRequest request) {
  return std::make_unique<Restore>(std::move(info), std::move(settings), std::move(request));
}

}  // namespace steward::retention
