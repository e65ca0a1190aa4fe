#include "run/ledger/audit_trail.h"

#include <fmt/format.h>

#include "core/digest.h"

namespace steward::ledger {
namespace {

/// The last line, as `meta` remembers it: "NUMBER HASH".
struct Head {
  std::int64_t number = 0;
  std::string hash{};
};

Result<Head> head(LedgerDatabase& db, bool lock) {
  // SQLite's transaction excludes other writers already, and it knows no row locks.
  const std::string_view suffix = lock && !db.is_sqlite() ? " for update" : "";
  const sql::Rows rows = TRY(db.query(fmt::format("select value from @meta where name = 'audit_head'{}", suffix)));
  if (rows.rows.empty()) return fail(Kind::corrupt, fmt::format("the ledger {} has lost its audit head", db.shown()));
  const std::string text = sql::to_text(rows.rows[0][0]);
  const std::size_t space = text.find(' ');
  return Head{.number = sql::to_integer(text.substr(0, space)),
              .hash = space == std::string::npos ? std::string{} : text.substr(space + 1)};
}

AuditLine line_of(const sql::Row& row) {
  return {.number = sql::to_integer(row.at(0)),
          .at = instant_of(row.at(1)),
          .actor = text_of(row.at(2)),
          .act = text_of(row.at(3)),
          .subject = text_of(row.at(4)),
          .detail = text_of(row.at(5)),
          .previous = text_of(row.at(6)),
          .hash = text_of(row.at(7))};
}

constexpr std::string_view columns = "number, happened, actor, act, subject, detail, previous, hash";

std::unexpected<Error> broken(const LedgerDatabase& db, std::int64_t number, std::string_view why) {
  return fail(Kind::corrupt, fmt::format("the audit trail of {} does not fit at line {}: {}", db.shown(), number, why),
              "Somebody or something changed the ledger: compare it with a backup.");
}

}  // namespace

std::string seal(const AuditLine& line) {
  Sha256 hash;
  const auto add = [&](std::string_view part) { hash.update(fmt::format("{}:{}", part.size(), part)); };
  add(line.previous);
  add(std::to_string(line.number));
  add(std::to_string(line.at.time_since_epoch().count()));
  for (const std::string& part : {line.actor, line.act, line.subject, line.detail}) add(part);
  return hash.finish_hex();
}

Result<void> append(LedgerDatabase& db, const Entry& entry) {
  const Head last = TRY(head(db, /*lock=*/true));
  AuditLine line{.number = last.number + 1,
                 .at = entry.at,
                 .actor = std::string(entry.actor),
                 .act = std::string(entry.act),
                 .subject = std::string(entry.subject),
                 .detail = std::string(entry.detail),
                 .previous = last.hash};
  line.hash = seal(line);
  TRY(
      db.execute("insert into @audit (number, happened, actor, act, subject, detail, previous, hash) "
                 "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                 {line.number, stored(line.at), stored(line.actor), stored(line.act), stored(line.subject),
                  stored(line.detail), stored(line.previous), stored(line.hash)}));
  TRY(db.execute("update @meta set value = ?1 where name = 'audit_head'",
                 {fmt::format("{} {}", line.number, line.hash)}));
  return {};
}

Result<std::vector<AuditLine>> last_lines(LedgerDatabase& db, std::size_t limit, std::int64_t before) {
  const sql::Rows rows = TRY(
      db.query(fmt::format("select {} from @audit where ?2 = 0 or number < ?2 order by number desc limit ?1", columns),
               {stored(static_cast<std::uint64_t>(limit)), before}));
  std::vector<AuditLine> out;
  for (const sql::Row& row : rows.rows) out.push_back(line_of(row));
  return out;
}

Result<std::int64_t> verify(LedgerDatabase& db) {
  const Head last = TRY(head(db, /*lock=*/false));
  const sql::Rows id = TRY(db.query("select value from @meta where name = 'id'"));
  std::int64_t number = 0;
  std::string previous = id.rows.empty() ? std::string{} : sql::to_text(id.rows[0][0]);
  TRY(db.stream(fmt::format("select {} from @audit where number <= {} order by number", columns, last.number),
                [&](const sql::Row& row) -> Result<bool> {
                  const AuditLine line = line_of(row);
                  ++number;
                  if (line.number != number) return broken(db, number, "it is missing");
                  if (line.previous != previous)
                    return broken(db, number, "it follows another line than the one before");
                  if (line.hash != seal(line)) return broken(db, number, "it has been changed");
                  previous = line.hash;
                  return true;
                }));
  if (number < last.number) return broken(db, number + 1, "it is missing");
  if (previous != last.hash) return broken(db, number, "it is not the last line that was written");
  return number;
}

}  // namespace steward::ledger
