#include "jobs/retention/forget.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "jobs/retention/archived_rows.h"
#include "jobs/retention/forgetting.h"
#include "jobs/retention/row_step.h"
#include "run/locks.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"

namespace steward::retention {
namespace {

using manifest::Item;

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
                        const Forgetting::Covered found = TRY(covered_of(archive.store(), header, item));
                        if (found.rows > 0)
                          step.planned.add(found.rows, item.rows == 0 ? std::optional(item.size) : std::nullopt);
                        if (found.referring > 0) step.planned.add(found.referring);
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
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    std::set<std::string> tables{request_.table};  // and those whose manifests have what referred from there
    for (const manifest::Listed& listed : TRY(manifest::list(archive.store(), ""))) {
      const manifest::Header header = TRY(header_of(archive.store(), listed));
      if (has_referring(header)) tables.insert(header.table);
    }
    std::set<std::pair<std::string, std::string>> taken;
    for (const std::string& table : tables)
      if (const Home* home = home_of(settings_.homes, "", table, false);
          home != nullptr && taken.emplace(home->database.url, lock_name(table)).second)
        locks.push_back(TRY(lock_in_database(home->database, lock_name(table))));
    return locks;
  }

  Result<void> execute(const Step&, RunContext& run) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    object::Store& store = archive.store();
    const Forgetting forgetting(settings_.archive, store, request_.reason);
    for (const manifest::Listed& listed : TRY(manifest::list(store, ""))) {
      const Concern concern = TRY(concern_of(store, listed));
      if (!concern.any()) continue;
      if (!listed.finished)
        return fail(Kind::refused, fmt::format("run {} has not ended: its manifest cannot be written anew", listed.run),
                    "Let it end, or run `steward run cleanup`, which finishes it; then forget again.", "unfinished");
      TRY(run.checkpoint("forget: manifest"));
      bool done = false;
      while (!done) {
        const Holds holds = *TRY(run.holds());
        for (const std::string& key : keys_)
          if (is_held(holds, key)) return std::unexpected(held());
        if (concern.rows > 0)
          done = TRY(forgetting.forget(listed, goes(TRY(header_of(store, listed))), concern.items, holds, run))
                     .has_value();
        else
          TRY(forgetting.remove_superseded(listed, run)), done = true;
      }
      if (concern.rows > 0) run.done(concern.rows);
      TRY(run.checkpoint("forget: done"));
      TRY(forgetting.remove_half_written(listed.folder));
    }
    return {};
  }

 private:
  /// What a manifest has to do with the request.
  struct Concern {
    std::uint64_t rows = 0, items = 0;
    bool superseded = false;
    bool any() const { return rows > 0 || superseded; }
  };

  bool covers(const manifest::Header& header) const { return has_rows(header) || has_referring(header); }
  bool has_rows(const manifest::Header& header) const { return names_table(request_.table, header.table); }
  /// Whether rows of the table may lie with those of another one.
  bool has_referring(const manifest::Header& header) const {
    return std::ranges::any_of(header.referring,
                               [&](const std::string& table) { return names_table(request_.table, table); });
  }

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
      const manifest::Header header = TRY(header_of(store, listed));
      if (!covers(header)) continue;
      TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
        TRY(take(listed, header, item));
        return true;
      }));
    }
    return {};
  }

  Forgetting::Goes goes(const manifest::Header& header) const {
    Forgetting::Goes goes;
    goes.row = [this, rows = has_rows(header)](const Item&, const std::string& key,
                                               std::span<const manifest::Referring>) -> Result<bool> {
      return rows && keys_.contains(key);
    };
    goes.referring = [this](const manifest::Referring& one) -> Result<bool> {
      return names_table(request_.table, one.table) && keys_.contains(TRY(key_text_of(one)));
    };
    return goes;
  }

  /// What of an item the request covers.
  Result<Forgetting::Covered> covered_of(object::Store& store, const manifest::Header& header, const Item& item) const {
    const Forgetting forgetting(settings_.archive, store, request_.reason);
    return forgetting.covered(header, item, goes(header));
  }

  Result<Concern> concern_of(object::Store& store, const manifest::Listed& listed) const {
    Concern concern;
    const manifest::Header header = TRY(header_of(store, listed));
    if (!covers(header)) return concern;
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      const Forgetting::Covered found = TRY(covered_of(store, header, item));
      const std::uint64_t rows = found.rows + found.referring;
      concern.rows += rows;
      concern.items += rows > 0 ? 1 : 0;
      concern.superseded = concern.superseded || !item.superseded.empty();
      return true;
    }));
    return concern;
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
