#include "jobs/retention/forget.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "core/digest.h"
#include "io/files/compression.h"
#include "io/files/folder.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/recovery.h"
#include "jobs/retention/row_step.h"
#include "run/locks.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;
using manifest::State;

/// The name of the segment that takes the place of one: "…-000001.jsonl.zst", "…-000001.1.jsonl.zst", "…-000001.2…".
/// Not made up anew: what a forget that was killed has left under it is overwritten by the next one, and so is never
/// left behind with rows that are forgotten later.
std::string next_segment(std::string_view copy) {
  const std::size_t dot = copy.find('.', copy.rfind('/') + 1);
  const std::string_view rest = copy.substr(dot + 1);
  std::uint64_t generation = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), generation);  // none: the first one
  return fmt::format("{}.{}.jsonl.zst", copy.substr(0, dot), generation + 1);
}

bool left_the_database(const Item& item) {
  return item.state == State::row_gone || item.state == State::source_gone || item.state == State::source_kept;
}

class Forget final : public Task {
 public:
  Forget(TaskInfo info, RestoreSettings settings, ForgetRequest request)
      : info_(std::move(info)),
        settings_(std::move(settings)),
        request_(std::move(request)),
        keys_(request_.keys.begin(), request_.keys.end()) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    Step step{.target = archive.shown(),
              .strategy = "remove copies, write segments and manifests anew without them",
              .filter = fmt::format("{} rows of {}, by key", keys_.size(), request_.table),
              .reason = "asked for: " + request_.reason,
              .cutoff = context.now,
              .final = true};
    std::uint64_t left = 0;
    TRY(each_manifest(archive.store(),
                      [&](const manifest::Listed&, const manifest::Header& header, const Item& item) -> Result<void> {
                        const std::uint64_t found = TRY(covered_rows(archive.store(), header, item));
                        if (found > 0)
                          step.planned.add(found, item.rows == 0 ? std::optional(item.size) : std::nullopt);
                        left += item.superseded.size();
                        return {};
                      }));
    for (const std::string& key : keys_)
      if (is_held(context.holds, key)) step.brake = held();
    if (left > 0) step.notes.push_back(fmt::format("{} copies of an earlier forget are still to be removed", left));
    if (step.planned.items == 0 && left == 0)
      return fail(Kind::not_found,
                  fmt::format("nothing in {} is archived under these keys of {}", archive.shown(), request_.table),
                  "Look with `steward archive list`; a key of several columns is a JSON list: --key '[\"17\",\"3\"]'.");
    if (const auto versioning = archive.store().versioning(); versioning && *versioning != object::Versioning::never)
      step.notes.emplace_back(
          "the bucket keeps older versions: what is removed here stays in them until they are removed");
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    if (const Home* home = home_of(settings_.homes, "", request_.table, false))
      locks.push_back(TRY(lock_in_database(home->database, lock_name(request_.table))));
    return locks;
  }

  Result<void> execute(const Step&, RunContext& run) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    object::Store& store = archive.store();
    for (const manifest::Listed& listed : TRY(manifest::list(store, ""))) {
      const Concern concern = TRY(concern_of(store, listed));
      if (!concern.any()) continue;
      if (!listed.finished)
        return fail(Kind::refused, fmt::format("run {} has not ended: its manifest cannot be written anew", listed.run),
                    "Let it end, or run `steward run cleanup`, which finishes it; then forget again.", "unfinished");
      TRY(run.checkpoint("forget: manifest"));
      for (const std::string& key : keys_)
        if (is_held(*TRY(run.holds()), key)) return std::unexpected(held());
      TRY(forget_in(store, listed, concern, run));
      TRY(remove_half_written(listed.folder));
    }
    return {};
  }

 private:
  /// What a manifest has to do with the request.
  struct Concern {
    std::uint64_t rows = 0;
    bool superseded = false;
    bool any() const { return rows > 0 || superseded; }
  };

  bool covers(const manifest::Header& header) const { return names_table(request_.table, header.table); }

  bool is_held(const Holds& holds, const std::string& key) const {
    return std::ranges::any_of(holds.list(), [&](const ledger::Hold& hold) {
      // Restores hold what they bring back, in the database; what a person holds is held everywhere.
      return hold.who != "steward" && hold.kind == "row" &&
             (names_table(hold.target, request_.table) || names_table(request_.table, hold.target)) &&
             (hold.prefix ? key.starts_with(hold.key) : key == hold.key);
    });
  }

  Error held() const {
    return {.kind = Kind::held,
            .message = "a hold covers what is to be forgotten",
            .hint = "Look with `steward hold list`; `steward hold release` ends it.",
            .code = "held"};
  }

  Result<void> each_manifest(
      object::Store& store,
      const std::function<Result<void>(const manifest::Listed&, const manifest::Header&, const Item&)>& take) const {
    for (const manifest::Listed& listed : TRY(manifest::list(store, ""))) {
      const manifest::Header header =
          TRY(manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; }));
      if (!covers(header)) continue;
      TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
        TRY(take(listed, header, item));
        return true;
      }));
    }
    return {};
  }

  /// How many rows of an item the request covers.
  Result<std::uint64_t> covered_rows(object::Store& store, const manifest::Header& header, const Item& item) const {
    if (!left_the_database(item)) return 0;
    if (item.rows == 0) return keys_.contains(item.key) ? 1 : 0;
    std::uint64_t found = 0;
    TRY(each_archived_row(store, item, [&](const ArchivedRow& row) -> Result<bool> {
      found += keys_.contains(manifest::key_text(TRY(row.values_of(header.key_columns))));
      return true;
    }));
    return found;
  }

  Result<Concern> concern_of(object::Store& store, const manifest::Listed& listed) const {
    Concern concern;
    const manifest::Header header =
        TRY(manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; }));
    if (!covers(header)) return concern;
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      concern.rows += TRY(covered_rows(store, header, item));
      concern.superseded = concern.superseded || !item.superseded.empty();
      return true;
    }));
    return concern;
  }

  /// What a crash left half written in a table's folder may hold what is forgotten, and no listing of the store shows
  /// it. The table's lock keeps out whoever writes there.
  Result<void> remove_half_written(const std::string& folder) const {
    if (!settings_.archive.url.starts_with("file://")) return {};
    const files::Folder place = TRY(files::Folder::open(settings_.archive.url.substr(7) + '/' + folder));
    return place.walk({}, [&](const files::Found& found) -> Result<bool> {
      const std::size_t name = found.path.rfind('/') + 1;  // npos + 1 is 0
      if (std::string_view(found.path).substr(name).starts_with(files::temporary_prefix)) TRY(place.unlink(found.path));
      return true;
    });
  }

  /// First the manifest names what is to go and no longer what it was; then it goes; then nothing names it.
  Result<void> forget_in(object::Store& store, const manifest::Listed& listed, const Concern& concern,
                         RunContext& run) const {
    const manifest::Header header =
        TRY(manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; }));
    if (concern.rows > 0) {
      TRY(manifest::rewrite(store, listed, run.state(), [&](Item& item) -> Result<void> {
        const std::uint64_t found = TRY(covered_rows(store, header, item));
        if (found == 0) return {};
        TRY(run.checkpoint("forget: item"));
        return item.rows == 0 ? forget_file(item) : forget_rows(store, header, item, found);
      }));
      TRY(run.checkpoint("forget: recorded"));
    }
    std::vector<std::string> copies;
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      copies.insert(copies.end(), item.superseded.begin(), item.superseded.end());
      return true;
    }));
    const std::vector<std::string> needed = TRY(named_elsewhere(store, listed.folder, listed.run, copies));
    for (const std::string& copy : copies)
      if (std::ranges::find(needed, copy) == needed.end()) TRY(store.remove({.key = copy}));
    TRY(run.checkpoint("forget: removed"));
    TRY(manifest::rewrite(store, listed, run.state(), [](Item& item) -> Result<void> {
      item.superseded.clear();
      return {};
    }));
    if (concern.rows > 0) run.done(concern.rows);
    return run.checkpoint("forget: done");
  }

  Result<void> forget_file(Item& item) const {
    std::vector<std::string> copies;
    if (!item.missing) copies.push_back(item.copy);
    item = {
        .number = item.number, .state = State::forgotten, .reason = request_.reason, .superseded = std::move(copies)};
    return {};
  }

  /// A new segment without these rows; the item is about that one from now on. Without any row left it is forgotten.
  Result<void> forget_rows(object::Store& store, const manifest::Header& header, Item& item,
                           std::uint64_t found) const {
    const std::string old = item.copy;
    std::erase_if(item.kept, [&](const std::string& key) { return keys_.contains(key); });
    if (found == item.rows) {
      item = {.number = item.number, .state = State::forgotten, .reason = request_.reason, .superseded = {old}};
      return {};
    }
    StringSink text;  // a segment has 16 MiB at the most
    files::ZstdSink zstd(text);
    std::string first;
    TRY(each_archived_row(store, item, [&](const ArchivedRow& row) -> Result<bool> {
      const std::string key = manifest::key_text(TRY(row.values_of(header.key_columns)));
      if (keys_.contains(key)) return true;
      if (first.empty()) first = key;
      const std::string line = manifest::row_to_json(row.columns, row.values).dump() + '\n';
      TRY(zstd.write(std::as_bytes(std::span(line))));
      return true;
    }));
    TRY(zstd.finish());
    item.copy = next_segment(old);
    StringSource source(text.text);
    TRY(store.put(item.copy, source, {.size = Bytes{text.text.size()}}));
    item.key = first;
    item.sha256 = sha256_hex(text.text);
    item.size = Bytes{text.text.size()};
    item.rows -= found;
    item.superseded = {old};
    return verify_copy(store, item);
  }

  TaskInfo info_;
  RestoreSettings settings_;
  ForgetRequest request_;
  std::set<std::string> keys_;
};

}  // namespace

std::unique_ptr<Task> forget_archived(TaskInfo info, RestoreSettings settings, ForgetRequest request) {
  return std::make_unique<Forget>(std::move(info), std::move(settings), std::move(request));
}

}  // namespace steward::retention
