#include "jobs/backup/pgbackrest_archiving.h"

#include <fmt/format.h>

#include <chrono>

#include "core/bytes.h"
#include "core/text.h"

namespace steward::backup {
namespace {

/// A segment that waits this long is not just on its way.
constexpr std::chrono::minutes long_wait{5};

std::optional<Instant> instant_in(const sql::Value& value) {
  const std::string text = sql::to_text(value);
  return text == "NULL" ? std::nullopt : parse_instant(text);
}

std::uint64_t count_in(const sql::Value& value) { return std::strtoull(sql::to_text(value).c_str(), nullptr, 10); }

std::string when(Instant at) { return format_instant(std::chrono::floor<std::chrono::seconds>(at)); }

/// As parse_instant reads it.
std::string in_utc(std::string_view expression) {
  return fmt::format("to_char({} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')", expression);
}

}  // namespace

Result<Archiving> archiving_of(const sql::Target& target) {
  const auto connection = TRY(sql::connect(target));
  const sql::Rows rows = TRY(connection->query(
      fmt::format("select current_setting('archive_mode'), pg_is_in_recovery()::text, failed_count, {}, {}, "
                  "coalesce(last_failed_wal, '') from pg_stat_archiver",
                  in_utc("last_archived_time"), in_utc("last_failed_time"))));
  const sql::Row& row = rows.rows.at(0);
  Archiving out{.is_on = sql::to_text(row.at(0)) != "off",
                .is_standby = sql::to_text(row.at(1)) == "true",
                .failures = count_in(row.at(2)),
                .last_archived = instant_in(row.at(3)),
                .last_failed = instant_in(row.at(4)),
                .last_failed_segment = printable(sql::to_text(row.at(5)))};
  // Only who may watch the server (pg_monitor) sees what waits.
  const auto waiting = connection->query(fmt::format(
      "select count(*), {} from pg_ls_archive_statusdir() where name like '%.ready'", in_utc("min(modification)")));
  if (waiting) {
    out.waiting = count_in(waiting->rows.at(0).at(0));
    out.waiting_since = instant_in(waiting->rows.at(0).at(1));
  }
  return out;
}

std::vector<std::string> anomalies(const Archiving& archiving, Instant now) {
  std::vector<std::string> out;
  // A standby's segments are its primary's to archive.
  if (archiving.is_standby) return out;
  if (!archiving.is_on) {
    out.emplace_back("archive_mode is off: there is no recovery to a moment after the backup");
    return out;
  }
  const bool fails =
      archiving.last_failed && (!archiving.last_archived || *archiving.last_failed > *archiving.last_archived);
  const std::string archived = archiving.last_archived
                                   ? "the last segment was archived at " + when(*archiving.last_archived)
                                   : "none was archived yet";
  if (fails)
    out.push_back(fmt::format("archiving of the write-ahead log fails ({} times, {} at {}); {}",
                              format_count(archiving.failures), archiving.last_failed_segment,
                              when(*archiving.last_failed), archived));
  if (archiving.waiting.value_or(0) > 0 && archiving.waiting_since && now - *archiving.waiting_since > long_wait)
    out.push_back(fmt::format("{} segment{} of the write-ahead log wait{} to be archived, the first for {}; {}",
                              format_count(*archiving.waiting), *archiving.waiting == 1 ? "" : "s",
                              *archiving.waiting == 1 ? "s" : "", format_span(now - *archiving.waiting_since),
                              archived));
  return out;
}

}  // namespace steward::backup
