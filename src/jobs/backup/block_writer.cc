#include "jobs/backup/block_writer.h"

#include <algorithm>
#include <array>

#include "jobs/backup/pg_archive.h"

namespace steward::backup {
namespace {

constexpr std::size_t piece_size = std::size_t{64} << 10;
/// What pg_dump puts behind the rows, so that they can be a part of a script, too (pg_dump.c, dumpTableData_copy).
constexpr std::array<std::byte, 5> end_of_rows{std::byte{'\\'}, std::byte{'.'}, std::byte{'\n'}, std::byte{'\n'},
                                               std::byte{'\n'}};

}  // namespace

BlockWriter::BlockWriter(Sink& sink, int int_size) : sink_(sink), int_size_(int_size) { piece_.reserve(piece_size); }

Result<void> BlockWriter::byte(std::uint8_t value) {
  const std::byte one{value};
  return sink_.write({&one, 1});
}

Result<void> BlockWriter::integer(std::int64_t value) {
  std::vector<std::byte> bytes{std::byte{static_cast<std::uint8_t>(value < 0 ? 1 : 0)}};
  auto rest = static_cast<std::uint64_t>(value < 0 ? -value : value);
  for (int i = 0; i < int_size_; ++i, rest >>= 8) bytes.push_back(std::byte{static_cast<std::uint8_t>(rest & 0xff)});
  return sink_.write(bytes);
}

Result<void> BlockWriter::begin_rows(int dump_id) {
  has_large_objects_ = false;
  TRY(byte(data_block));
  return integer(dump_id);
}

Result<void> BlockWriter::begin_large_objects(int dump_id) {
  has_large_objects_ = true;
  is_in_one_ = false;
  TRY(byte(large_object_block));
  return integer(dump_id);
}

Result<void> BlockWriter::large_object(std::uint32_t oid) {
  if (is_in_one_) TRY(end_pieces());
  is_in_one_ = true;
  // pg_dump's integers have a sign, an oid has none: half of them are negative there.
  return integer(static_cast<std::int32_t>(oid));
}

Result<void> BlockWriter::data(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), piece_size - piece_.size()));
    piece_.insert(piece_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    if (piece_.size() == piece_size) TRY(flush());
  }
  return {};
}

Result<void> BlockWriter::flush() {
  if (piece_.empty()) return {};
  TRY(integer(static_cast<std::int64_t>(piece_.size())));
  TRY(sink_.write(piece_));
  piece_.clear();
  return {};
}

Result<void> BlockWriter::end_pieces() {
  TRY(flush());
  return integer(0);
}

Result<void> BlockWriter::end() {
  if (!has_large_objects_) {
    TRY(data(end_of_rows));
    return end_pieces();
  }
  if (is_in_one_) TRY(end_pieces());
  return integer(0);
}

}  // namespace steward::backup
