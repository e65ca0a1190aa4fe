#include "jobs/backup/dump_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace steward::backup {
namespace {

/// Hands on a part of what comes, and then has enough.
class Slice final : public Sink {
 public:
  Slice(std::uint64_t skip, std::uint64_t length, Sink& next) : skip_(skip), left_(length), next_(next) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    const std::size_t before = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= before;
    bytes = bytes.subspan(before);
    bytes = bytes.first(std::min<std::uint64_t>(left_, bytes.size()));
    if (!bytes.empty()) TRY(next_.write(bytes));
    left_ -= bytes.size();
    if (left_ == 0) return fail(Kind::interrupted, "this is enough");
    return {};
  }
  bool has_enough() const { return left_ == 0; }

 private:
  std::uint64_t skip_, left_;
  Sink& next_;
};

std::uint64_t uncompressed(const StoredObject* object) { return object == nullptr ? 0 : object->uncompressed.count; }

}  // namespace

DumpReader::DumpReader(object::Store& store, const Manifest& manifest, Contents contents, ReadOptions options)
    : store_(&store),
      manifest_(manifest),
      is_in_parts_(manifest.is_in_parts()),
      end_(uncompressed(manifest.find(postgres_dump_key))),
      contents_(std::move(contents)),
      options_(std::move(options)) {
  for (const BlockPlace& at : contents_.large_object_blocks) blocks_.push_back(at.offset);
  for (const TableContents& table : contents_.tables) blocks_.push_back(table.at.offset);
  std::ranges::sort(blocks_);
}

Result<DumpReader> DumpReader::open(object::Store& store, const Manifest& manifest, Contents contents,
                                    ReadOptions options) {
  if (manifest.find(postgres_dump_key) == nullptr && !manifest.is_in_parts())
    return fail(Kind::not_found, fmt::format("backup {} has no {}", manifest.id(), postgres_dump_key));
  DumpReader reader(store, manifest, std::move(contents), std::move(options));
  StringSink bytes;
  TRY(reader.read_beginning_into(bytes));
  StringSource source(bytes.text);
  reader.beginning_ = TRY(read_beginning(source));
  return reader;
}

Result<void> DumpReader::read_beginning_into(Sink& sink) const {
  if (is_in_parts_) return read_object(*store_, manifest_, postgres_part_key(0), sink, options_);
  return bytes(0, blocks_.empty() ? end_ : blocks_.front(), sink);
}

std::uint64_t DumpReader::size_of(const BlockPlace& at) const {
  if (is_in_parts_) return uncompressed(manifest_.find(postgres_part_key(at.part)));
  const auto next = std::ranges::upper_bound(blocks_, at.offset);
  return (next == blocks_.end() ? end_ : *next) - at.offset;
}

Result<void> DumpReader::block(const BlockPlace& at, Sink& sink) const {
  if (is_in_parts_) return read_object(*store_, manifest_, postgres_part_key(at.part), sink, options_);
  return bytes(at.offset, at.offset + size_of(at), sink);
}

Result<void> DumpReader::bytes(std::uint64_t begin, std::uint64_t end, Sink& sink) const {
  if (begin == end) return {};
  std::pair<std::uint64_t, std::uint64_t> frame{};
  if (!manifest_.find(postgres_dump_key)->is_encrypted()) {
    const auto after =
        std::ranges::upper_bound(contents_.frames, begin, {}, &std::pair<std::uint64_t, std::uint64_t>::first);
    if (after == contents_.frames.begin())
      return fail(Kind::corrupt, fmt::format("the dump of {} has no frame for byte {}", manifest_.id(), begin));
    frame = *std::prev(after);
  }
  Slice slice(begin - frame.first, end - begin, sink);
  const auto got = read_object_from(*store_, manifest_, postgres_dump_key, frame.second, slice, options_);
  if (slice.has_enough()) return {};
  TRY(got);
  return fail(Kind::corrupt, fmt::format("the dump of {} ends before its byte {}", manifest_.id(), end));
}

}  // namespace steward::backup
