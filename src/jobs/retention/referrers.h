/// Foreign keys whose rows do not keep what they refer to, since the policy says what becomes of them (`references`).
///
///   set_null      their columns are set to NULL in the transaction that deletes the row which they refer to
///   archive_too   they are archived with it, and deleted in that transaction, before it
///
/// A row stays all the same ("referenced by listings, …") where one of those that refer to it
///   - is held: by a hold on its table, or by a policy's `hold_when` for its table;
///   - would go, and is referred to itself;
///   - or where they are more than 10,000: they are recorded with it, in memory.
/// Refused as bad_input, in one line: a column that is NOT NULL, of the primary key, generated, or referred to itself
/// (set_null); rows that name files (archive_too); a table that refers to itself, has no primary key, or is no plain
/// table.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/fragment.h"
#include "jobs/retention/held_rows.h"
#include "jobs/retention/retention.h"
#include "run/holds.h"

namespace steward::retention {

/// One such foreign key, or column of `referenced_by`.
struct Referrer {
  sql::Reference reference{};
  OnReference becomes = OnReference::set_null;
  sql::TableInfo info{};                    ///< The table that refers.
  std::string name{};                       ///< "public.listings",
  std::string sql_name{};                   ///< and quoted.
  std::vector<sql::Reference> referring{};  ///< What refers to it in turn.
  std::vector<Where> hold_when{};
  std::vector<Part> parts{};
  /// "public.listings (mockup_id)", for plans.
  std::string shown() const;
};

/// What a policy makes of a reference from this table.
OnReference on_reference(const ReferenceRules& rules, const std::string& full_name);

/// Those of `references` to `target` that do not keep. The errors above; not_found where the rules name a table that
/// does not refer.
Result<std::vector<Referrer>> open_referrers(sql::Connection& db, const sql::TableInfo& target,
                                             const std::vector<sql::Reference>& references, const RowRules& rules);

/// exists (…): whether a row of the reference's table refers to the row `t`.
Result<std::string> refers_sql(const sql::Connection& db, const sql::Reference& reference);
/// How many do.
Result<std::string> count_sql(const sql::Connection& db, const Referrer& referrer);
/// Why a row `t` is kept by them all the same: conditions, and the reason of each.
Result<std::vector<std::pair<sql::Fragment, std::string>>> keeping(const sql::Connection& db, const Referrer& referrer,
                                                                   const Holds& holds);

/// "set listings.mockup_id to NULL, delete the rows of bids that refer to it (mockup_id)", for strategies.
std::string referrers_text(const std::vector<Referrer>& referrers);
/// ", not referenced", ", not referenced but by listings (set-null)", for filters.
std::string reference_filter(const std::vector<sql::Reference>& references, const std::vector<Referrer>& referrers);
/// "set-null".
std::string_view name_of(OnReference becomes);

/// What of them is asked of the database's user.
std::vector<sql::Right> rights_on(const Referrer& referrer);

}  // namespace steward::retention
