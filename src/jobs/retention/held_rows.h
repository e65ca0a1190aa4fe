/// Rows that holds cover: by key, by a key's beginning, or by conditions on columns.
///
/// Promises  - A hold that cannot be understood, or whose condition names a column that the table has lost, is an error
///             (code "hold-unreadable", "hold-column") and never no hold: whoever removes rows of that table is
///             refused.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/fragment.h"
#include "jobs/retention/retention.h"
#include "run/holds.h"

namespace steward::retention {

/// "public.mockups"; SQLite: "mockups".
std::string full_name(const sql::Connection& db, const sql::TableInfo& info);

/// SQL for the text that names the row `t` by its primary key, as manifest::key_text writes it.
std::string key_text_sql(const sql::Connection& db, const sql::TableInfo& info);

/// A table below another one: a partition, at whatever level, or one that inherits. A hold on it is on rows of both.
struct Part {
  std::string name{};  ///< "public.events_2026_01"
  std::string oids{};  ///< Its own and those below it, as an array's text: "{16401,16407}".
};
/// None in SQLite.
Result<std::vector<Part>> parts_of(sql::Connection& db, const sql::TableInfo& info);

/// Which rows called `t` these holds cover; "false" where none is on this table or on one of its `parts`. Never NULL.
Result<sql::Fragment> held_sql(const sql::Connection& db, const sql::TableInfo& info, std::span<const Part> parts,
                               const Holds& holds);

/// Whether a hold that is to be added could be honoured. not_found where a column of its conditions is not there,
/// bad_input where a value is none of the column's type.
Result<void> check_hold(sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold);

/// One thing that keeps an item.
struct Keeper {
  std::string hold{};  ///< A hold's id; empty: the configuration's `hold_when`.
  std::string why{};   ///< Its reason; or the condition: "status = open".
};
/// What keeps the row with this key.
struct RowKeepers {
  bool there = false;  ///< Whether there is such a row: of one that is not, conditions cannot be asked.
  std::vector<Keeper> keepers{};
};
Result<RowKeepers> keepers_of_row(sql::Connection& db, const sql::TableInfo& info, std::string_view key,
                                  const Holds& holds, const std::vector<Where>& hold_when);

}  // namespace steward::retention
