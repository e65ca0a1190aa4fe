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

class OnlyContents final : public ArchiveListener {
 public:
  Result<void> raw(std::span<const std::byte>) override { return {}; }
  Result<void> contents(const Toc& its_toc) override {
    toc = its_toc;
    return {};
  }
  Result<void> begin(const TocEntry&, std::uint64_t) override { return {}; }
  Result<void> large_object(std::uint32_t) override { return {}; }
  Result<void> data(std::span<const std::byte>) override { return {}; }
  Result<void> end(const TocEntry&) override { return {}; }
  Toc toc{};
};

}  // namespace

DumpReader::DumpReader(object::Store& store, const Manifest& manifest, Contents contents, ReadOptions options)
    : store_(&store),
      manifest_(manifest),
      end_(manifest.find(postgres_dump_key)->uncompressed.count),
      contents_(std::move(contents)),
      options_(std::move(options)),
      blocks_(contents_.large_object_blocks) {
  for (const TableContents& table : contents_.tables) blocks_.push_back(table.offset);
  std::ranges::sort(blocks_);
}

Result<DumpReader> DumpReader::open(object::Store& store, const Manifest& manifest, Contents contents,
                                    ReadOptions options) {
  if (manifest.find(postgres_dump_key) == nullptr)
    return fail(Kind::not_found, fmt::format("backup {} has no {}", manifest.id(), postgres_dump_key));
  DumpReader reader(store, manifest, std::move(contents), std::move(options));
  StringSink beginning;
  TRY(reader.bytes(0, reader.blocks_.empty() ? reader.end_ : reader.blocks_.front(), beginning));
  reader.beginning_ = std::move(beginning.text);
  StringSource source(reader.beginning_);
  OnlyContents listener;
  TRY(read_archive(source, listener));
  reader.toc_ = std::move(listener.toc);
  return reader;
}

std::uint64_t DumpReader::size_of(std::uint64_t offset) const {
  const auto next = std::ranges::upper_bound(blocks_, offset);
  return (next == blocks_.end() ? end_ : *next) - offset;
}

Result<void> DumpReader::block(std::uint64_t offset, Sink& sink) const {
  return bytes(offset, offset + size_of(offset), sink);
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
