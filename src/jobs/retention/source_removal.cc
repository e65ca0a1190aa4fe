// The last act on an item: its source goes, unless somebody needs it, or it is not what was archived.

#include <fmt/format.h>

#include "jobs/retention/archive_files.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/recovery.h"
#include "jobs/retention/row_step.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;
using manifest::State;

void keep(Item& item, std::string reason) {
  item.state = State::source_kept;
  item.reason = std::move(reason);
}

/// Brings the items of a dead run to an end: those whose rows are gone go on, the others are undone.
class Settling {
 public:
  Settling(const Table& table, manifest::Archive& archive, SourceRemoval& removal, const std::string& folder)
      : table_(table), archive_(archive), removal_(removal), folder_(folder) {}

  Result<void> settle(const manifest::Header& header, std::vector<Item>& open, manifest::Writer& writer) {
    std::set<std::string> there = TRY(keys_there(open));
    std::vector<Item*> gone, undone;
    for (Item& item : open) {
      const bool deleted =
          item.state == State::row_gone || (item.state == State::verified && !there.contains(item.key));
      (deleted ? gone : undone).push_back(&item);
    }
    for (Item* item : gone) item->state = State::row_gone;
    TRY(writer.record(std::span<Item* const>(gone)));
    TRY(removal_.remove(gone));
    return undo(header, undone);
  }

 private:
  Result<std::set<std::string>> keys_there(const std::vector<Item>& items) {
    std::set<std::string> there;
    std::vector<sql::Row> keys;
    for (const Item& item : items) {
      const ArchivedRow row = TRY(archived_row(item.row));
      keys.push_back(TRY(row.values_of(table_.info().primary_key)));
    }
    for (const sql::Row& row : TRY(table_.there(keys))) there.insert(manifest::key_text(row));
    return there;
  }

  /// The row is there: what was copied for it is spare, and goes, unless another manifest names it.
  Result<void> undo(const manifest::Header& header, std::span<Item* const> items) {
    std::vector<std::string> copies;
    for (const Item* item : items)
      if (!item->missing) copies.push_back(item->copy);
    const std::vector<std::string> named = TRY(named_elsewhere(archive_.store(), folder_, header.run, copies));
    for (Item* item : items) {
      // In the state planned the copy may be there without a record that this run made it; no other manifest names it,
      // so it is ours.
      const bool spare = !item->missing && (item->made || item->state == State::planned) &&
                         std::ranges::find(named, item->copy) == named.end();
      item->state = State::undone;
      item->reason = "interrupted";
      if (spare) TRY(archive_.store().remove({.key = item->copy}));
    }
    return {};
  }

  const Table& table_;
  manifest::Archive& archive_;
  SourceRemoval& removal_;
  std::string folder_;
};

}  // namespace

std::string SourceRemoval::token(const Item& item) const { return fmt::format("{}-{}", token_, item.number); }

Result<std::set<std::string>> SourceRemoval::needed(std::span<Item* const> items) {
  std::vector<std::string> files, objects;
  for (const Item* item : items) (item->source.starts_with("s3://") ? objects : files).push_back(item->source);
  std::set<std::string> found = TRY(needs_.files(files));
  found.merge(TRY(needs_.objects(objects)));
  return found;
}

Result<void> SourceRemoval::remove(std::span<Item* const> all) {
  std::vector<Item*> items;
  for (Item* item : all)
    if (item->missing)
      item->state = State::source_gone;  // whatever lies there now came later
    else
      items.push_back(item);
  if (items.empty()) return {};
  std::vector<Item*> aside;
  TRY(move_aside(items, aside));
  TRY(run_.checkpoint("archive-files: moved aside"));
  const std::set<std::string> still = TRY(needed(aside));  // a row may have come meanwhile
  for (Item* item : aside) {
    TRY(run_.checkpoint("archive-files: remove source"));
    TRY(finish(*item, still.contains(item->source)));
  }
  return {};
}

Result<void> SourceRemoval::move_aside(std::span<Item* const> items, std::vector<Item*>& aside) {
  const std::set<std::string> now = TRY(needed(items));
  const Holds* holds = TRY(run_.holds());
  for (Item* item : items) {
    const Location location = files_.at(item->source);
    const bool held = (location.place == Place::object ? holds->covers_object("s3://" + location.bucket, location.key)
                                                       : holds->covers_file(item->source))
                          .has_value();
    if (now.contains(item->source)) {
      std::string elsewhere;
      TRY(files_.move_back(location, token(*item), elsewhere));
      keep(*item, "a row needs it");
      continue;
    }
    if (held) {
      std::string elsewhere;
      TRY(files_.move_back(location, token(*item), elsewhere));
      keep(*item, "held");
      continue;
    }
    const auto moved = files_.move_aside(location, token(*item));
    if (!moved && moved.error().kind != Kind::refused && moved.error().kind != Kind::permission)
      return std::unexpected(moved.error());
    if (!moved) {
      keep(*item, moved.error().kind == Kind::permission ? "no right to remove it" : "no longer a plain file");
      run_.note(Level::warning, moved.error().message);
    } else if (*moved) {
      aside.push_back(item);
    } else {
      item->state = State::source_gone;  // another row's item took it, or somebody else did
    }
  }
  return {};
}

Result<void> SourceRemoval::finish(Item& item, bool needed) {
  const Location location = files_.at(item.source);
  std::string kept_at;
  if (needed) {
    TRY(files_.move_back(location, token(item), kept_at));
    keep(item, "a row needs it");
  } else if (TRY(files_.remove_aside(location, token(item), item.sha256, kept_at))) {
    item.state = State::source_gone;
  } else {
    keep(item, "changed since it was archived");
  }
  if (!kept_at.empty()) item.reason += fmt::format("; it is at {}", kept_at);
  if (item.state == State::source_kept) run_.note(Level::info, fmt::format("{} stays: {}", item.source, item.reason));
  return {};
}

Result<void> recover_file_rows(const FileRowParts& parts, RunContext& run) {
  const FileRowPolicy& policy = parts.policy;
  const Table table = TRY(Table::open(policy.rows));
  manifest::Archive archive =
      TRY(manifest::Archive::open(policy.archive.store, run.ledger(), run.clock(), run.environment()));
  SourceFiles files = TRY(SourceFiles::open(policy.root, policy.s3, policy.urls));
  const std::string folder = archive_folder(policy.archive, table);
  std::optional<Needs> needs;
  return recover_manifests(
      archive.store(), folder, parts.info.name, table.db().identity(), run,
      [&](const manifest::Header& header, std::vector<Item>& open, manifest::Writer& writer) -> Result<void> {
        if (open.empty()) return {};
        if (!needs) needs = TRY(Needs::open(parts.out_of_reach.needed, ""));
        SourceRemoval removal(files, *needs, run, header.run);
        return Settling(table, archive, removal, folder).settle(header, open, writer);
      });
}

}  // namespace steward::retention
