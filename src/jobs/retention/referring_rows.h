/// The rows that refer to those that are about to go, where a policy does not let them keep these: found and recorded
/// before anything is done, found again under the lock, and then deleted or their columns set to NULL, in the
/// transaction that deletes what they refer to.
///
/// Promises  - What is done is what was recorded: where more, fewer or other rows refer to a row under its lock than
///             were recorded with it, or one of them is in use, that row stays, with the reason.
///           - Rows that refer are locked passing over those that somebody else has: whoever holds one of them and
///             waits for the row that it refers to is not waited for in turn.
///           - No more rows of a table are touched than the step says.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "jobs/retention/table.h"
#include "run/job.h"
#include "run/manifest/referring.h"

namespace steward::retention {

/// Why a row stays whose record is no longer true.
inline constexpr std::string_view refers_otherwise =
    "what refers to it has changed since it was recorded, or is in use";
/// Why a row stays that the plan covers without all that refers to it now.
inline constexpr std::string_view refers_more = "more rows refer to it than were planned";

/// For a step of that table: its consequences, and notes about them. `count_all_from`: see PlanContext.
Result<void> enter_consequences(const Table& table, std::span<const std::uint64_t> referring,
                                std::uint64_t count_all_from, Step& step);

class ReferringRows {
 public:
  /// `step` has the ceilings.
  ReferringRows(const Table& table, const Step& step, RunContext& run);

  /// Nothing is to be done for a table without.
  bool any() const { return !table_.referrers().empty(); }
  /// The names of tables whose rows may be touched, for a manifest's header.
  static std::vector<std::string> tables(const Table& table);

  /// How many of these rows, from the first on, to take at once, so that what refers to them fits into memory. At least
  /// one.
  Result<std::size_t> fit(std::span<const sql::Row> keys) const;
  /// What refers to the rows with these keys, in an order of its own, by their keys' texts.
  using ByKey = std::map<std::string, std::vector<manifest::Referring>>;
  Result<ByKey> find(std::span<const sql::Row> keys) const;

  /// Whether the step covers these as well; they are counted then. `give_back`: they were not touched after all.
  bool take(std::span<const manifest::Referring> referring);
  void give_back(std::span<const manifest::Referring> referring);

  /// Under the lock of the rows with these keys: what refers to them is locked, but for what somebody else has. Ask
  /// afterwards, in a statement of its own, whether they may go.
  Result<void> lock(std::span<const sql::Row> keys);
  /// And whether what refers to a row is what was recorded: `now` is of `find`, since `lock`.
  bool as_recorded(std::span<const manifest::Referring> recorded, std::span<const manifest::Referring> now) const;
  /// Deletes these rows, or sets their columns to NULL. refused (code "kept-by-trigger") where not all of them would.
  Result<void> carry_out(std::span<const manifest::Referring* const> recorded);
  /// What was carried out is committed.
  void done();
  /// Notes what was touched in all.
  void note() const;

 private:
  using Counts = std::map<std::string, std::uint64_t>;  ///< By Referrer::shown().
  Result<sql::Fragment> joined(const Referrer& referrer, std::span<const sql::Row> keys) const;
  Result<void> find_in(const Referrer& referrer, std::span<const sql::Row> keys, ByKey& found) const;
  Result<void> change(const Referrer& referrer, std::span<const sql::Row> keys);
  const Referrer* referrer_of(const manifest::Referring& one) const;

  const Table& table_;
  RunContext& run_;
  Counts left_{}, carried_out_{}, touched_{};
  std::optional<std::set<std::string>> locked_{};  ///< None: nobody else can have any (SQLite).
};

}  // namespace steward::retention
