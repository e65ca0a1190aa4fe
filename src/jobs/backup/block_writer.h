/// Blocks of pg_dump's custom format (pg_archive.h), written as pg_dump writes them.
///
///   BlockWriter block(sink, toc.int_size);
///   TRY(block.begin_rows(entry.dump_id));
///   TRY(block.data(rows));                  // as often as one likes, in pieces of any size
///   TRY(block.end());
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/stream.h"

namespace steward::backup {

/// Errors  of the sink.
class BlockWriter {
 public:
  /// `int_size`: of the archive's integers, as its header says.
  BlockWriter(Sink& sink, int int_size);

  /// The rows of a table: what COPY … TO STDOUT gives.
  Result<void> begin_rows(int dump_id);
  Result<void> begin_large_objects(int dump_id);
  /// From here on the data are this one's.
  Result<void> large_object(std::uint32_t oid);
  Result<void> data(std::span<const std::byte> bytes);
  Result<void> end();

 private:
  Result<void> byte(std::uint8_t value);
  Result<void> integer(std::int64_t value);
  Result<void> flush();
  Result<void> end_pieces();

  Sink& sink_;
  int int_size_;
  bool has_large_objects_ = false, is_in_one_ = false;
  std::vector<std::byte> piece_{};  ///< Small data are gathered: each piece costs five bytes, and a turn of the reader.
};

}  // namespace steward::backup
