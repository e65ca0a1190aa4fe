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
#include "core/digest.h"
#include "core/result.h"
#include "core/stream.h"

namespace steward::backup {

/// How many, and what. For rows of a table, or for large objects.
struct Tally {
  std::uint64_t items = 0;
  Bytes bytes{};
  std::uint64_t low = 0, high = 0;  ///< The sum of the hashes.
  void add(std::span<const std::byte> item);
  /// All of another one, too.
  void add(const Tally& more);
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

/// Large objects in pieces of any size. Of each the hash of its hash: it may be larger than memory.
class LargeObjectTally {
 public:
  /// From here on it is this one's pieces.
  void begin(std::uint32_t oid);
  void add(std::span<const std::byte> piece);
  /// The last one is whole. What was seen.
  const Tally& finish();

 private:
  std::string item_{};  ///< "16412:", of the one that is being read.
  Sha256 hash_{};
  Bytes size_{};
  Tally tally_{};
};

/// Where a block of a dump begins: in which of its objects (0, where there is one), at which uncompressed byte.
struct BlockPlace {
  std::uint32_t part = 0;
  std::uint64_t offset = 0;
  auto operator<=>(const BlockPlace&) const = default;
};

/// A table and its rows.
struct TableContents {
  std::string schema{}, name{};
  Tally rows{};
  BlockPlace at{};
  /// "public.felt", where its rows are loaded into that one, and may come to another of its partitions: a hash of an
  /// enum is another one in each database (pg_dump.c, forcePartitionRootLoad).
  std::string root{};
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
  std::vector<BlockPlace> large_object_blocks{};
  /// Where a frame of a dump in one object begins: its offset in the uncompressed and in the compressed bytes,
  /// ascending.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> frames{};

  std::uint64_t rows() const;
};

/// One JSON document a line.
Result<void> write(const Contents& contents, Sink& sink);
/// corrupt where it is no such list.
Result<Contents> read_contents(std::string_view text);

/// What a restored database has not, or has otherwise, or beyond: one line each, at most `most`, then "and N more".
/// Partitions with a root are compared together.
std::vector<std::string> differences(const Contents& backup, const Contents& restored, std::size_t most = 20);

}  // namespace steward::backup
