/// A table under a retention policy: which of its rows are old, which of those have to stay, and how a row is named in
/// SQL.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/fragment.h"
#include "jobs/retention/held_rows.h"
#include "jobs/retention/referrers.h"
#include "jobs/retention/retention.h"
#include "run/holds.h"
#include "run/plan.h"
#include "run/shard.h"

namespace steward::retention {

class Table {
 public:
  /// Connects and reads the catalogue. bad_input: a view, a foreign table, an age column that is not a time; not_found:
  /// no such table or column.
  static Result<Table> open(const RowRules& rules);

  sql::Connection& db() const { return *db_; }
  const sql::TableInfo& info() const { return info_; }
  const std::vector<sql::Reference>& references() const { return references_; }
  /// Those of them that do not keep.
  const std::vector<Referrer>& referrers() const { return referrers_; }
  /// "public.mockups"; SQLite: "mockups".
  const std::string& name() const { return name_; }
  /// Quoted, for statements.
  const std::string& sql_name() const { return sql_name_; }
  /// "postgresql://app@db/app table public.signals", for plans.
  std::string shown() const;
  Result<std::string> quoted(std::string_view column) const { return db_->quote_identifier(column); }
  /// The primary key's columns, quoted and with commas; "t." in front of each where `prefix` is that.
  Result<std::string> key_list(std::string_view prefix = "") const;

  // Conditions are about rows called `t`.

  /// The age column lies before the cutoff and is a time at all, and the policy's own conditions hold.
  sql::Fragment old(Instant cutoff) const;
  /// Rows of these partitions (their oids), and of those below them, are none of this table's from now on.
  Result<void> leave_out(std::span<const std::int64_t> partitions);
  /// Rows outside of this range of primary keys are none of this table's from now on.
  Result<void> keep_to(const ShardRange& range);
  /// SQL for the age as text or integer that `age_of` reads.
  const std::string& age_expression() const { return age_expression_; }
  std::optional<Instant> age_of(const sql::Value& value) const;

  /// `case … end`: '' for a row that may go, else the reason why it stays ("held", "referenced by listings").
  /// refused (code "hold-column") where a hold cannot be honoured; as are the next two.
  Result<sql::Fragment> verdict(const Holds& holds) const;
  /// Whether a row may go: no hold and no reference covers it.
  Result<sql::Fragment> free(const Holds& holds) const;
  /// Nothing at all refers to a row, whatever the policy makes of it: " and not exists (…)" for each of `referrers`.
  sql::Fragment and_unreferenced() const;
  /// `verdict`, where nothing is done about what refers to a row: it keeps it.
  Result<sql::Fragment> strict_verdict(const Holds& holds) const;
  /// The whole predicate of a removal: `old` and `free`.
  Result<sql::Fragment> removable(Instant cutoff, const Holds& holds) const;
  /// The rows with these primary keys, each a list of the key columns' values.
  sql::Fragment with_keys(std::span<const sql::Row> keys) const;
  /// Those of the keys that are there.
  Result<std::vector<sql::Row>> there(std::span<const sql::Row> keys) const;
  /// In words, for plans: "timestamp < cutoff, status = done, not held, not referenced".
  std::string filter_text() const;
  /// How many keys with_keys takes at once.
  std::size_t keys_at_once() const { return db_->dialect() == sql::Dialect::postgres ? 5'000 : 500; }

  /// What is to be counted of a plan: planned rows, oldest and newest, and skips by reason; NULL and unreadable ages
  /// among the skips.
  struct Survey {
    std::uint64_t planned = 0;
    std::optional<Instant> oldest{}, newest{};
    Skips skips{};
    std::vector<std::uint64_t> referring{};  ///< How many rows of each of `referrers` refer to the planned ones.
  };
  Result<Survey> survey(Instant cutoff, const Holds& holds) const;
  /// NULL, infinite and unreadable ages, by reason.
  Result<void> count_ageless(Skips& skips) const;
  Result<std::uint64_t> count_all() const;
  /// A few of the rows that would go, oldest first.
  Result<std::vector<Sample>> samples(Instant cutoff, const Holds& holds) const;
  /// Warnings: an age column or a referencing column without an index, with the statement that makes one.
  Result<std::vector<std::string>> missing_indexes() const;
  /// bad_input where there is no primary key: an archived row could not be told from another.
  Result<void> check_key() const;
  /// The refusal where this machine's clock is off the server's.
  Result<std::optional<Error>> clock(Instant now) const;

  /// What removing its rows asks of the database's user, and no more: SELECT and DELETE; SELECT of the columns that
  /// reference it; and, where rows are locked first, UPDATE of one column, which is what a row lock asks for.
  std::vector<sql::Right> rights(bool locks_rows) const;
  /// Why a run could not remove its rows: rights that are missing (code "rights"). The error itself where not even a
  /// plan can be made: SELECT is missing.
  Result<std::optional<Error>> lacks(const std::vector<sql::Right>& rights) const;

 private:
  Table() = default;
  Result<void> set_age_column(const RowRules& rules);
  Result<void> set_conditions(const RowRules& rules);
  Result<void> add_references(const RowRules& rules);
  Result<const sql::Column*> column(std::string_view name) const;
  Result<sql::Fragment> condition(const Where& where) const;
  bool keeps(std::size_t reference) const;
  Result<sql::Fragment> verdict(const Holds& holds, bool strict) const;

  std::unique_ptr<sql::Connection> db_{};
  sql::TableInfo info_{};
  std::vector<sql::Reference> references_{};
  std::vector<std::string> reference_sql_{};  ///< exists (…) for each of references_.
  std::vector<Referrer> referrers_{};
  std::vector<Part> parts_{};
  std::string name_{}, sql_name_{}, age_column_{};
  std::string age_sql_{};         ///< t."timestamp"
  std::string age_expression_{};  ///< What age_of reads.
  std::string is_time_{};         ///< Not NULL, not infinite, readable.
  std::function<sql::Fragment(Instant)> before_{};
  std::vector<sql::Fragment> where_{};
  std::vector<std::pair<std::string, sql::Fragment>> hold_when_{};  ///< The reason, and when.
  std::string conditions_text_{};                                   ///< For filter_text: ", status = done".
};

}  // namespace steward::retention
