/// What lies in an archive: by run, row by row, byte for byte. Reads alone, and needs no ledger and no database.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "core/stream.h"
#include "io/object/store.h"
#include "run/manifest/referring.h"

namespace steward::retention {

/// What `archive list` shows: one manifest.
struct ArchivedRun {
  std::string run{}, task{}, table{}, folder{};
  Instant began{};
  std::uint64_t items = 0;  ///< Rows in the archive that left the database.
  Bytes bytes{};
  bool finished = true;
};
Result<std::vector<ArchivedRun>> list_archive(const object::StoreTarget& archive);

/// Which rows `archive show` shows.
struct RowFilter {
  std::string run{};    ///< Of this run alone (or what begins so).
  std::string table{};  ///< "mockups" or "public.mockups".
  std::string key{};    ///< The row of this key.
  std::string text{};   ///< In whose key, values or file this stands, whatever the case of ASCII letters.
};

/// A file's copy, as the manifest has it.
struct ArchivedFile {
  std::string copy{};    ///< Its key in the archive.
  std::string source{};  ///< Where the file was.
  std::string sha256{};
  Bytes size{};
};

/// One row in an archive that left its database.
struct FoundRow {
  std::string run{}, task{}, table{}, key{};
  Instant archived{};  ///< When its run began.
  std::string row{};   ///< JSON (run/manifest/row_json.h).
  std::optional<ArchivedFile> file{};
  bool file_missing = false;  ///< It had one that was not there any more.
  std::vector<manifest::Referring> referring{};
};

/// A page of them, the newest manifest first, and each in its own order.
struct RowPage {
  std::vector<FoundRow> rows{};
  std::uint64_t looked_at = 0;  ///< Rows, of which these are those that fit.
  std::string next{};           ///< Where the next page begins; empty: that was all.
};
/// At most `limit`, from where `after` (the `next` of the page before) says. A page also ends when `most_looked_at`
/// rows were looked at, so that a text that stands nowhere does not read a whole archive at once. bad_input for an
/// `after` that is none.
struct PageRequest {
  RowFilter filter{};
  std::string after{};
  std::size_t limit = 50;
  std::uint64_t most_looked_at = 200'000;
};
Result<RowPage> rows_of_archive(const object::StoreTarget& archive, const PageRequest& request);

/// Writes the bytes of a copy into `sink`, after a first reading that compared its hash. corrupt where that differs,
/// and refused (code "too-large") where there are more than `most`: then nothing was written.
Result<void> read_copy(const object::StoreTarget& archive, const std::string& copy, const std::string& sha256,
                       std::optional<Bytes> most, Sink& sink);

/// What `archive verify` found.
struct Verified {
  std::uint64_t copies = 0;
  Bytes bytes{};
  std::vector<std::string> faults{};  ///< One line each: missing, or different bytes.
};
/// Reads every copy that a manifest names and compares its hash. `tick` hears of each copy.
Result<Verified> verify_archive(const object::StoreTarget& archive,
                                const std::function<void(const Verified& so_far)>& tick);

}  // namespace steward::retention
