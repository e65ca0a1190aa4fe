#include "jobs/backup/pg_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <unordered_map>

namespace steward::backup {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 20;
/// No definition is longer: PostgreSQL's own values end at 1 GiB.
constexpr std::int64_t longest_text = std::int64_t{1} << 30;
constexpr std::int64_t most_entries = 100'000'000;

constexpr int version_1_14 = 0x010e00, version_1_15 = 0x010f00, version_1_16 = 0x011000, version_1_17 = 0x011100;
constexpr std::uint8_t custom_format = 1;
constexpr int has_no_data = 0;

std::unexpected<Error> broken(std::string_view what) {
  return fail(Kind::corrupt, fmt::format("pg_dump's archive cannot be read: {}", what));
}

std::unexpected<Error> cut_off() { return fail(Kind::unavailable, "pg_dump's archive ends in the middle"); }

/// The bytes of the archive, one by one or many at once, each of which goes to `raw` once.
class Reader {
 public:
  Reader(Source& source, ArchiveListener& listener) : source_(source), listener_(listener), buffer_(buffer_size) {}

  /// Some bytes, at most `most`: fewer where more would have to be waited for. Empty at the end alone.
  Result<std::span<const std::byte>> some(std::size_t most) {
    if (at_ == end_) TRY(fill());
    const std::size_t n = std::min(most, end_ - at_);
    const std::span<const std::byte> out(buffer_.data() + at_, n);
    at_ += n;
    return out;
  }

  /// The next byte; nothing at the end.
  Result<std::optional<std::uint8_t>> next() {
    const auto one = TRY(some(1));
    if (one.empty()) return std::nullopt;
    return static_cast<std::uint8_t>(one.front());
  }

  Result<std::uint8_t> byte() {
    const auto one = TRY(next());
    if (!one) return cut_off();
    return *one;
  }

  /// A sign, then `int_size` bytes, the lowest first.
  Result<std::int64_t> integer() {
    const bool negative = TRY(byte()) != 0;
    std::uint64_t value = 0;
    for (int i = 0; i < int_size; ++i) {
      const std::uint64_t one = TRY(byte());
      if (i < 8) value |= one << (8 * i);
    }
    const auto magnitude = static_cast<std::int64_t>(value & INT64_MAX);
    return negative ? -magnitude : magnitude;
  }

