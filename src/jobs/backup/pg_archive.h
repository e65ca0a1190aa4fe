/// Archives of pg_dump's custom format, read while they stream by.
///
///   PG_ARCHIVE := header table-of-contents block*
///   block      := 0x01 dump-id piece* 0            the rows of a table, as COPY writes them
///               | 0x03 dump-id (oid piece* 0)* 0   large objects
///   piece      := length bytes
///
/// What the format is: src/bin/pg_dump/pg_backup_archiver.c (ReadHead, ReadToc) and pg_backup_custom.c of PostgreSQL 13
/// to 18, whose archives have the versions 1.14 to 1.16. Only uncompressed archives (pg_dump -Z0) are read: what is in
/// compressed ones cannot be counted as it goes by.
///
/// Errors  corrupt: this is no such archive. unavailable: it ends in the middle; of the source or the sink.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/stream.h"

namespace steward::backup {

/// The first byte of a block.
inline constexpr std::uint8_t data_block = 1, large_object_block = 3;

/// One line of an archive's table of contents.
struct TocEntry {
  int dump_id = 0;
  bool has_data = false;
  std::string oid{};          ///< In the database that was dumped.
  std::string tag{};          ///< "signals", "signals signals_pkey".
  std::string description{};  ///< "TABLE", "TABLE DATA", "INDEX", "BLOBS", …
  std::string definition{};   ///< SQL that makes it; empty for data.
  std::string copy{};         ///< Of TABLE DATA: "COPY public.signals (id, at) FROM stdin;\n".
  std::string schema{};       ///< Empty where it has none.
  std::string owner{};
  std::vector<int> dependencies{};  ///< Dump ids of what it needs.
};

struct Toc {
  int version = 0;               ///< 0x010e00 is 1.14.0.
  int int_size = 4;              ///< Bytes of its integers, beside their sign.
  std::string database{};        ///< Its name.
  std::string server_version{};  ///< "15.18 (Debian 15.18-0+deb12u1)".
  std::string dump_version{};    ///< pg_dump's.
  std::vector<TocEntry> entries{};
};

/// Hears of an archive in the order in which it streams by. All but `raw` may do nothing.
class ArchiveListener {
 public:
  virtual ~ArchiveListener() = default;
  /// Every byte of the archive, in order. What it has been given when another call comes ends where that begins.
  virtual Result<void> raw(std::span<const std::byte> bytes) = 0;
  virtual Result<void> contents(const Toc& toc) = 0;
  /// `offset`: of the block in the archive.
  virtual Result<void> begin(const TocEntry& entry, std::uint64_t offset) = 0;
  /// Of a large object within a block.
  virtual Result<void> large_object(std::uint32_t oid) = 0;
  virtual Result<void> data(std::span<const std::byte> bytes) = 0;
  virtual Result<void> end(const TocEntry& entry) = 0;
};

/// Reads an archive to its end.
Result<void> read_archive(Source& source, ArchiveListener& listener);

/// What is before an archive's first block.
struct Beginning {
  Toc toc{};
  std::string bytes{};  ///< Header and table of contents, as they were written.
};
/// Reads that alone; of the source perhaps some more.
Result<Beginning> read_beginning(Source& source);

}  // namespace steward::backup
