#include "run/ledger/holds.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/ledger/audit_trail.h"

namespace steward::ledger {
namespace {

constexpr std::string_view columns =
    "id, kind, target, hold_key, is_prefix, reason, who, made, hold_until, released, released_by, condition";

constexpr std::string_view freeze_columns = "id, reason, who, made, freeze_until, lifted, lifted_by";

Hold hold_of(const sql::Row& row) {
  return {.id = text_of(row.at(0)),
          .kind = text_of(row.at(1)),
          .target = text_of(row.at(2)),
          .key = text_of(row.at(3)),
          .prefix = flag_of(row.at(4)),
          .condition = text_of(row.at(11)),
          .reason = text_of(row.at(5)),
          .who = text_of(row.at(6)),
          .made = instant_of(row.at(7)),
          .until = optional_instant_of(row.at(8)),
          .released = optional_instant_of(row.at(9)),
          .released_by = text_of(row.at(10))};
}

std::string detail_of(const Hold& hold) {
  nlohmann::ordered_json detail{{"kind", hold.kind},
                                {"target", hold.target},
                                {"key", hold.key},
                                {"prefix", hold.prefix},
                                {"reason", hold.reason}};
  if (!hold.condition.empty()) detail["condition"] = hold.condition;
  return detail.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<void> raise_generation(LedgerDatabase& db) {
  TRY(db.execute("update @meta set value = cast(cast(value as bigint) + 1 as text) where name = 'hold_generation'"));
  return {};
}

Result<void> add(LedgerDatabase& db, const Hold& hold) {
  TRY(db.execute(
      fmt::format("insert into @holds ({}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)", columns),
      {stored(hold.id), stored(hold.kind), stored(hold.target), stored(hold.key), stored(hold.prefix),
       stored(hold.reason), stored(hold.who), stored(hold.made), stored(hold.until), stored(hold.released),
       stored(hold.released_by), stored(hold.condition)}));
  const std::string detail = detail_of(hold);
  return append(db, {hold.who, "hold.add", hold.id, detail, hold.made});
}

}  // namespace

Result<void> add_holds(LedgerDatabase& db, std::span<const Hold> holds) {
  if (holds.empty()) return {};
  return db.change([&]() -> Result<void> {
    for (const Hold& hold : holds) TRY(add(db, hold));
    return raise_generation(db);
  });
}

Result<void> release_hold(LedgerDatabase& db, std::string_view id, std::string_view who, Instant now) {
  return db.change([&]() -> Result<void> {
    const std::int64_t changed =
        TRY(db.execute("update @holds set released = ?2, released_by = ?3 where id = ?1 and released is null",
                       {stored(id), stored(now), stored(who)}));
    if (changed > 0) {
      TRY(raise_generation(db));
      return append(db, {who, "hold.release", id, "{}", now});
    }
    const sql::Rows rows = TRY(db.query("select released_by from @holds where id = ?1", {stored(id)}));
    if (rows.rows.empty())
      return fail(Kind::not_found, fmt::format("there is no hold \"{}\"", printable(id)),
                  "`steward hold list` shows them.");
    return fail(Kind::refused, fmt::format("hold {} was released already, by {}", id, text_of(rows.rows[0][0])), {},
                "released");
  });
}

Result<std::vector<Hold>> find_holds(LedgerDatabase& db, Instant now, bool all) {
  const sql::Rows rows = TRY(db.query(
      fmt::format(
          "select {} from @holds where ?1 = 1 or (released is null and (hold_until is null or hold_until > ?2)) "
          "order by made, id",
          columns),
      {stored(all), stored(now)}));
  std::vector<Hold> out;
  for (const sql::Row& row : rows.rows) out.push_back(hold_of(row));
  return out;
}

Result<std::int64_t> hold_generation(LedgerDatabase& db) {
  const sql::Rows rows = TRY(db.query("select value from @meta where name = 'hold_generation'"));
  // Without it no run could see a new hold: better to stop than to go on with the old ones.
  if (rows.rows.empty())
    return fail(Kind::corrupt, fmt::format("the ledger {} has lost its hold generation", db.shown()));
  return sql::to_integer(rows.rows[0][0]);
}

Result<void> add_freeze(LedgerDatabase& db, const Freeze& freeze) {
  return db.change([&]() -> Result<void> {
    TRY(db.execute(fmt::format("insert into @freezes ({}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)", freeze_columns),
                   {stored(freeze.id), stored(freeze.reason), stored(freeze.who), stored(freeze.made),
                    stored(freeze.until), stored(freeze.lifted), stored(freeze.lifted_by)}));
    TRY(raise_generation(db));
    const nlohmann::ordered_json detail{
        {"reason", freeze.reason},
        {"until", freeze.until ? nlohmann::ordered_json(format_instant(*freeze.until)) : nullptr}};
    return append(db, {freeze.who, "freeze.set", freeze.id,
                       detail.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), freeze.made});
  });
}

Result<void> lift_freeze(LedgerDatabase& db, std::string_view id, std::string_view who, Instant now) {
  return db.change([&]() -> Result<void> {
    const std::int64_t changed =
        TRY(db.execute("update @freezes set lifted = ?2, lifted_by = ?3 where id = ?1 and lifted is null",
                       {stored(id), stored(now), stored(who)}));
    if (changed > 0) {
      TRY(raise_generation(db));
      return append(db, {who, "freeze.lift", id, "{}", now});
    }
    const sql::Rows rows = TRY(db.query("select lifted_by from @freezes where id = ?1", {stored(id)}));
    if (rows.rows.empty())
      return fail(Kind::not_found, fmt::format("there is no freeze \"{}\"", printable(id)),
                  "`steward freeze list` shows them.");
    return fail(Kind::refused, fmt::format("freeze {} was lifted already, by {}", id, text_of(rows.rows[0][0])), {},
                "lifted");
  });
}

Result<std::vector<Freeze>> find_freezes(LedgerDatabase& db, Instant now, bool all) {
  const sql::Rows rows = TRY(db.query(
      fmt::format("select {} from @freezes where ?1 = 1 or (lifted is null and (freeze_until is null or freeze_until > "
                  "?2)) order by made, id",
                  freeze_columns),
      {stored(all), stored(now)}));
  std::vector<Freeze> out;
  for (const sql::Row& row : rows.rows)
    out.push_back({.id = text_of(row.at(0)),
                   .reason = text_of(row.at(1)),
                   .who = text_of(row.at(2)),
                   .made = instant_of(row.at(3)),
                   .until = optional_instant_of(row.at(4)),
                   .lifted = optional_instant_of(row.at(5)),
                   .lifted_by = text_of(row.at(6))});
  return out;
}

Result<void> remember_archive(LedgerDatabase& db, std::string_view location, std::string_view id, Instant now) {
  return db.change([&]() -> Result<void> {
    TRY(db.execute("insert into @archives (location, id, first_seen) values (?1, ?2, ?3) on conflict do nothing",
                   {stored(location), stored(id), stored(now)}));
    const sql::Rows rows = TRY(db.query("select id from @archives where location = ?1", {stored(location)}));
    const std::string known = text_of(rows.rows.at(0).at(0));
    if (known == id) return {};
    return fail(Kind::refused,
                fmt::format("{} carries archive {}, where archive {} was before", printable(location), printable(id),
                            printable(known)),
                "Is the right disk or bucket mounted there? Nothing was written to it.", "archive-changed");
  });
}

Result<std::vector<ArchiveRecord>> archives(LedgerDatabase& db) {
  const sql::Rows rows = TRY(db.query("select location, id, first_seen from @archives order by first_seen, location"));
  std::vector<ArchiveRecord> out;
  for (const sql::Row& row : rows.rows)
    out.push_back({.id = text_of(row[1]), .location = text_of(row[0]), .first_seen = instant_of(row[2])});
  return out;
}

}  // namespace steward::ledger
