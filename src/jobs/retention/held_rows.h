/// Rows that holds cover: by key, by a key's beginning, or by conditions on columns.
///
/// Promises  - A hold that cannot be understood, or whose condition names a column that the table has lost, is an error
///             (code "hold-unreadable", "hold-column") and never no hold: whoever removes rows of that table is
///             refused.
#pragma once
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

/// Which rows called `t` these holds cover; "false" where none is on this table. Never NULL.
Result<sql::Fragment> held_sql(const sql::Connection& db, const sql::TableInfo& info, const Holds& holds);

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
