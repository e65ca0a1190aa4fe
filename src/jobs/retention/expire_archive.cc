// An archive's own retention: what a task archived so long ago is purged from the archive, for good.

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/forgetting.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/row_step.h"
#include "jobs/retention/table.h"
#include "run/manifest/archive.h"

namespace steward::retention {
namespace {

using manifest::Item;

/// A manifest is written anew for so many items at a time: what one pass names as superseded is kept in memory.
constexpr std::uint64_t items_in_pass = 10'000;

/// What goes of one table's rows, as far as these holds say. What a restore has brought back is held, too.
Forgetting::Goes unheld(const Holds& holds, const std::string& table) {
  if (holds.list().empty()) return {};
  const auto covers = [&holds](const std::string& of, const std::string& key) {
    return holds.covers_row(of, key) ||
           // Whether an archived row meets a condition is not asked: one that may be meant stays.
           std::ranges::any_of(holds.list(), [&](const ledger::Hold& hold) {
             return hold.kind == "row" && !hold.condition.empty() && names_table(hold.target, of) &&
                    (hold.prefix ? key.starts_with(hold.key) : key == hold.key);
           });
  };
  Forgetting::Goes goes;
  goes.row = [&holds, covers, table](const Item& item, const std::string& key,
                                     std::span<const manifest::Referring> referring) -> Result<bool> {
    if (covers(table, key)) return false;
    for (const manifest::Referring& one : referring)
      if (covers(one.table, TRY(key_text_of(one)))) return false;
    if (!item.source.starts_with("s3://")) return item.source.empty() || !holds.covers_file(item.source);
    const std::size_t slash = item.source.find('/', 5);
    return !holds.covers_object(item.source.substr(0, slash),
                                item.source.substr(std::min(item.source.size(), slash + 1)));
  };
  return goes;
}

class ExpireArchive final : public Task {
 public:
  ExpireArchive(TaskInfo info, RowRules rows, ArchiveRules archive)
      : info_(std::move(info)), rows_(std::move(rows)), archive_(std::move(archive)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    const Table table = TRY(Table::open(rows_));
    const std::string folder = archive_folder(archive_, table);
    Step step{.target = fmt::format("{}/{}", archive_.store.url, folder),
              .identity = table.db().identity(),
              .age = format_age(*archive_.keep),
              .strategy = "name what goes in the manifests, remove it, and leave that it was there",
              .filter = fmt::format("archived from {} before the cutoff; not held", table.name()),
              .reason = reason(),
              .cutoff = context.cutoff.value_or(before(context.now, *archive_.keep)),
              .final = true};
    step.planned.bytes = Bytes{};
    step.population = 0;
    Skips skips;
    std::uint64_t superseded = 0;
    TRY(each_manifest(folder, [&](object::Store& store, const manifest::Listed& listed) -> Result<void> {
      const Seen seen = TRY(look(store, listed, context.holds));
      *step.population += seen.archived;
      if (!is_old(seen.header, step.cutoff)) return {};
      superseded += seen.superseded;
      if (!listed.finished && seen.archived > 0) {
        skips.add("its run has not ended", listed.run, seen.archived);
        return {};
      }
      if (seen.archived > seen.goes) skips.add("held", listed.run, seen.archived - seen.goes);
      if (seen.goes == 0) return {};
      step.planned.add(seen.goes, seen.bytes);
      const Instant began = seen.header.began;
      if (!step.oldest || began < *step.oldest) step.oldest = began;
      if (!step.newest || began > *step.newest) step.newest = began;
      if (step.samples.size() < 3)
        step.samples.push_back({.item = fmt::format("{} rows of run {}", format_count(seen.goes), listed.run),
                                .at = began,
                                .size = seen.bytes});
      return {};
    }));
    step.skipped = skips.list();
    if (superseded > 0)
      step.notes.push_back(fmt::format("{} copies of an earlier purge are still to be removed", superseded));
    const auto store = object::open(archive_.store);
    if (store)
      if (const auto versioning = (*store)->versioning(); versioning && *versioning != object::Versioning::never)
        step.notes.emplace_back(
            "the bucket keeps older versions: what is removed here stays in them until they are removed");
    step.brake = TRY(table.clock(context.now));
    return step;
  }