  /// Its length, then its bytes; nothing where the length is negative.
  Result<std::optional<std::string>> text() {
    const std::int64_t length = TRY(integer());
    if (length < 0) return std::nullopt;
    if (length > longest_text) return broken(fmt::format("a text of {} bytes", length));
    std::string out;
    while (out.size() < static_cast<std::size_t>(length)) {
      const auto piece = TRY(some(static_cast<std::size_t>(length) - out.size()));
      if (piece.empty()) return cut_off();
      out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    return out;
  }
  Result<std::string> text_or_empty() { return TRY(text()).value_or(std::string{}); }

  /// Hands over what has been read and not yet been handed over.
  Result<void> hand_over() {
    if (at_ > handed_) TRY(listener_.raw(std::span<const std::byte>(buffer_.data() + handed_, at_ - handed_)));
    handed_ = at_;
    return {};
  }
  /// Of the next byte.
  std::uint64_t offset() const { return before_ + at_; }

  int int_size = 4;

 private:
  Result<void> fill() {
    TRY(hand_over());
    before_ += at_;
    at_ = handed_ = 0;
    end_ = TRY(source_.read(buffer_));
    return {};
  }

  Source& source_;
  ArchiveListener& listener_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0, end_ = 0, handed_ = 0;
  std::uint64_t before_ = 0;  ///< Bytes ahead of the buffer.
};

Result<Toc> read_header(Reader& in) {
  std::string magic;
  for (int i = 0; i < 5; ++i) magic += static_cast<char>(TRY(in.byte()));
  if (magic != "PGDMP") return broken("it does not begin with PGDMP");
  Toc toc;
  for (int i = 0; i < 3; ++i) toc.version = toc.version << 8 | TRY(in.byte());
  if (toc.version < version_1_14 || toc.version >= version_1_17)
    return broken(fmt::format("its version {}.{} is none that is known here (1.14 to 1.16)", toc.version >> 16,
                              toc.version >> 8 & 0xff));
  in.int_size = TRY(in.byte());
  const int offset_size = TRY(in.byte());
  if (in.int_size < 1 || in.int_size > 32 || offset_size != 8) return broken("its integers are of an unknown size");
  if (TRY(in.byte()) != custom_format) return broken("it is not of the custom format");
  const std::int64_t compression = toc.version >= version_1_15 ? TRY(in.byte()) : TRY(in.integer());
  if (compression != 0) return broken("it is compressed");
  for (int i = 0; i < 7; ++i) TRY(in.integer());  // when it was made, in the time zone of pg_dump
  toc.database = TRY(in.text_or_empty());
  toc.server_version = TRY(in.text_or_empty());
  toc.dump_version = TRY(in.text_or_empty());
  return toc;
}

Result<TocEntry> read_entry(Reader& in, int version) {
  TocEntry entry;
  entry.dump_id = static_cast<int>(TRY(in.integer()));
  entry.has_data = TRY(in.integer()) != has_no_data;
  TRY(in.text());  // the oid of its catalogue
  entry.oid = TRY(in.text_or_empty());
  entry.tag = TRY(in.text_or_empty());
  entry.description = TRY(in.text_or_empty());
  TRY(in.integer());  // the section
  entry.definition = TRY(in.text_or_empty());
  TRY(in.text());  // how to drop it
  entry.copy = TRY(in.text_or_empty());
  entry.schema = TRY(in.text_or_empty());
  TRY(in.text());                                  // tablespace
  TRY(in.text());                                  // table access method
  if (version >= version_1_16) TRY(in.integer());  // kind of relation
  entry.owner = TRY(in.text_or_empty());
  TRY(in.text());  // "false": it has no oids
  while (const auto needed = TRY(in.text())) {
    int id = 0;
    std::from_chars(needed->data(), needed->data() + needed->size(), id);
    entry.dependencies.push_back(id);
  }
  for (int i = 0; i < 9; ++i) TRY(in.byte());  // where its data are, which is not known while they stream
  return entry;
}

Result<Toc> read_toc(Reader& in) {
  Toc toc = TRY(read_header(in));
  toc.int_size = in.int_size;
  const std::int64_t count = TRY(in.integer());
  if (count < 0 || count > most_entries) return broken(fmt::format("a table of contents of {} entries", count));
  for (std::int64_t i = 0; i < count; ++i) toc.entries.push_back(TRY(read_entry(in, toc.version)));
  return toc;
}

/// Keeps what it is given.
class Keeping final : public ArchiveListener {
 public:
  explicit Keeping(std::string& bytes) : bytes_(bytes) {}
  Result<void> raw(std::span<const std::byte> bytes) override {
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> contents(const Toc&) override { return {}; }
  Result<void> begin(const TocEntry&, std::uint64_t) override { return {}; }
  Result<void> large_object(std::uint32_t) override { return {}; }
  Result<void> data(std::span<const std::byte>) override { return {}; }
  Result<void> end(const TocEntry&) override { return {}; }

 private:
  std::string& bytes_;
};

/// Pieces up to the empty one.
Result<void> read_pieces(Reader& in, ArchiveListener& listener) {
  while (true) {
    std::int64_t left = TRY(in.integer());
    if (left == 0) return {};
    if (left < 0 || left > longest_text * 2) return broken(fmt::format("a piece of {} bytes", left));
    while (left > 0) {
      const auto piece = TRY(in.some(static_cast<std::size_t>(left)));
      if (piece.empty()) return cut_off();
      TRY(listener.data(piece));
      left -= static_cast<std::int64_t>(piece.size());
    }
  }
}

}  // namespace

Result<Beginning> read_beginning(Source& source) {
  Beginning beginning;
  Keeping keeping(beginning.bytes);
  Reader in(source, keeping);
  beginning.toc = TRY(read_toc(in));
  TRY(in.hand_over());
  return beginning;
}

Result<void> read_archive(Source& source, ArchiveListener& listener) {
  Reader in(source, listener);
  const Toc toc = TRY(read_toc(in));
  TRY(in.hand_over());
  TRY(listener.contents(toc));
  std::unordered_map<int, const TocEntry*> entries;
  for (const TocEntry& entry : toc.entries) entries.emplace(entry.dump_id, &entry);
  while (true) {
    const std::uint64_t offset = in.offset();
    // Before the next byte is asked for: the block that ended is out by the time the next begins.
    TRY(in.hand_over());
    const auto kind = TRY(in.next());
    if (!kind) return {};
    if (*kind != data_block && *kind != large_object_block) return broken(fmt::format("a block of kind {}", *kind));
    const std::int64_t id = TRY(in.integer());
    const auto found = entries.find(static_cast<int>(id));
    if (found == entries.end()) return broken(fmt::format("a block of {}, which is not in its contents", id));
    TRY(listener.begin(*found->second, offset));
    if (*kind == data_block) {
      TRY(read_pieces(in, listener));
    } else {
      while (const std::int64_t oid = TRY(in.integer())) {
        TRY(listener.large_object(static_cast<std::uint32_t>(oid)));
        TRY(read_pieces(in, listener));
      }
    }
    TRY(in.hand_over());
    TRY(listener.end(*found->second));
  }
}

}  // namespace steward::backup
