/// The holds in force, and the one place that answers whether an item is covered; and what a freeze says.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "run/ledger/ledger.h"

namespace steward {

/// A set of holds, as of one generation of the ledger.
class Holds {
 public:
  Holds() = default;
  Holds(std::vector<ledger::Hold> holds, std::int64_t generation);

  /// The reason ("held: REASON (h-4f2a91c0)"), where a hold covers it; else nothing. Of a row the key alone is known
  /// here: a hold with a condition on columns is no answer to covers_row (see jobs/retention/held_rows.h).
  std::optional<std::string> covers_row(std::string_view table, std::string_view key) const;
  std::optional<std::string> covers_file(std::string_view absolute_path) const;
  std::optional<std::string> covers_object(std::string_view store, std::string_view key) const;
  /// Whether any hold could cover a row of the table: spares the question for each row.
  bool any_for_table(std::string_view table) const;

  std::int64_t generation() const { return generation_; }
  const std::vector<ledger::Hold>& list() const { return holds_; }

 private:
  std::vector<ledger::Hold> holds_{};
  std::unordered_multimap<std::string, std::size_t> rows_by_key_{};  ///< Holds on single rows: there may be many.
  std::vector<std::size_t> others_{};                                ///< All other holds.
  std::int64_t generation_ = 0;
};

/// The refusal (code "freeze") that a freeze in force means for whatever removes; of several, the one that lasts
/// longest. Nothing where none is.
std::optional<Error> freeze_refusal(std::span<const ledger::Freeze> freezes);

/// Whether the table that a hold names is `table` ("schema.name"): a hold without a schema covers the table in every
/// schema.
bool names_table(std::string_view held, std::string_view table);

}  // namespace steward