  /// Its table's: whoever archives from there is kept out, and whoever forgets.
  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_table(rows_); }

  Result<void> execute(const Step& step, RunContext& run) const override {
    const Table table = TRY(Table::open(rows_));
    std::uint64_t left = step.planned.items;
    return each_manifest(archive_folder(archive_, table),
                         [&](object::Store& store, const manifest::Listed& listed) -> Result<void> {
                           return purge(store, listed, step.cutoff, left, run);
                         });
  }

 private:
  struct Seen {
    manifest::Header header{};
    std::uint64_t archived = 0;    ///< Rows in it that left the database,
    std::uint64_t goes = 0;        ///< and those of them that no hold keeps.
    std::uint64_t superseded = 0;  ///< Copies that somebody who died was removing.
    Bytes bytes{};
  };

  std::string reason() const { return fmt::format("archived more than {} ago", format_age(*archive_.keep)); }

  /// A manifest that does not say when it was begun is not old.
  static bool is_old(const manifest::Header& header, Instant cutoff) {
    return header.began != Instant{} && header.began < cutoff;
  }

  Result<void> each_manifest(const std::string& folder,
                             const std::function<Result<void>(object::Store&, const manifest::Listed&)>& take) const {
    const auto archive = manifest::Archive::read(archive_.store);
    if (!archive && archive.error().kind == Kind::not_found) return {};  // nothing was archived yet
    if (!archive) return std::unexpected(archive.error());
    for (const manifest::Listed& listed : TRY(manifest::list(archive->store(), folder)))
      if (listed.folder == folder) TRY(take(archive->store(), listed));
    return {};
  }

  Forgetting forgetting(object::Store& store) const { return {archive_.store, store, reason()}; }

  Result<Seen> look(object::Store& store, const manifest::Listed& listed, const Holds& holds) const {
    Seen seen;
    seen.header = TRY(header_of(store, listed));
    const Forgetting::Goes goes = unheld(holds, seen.header.table);
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      seen.superseded += item.superseded.size();
      if (!left_the_database(item)) return true;
      const std::uint64_t archived = TRY(forgetting(store).covered(seen.header, item, {})).archived;
      const std::uint64_t goes_of_it =
          goes.row ? TRY(forgetting(store).covered(seen.header, item, goes)).archived : archived;
      seen.archived += archived;
      seen.goes += goes_of_it;
      if (goes_of_it > 0) seen.bytes += item.size;
      return true;
    }));
    return seen;
  }

  Result<void> purge(object::Store& store, const manifest::Listed& listed, Instant cutoff, std::uint64_t& left,
                     RunContext& run) const {
    if (!listed.finished || !is_old(TRY(header_of(store, listed)), cutoff)) return {};
    bool removed = false;
    while (true) {
      TRY(run.checkpoint("expire-archive: manifest"));
      const Holds holds = *TRY(run.holds());
      const Seen seen = TRY(look(store, listed, holds));
      if (seen.superseded > 0) {
        TRY(forgetting(store).remove_superseded(listed, run));
        removed = true;
      }
      if (seen.goes == 0) break;
      if (seen.goes > left) {  // a hold was released since: the next plan counts them
        run.skip("more than was planned", listed.run, seen.goes);
        break;
      }
      const auto done =
          TRY(forgetting(store).forget(listed, unheld(holds, seen.header.table), items_in_pass, holds, run));
      if (!done) continue;  // the holds have changed
      left -= std::min(left, done->rows);
      run.done(done->rows, done->bytes);
      removed = true;
    }
    return removed ? forgetting(store).remove_half_written(listed.folder) : Result<void>{};
  }

  TaskInfo info_;
  RowRules rows_;
  ArchiveRules archive_;
};

}  // namespace

std::unique_ptr<Task> expire_archive(TaskInfo info, RowRules rows, ArchiveRules archive) {
  return std::make_unique<ExpireArchive>(std::move(info), std::move(rows), std::move(archive));
}

}  // namespace steward::retention
