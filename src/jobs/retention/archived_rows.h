/// Rows as they lie in an archive.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"
#include "io/sql/value.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

/// One row out of an archive: column names and values, and what lies with it.
struct ArchivedRow {
  std::vector<std::string> columns{};
  sql::Row values{};
  std::vector<manifest::Referring> referring{};  ///< What referred to it when it went.
  /// The values of these columns, in this order. corrupt where one is absent.
  Result<sql::Row> values_of(std::span<const std::string> names) const;
};

/// Reads a row from its JSON (row_json.h), or from its line in a segment (referring.h). corrupt where it is none.
Result<ArchivedRow> archived_row(std::string_view json);

/// The text that names a row which referred, by its key.
Result<std::string> key_text_of(const manifest::Referring& one);

/// Hands over the rows of an item: its own, or those of its segment, in constant memory. `take` returns false to stop.
Result<void> each_archived_row(object::Store& store, const manifest::Item& item,
                               const std::function<Result<bool>(const ArchivedRow&)>& take);

/// Reads an item's copy back and compares its SHA-256: corrupt where it differs.
Result<void> verify_copy(object::Store& store, const manifest::Item& item);

}  // namespace steward::retention
