/// What is in a backup: each table with how many rows it has and what they are; the same again after a restore, and
/// what differs.
///
/// A table's hash is the sum, modulo 2^128, of the XXH3 128-bit hashes (xxhash.com, seed 0) of its rows as COPY writes
/// them: the order of rows does not matter, and each of them does.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/stream.h"

namespace steward::backup {

/// How many, and what. For rows of a table, or for large objects.
struct Tally {
  std::uint64_t items = 0;
  Bytes bytes{};
  std::uint64_t low = 0, high = 0;  ///< The sum of the hashes.
  void add(std::span<const std::byte> item);
  bool operator==(const Tally&) const = default;
};
/// 32 hexadecimal digits.
std::string hash_text(const Tally& tally);

/// Rows in COPY's text format, in pieces of any size, up to the line `\.` that ends them.
class RowTally {
 public:
  void add(std::span<const std::byte> piece);
  const Tally& so_far() const { return tally_; }

 private:
  void line(std::span<const std::byte> row);
  std::vector<std::byte> begun_{};  ///< Of a row that is not whole yet.
  Tally tally_{};
  bool ended_ = false;
};

/// A table and its rows.
struct TableContents {
  std::string schema{}, name{};
  Tally rows{};
  std::uint64_t offset = 0;  ///< Of its block in the uncompressed dump.
  bool operator==(const TableContents&) const = default;
};

/// A thing that is no row: a table, an index, a function, the value of a sequence.
struct Definition {
  std::string kind{}, schema{}, name{};
  std::string value{};  ///< Of a sequence: the statement that sets it.
  auto operator<=>(const Definition&) const = default;
};

struct Contents {
  std::vector<TableContents> tables{};
  std::vector<Definition> definitions{};
  Tally large_objects{};
  std::vector<std::uint64_t> large_object_blocks{};  ///< Their offsets in the uncompressed dump.
  /// Where a frame of the compressed dump begins: its offset in the uncompressed and in the compressed bytes,
  /// ascending.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> frames{};

  std::uint64_t rows() const;
};

/// One JSON document a line.
Result<void> write(const Contents& contents, Sink& sink);
/// corrupt where it is no such list.
Result<Contents> read_contents(std::string_view text);

/// What a restored database has not, or has otherwise, or beyond: one line each, at most `most`, then "and N more".
std::vector<std::string> differences(const Contents& backup, const Contents& restored, std::size_t most = 20);

}  // namespace steward::backup
