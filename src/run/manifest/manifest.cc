#include "run/manifest/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "io/files/copy.h"

namespace steward::manifest {
namespace {

std::string segment_key(std::string_view folder, std::string_view run, std::uint64_t n) {
  return fmt::format("{}.{:06}.jsonl", manifest_key(folder, run), n);
}

std::string finished_key(std::string_view folder, std::string_view run) { return manifest_key(folder, run) + ".jsonl"; }

/// Splits a key of the archive into what it says about a manifest: "mockups/manifest/RUN.jsonl",
/// "mockups/manifest/RUN.000001.jsonl".
struct Place {
  std::string folder{}, run{};
  std::uint64_t segment = 0;  ///< 0: the finished file.
};
std::optional<Place> place_of(std::string_view key) {
  constexpr std::string_view room = "/manifest/", ending = ".jsonl";
  const std::size_t at = key.find(room);
  if (at == std::string_view::npos || !key.ends_with(ending)) return {};
  Place place{.folder = std::string(key.substr(0, at))};
  std::string_view rest = key.substr(at + room.size());
  rest.remove_suffix(ending.size());
  const std::size_t dot = rest.find('.');
  place.run = std::string(rest.substr(0, dot));
  if (dot == std::string_view::npos) return place;
  const std::string_view number = rest.substr(dot + 1);
  const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), place.segment);
  if (ec != std::errc{} || end != number.data() + number.size() || place.segment == 0) return {};
  return place;
}

/// Feeds lines out of pushed bytes: a store pushes, each_line pulls.
class LineSink final : public Sink {
 public:
  explicit LineSink(const std::function<Result<bool>(std::string_view)>& take) : take_(take) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    if (stopped_) return {};
    rest_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::size_t begin = 0;
    for (std::size_t end; !stopped_ && (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
      stopped_ = !TRY(take_(std::string_view(rest_).substr(begin, end - begin)));
    rest_.erase(0, begin);
    return {};
  }
  bool stopped() const { return stopped_; }

 private:
  const std::function<Result<bool>(std::string_view)>& take_;
  std::string rest_{};
  bool stopped_ = false;
};

/// Gathers a manifest's lines into items in their last state. Items of one batch are in memory at a time.
class Gatherer {
 public:
  Gatherer(const std::function<Result<bool>(const Item&)>& take) : take_(take) {}

  Result<bool> line(std::string_view text) {
    // A row may have a column "steward" with such a value: only what is no item is a header.
    if (text.find("\"steward\":\"manifest\"") != std::string_view::npos && !number_in_line(text)) {
      if (!header_) header_ = TRY(header_from_line(text));
      return true;
    }
    if (!header_) return fail(Kind::corrupt, "a manifest begins without its header");
    const std::uint64_t number = TRY(number_in_line(text));
    const auto known = items_.find(number);
    Item item = TRY(item_from_line(text, known == items_.end() ? nullptr : &known->second));
    if (known == items_.end() && !TRY(flush_finished())) return false;
    items_[number] = std::move(item);
    return true;
  }

  Result<bool> flush_all() {
    for (const auto& [number, item] : items_)
      if (!TRY(take_(item))) return false;
    items_.clear();
    return true;
  }

  const std::optional<Header>& header() const { return header_; }

 private:
  /// A new item begins a new batch once all before it are final.
  Result<bool> flush_finished() {
    const bool all =
        std::ranges::all_of(items_, [&](const auto& entry) { return is_final(*header_, entry.second.state); });
    return all ? flush_all() : Result<bool>(true);
  }

  const std::function<Result<bool>(const Item&)>& take_;
  std::optional<Header> header_{};
  std::map<std::uint64_t, Item> items_{};
};

}  // namespace

std::string manifest_key(std::string_view folder, std::string_view run) {
  return fmt::format("{}/manifest/{}", folder, run);
}

Writer Writer::begin(object::Store& store, std::string folder, Header header) {
  return Writer(store, std::move(folder), std::move(header), 0);
}

Writer Writer::resume(object::Store& store, std::string folder, Header header, std::uint64_t last_segment) {
  return Writer(store, std::move(folder), std::move(header), last_segment);
}

Result<void> Writer::record(std::span<Item* const> items) {
  std::vector<Item> copies;
  for (const Item* item : items) copies.push_back(*item);
  return record(std::span<const Item>(copies));
}

Result<void> Writer::record(std::span<const Item> items) {
  if (items.empty()) return {};
  std::string text = line_of(header_) + '\n';
  for (const Item& item : items) text += line_of(item, false) + '\n';
  StringSource source(text);
  auto put = store_->put(segment_key(folder_, header_.run, segment_ + 1), source,
                         {.only_if_absent = true, .size = Bytes{text.size()}});
  if (!put) return fail_while("recording in the manifest", std::move(put).error());
  ++segment_;
  return {};
}

namespace {

/// Puts a finished manifest together in the scratch directory, and then where it belongs: with one put.
Result<void> put_finished(object::Store& store, const Header& header, const Listed& from, const StateDirectory& scratch,
                          const std::function<Result<void>(Item&)>& change) {
  auto temporary = TRY(scratch.folder().temporary_beside("manifests/finished"));
  files::FileSink sink(temporary.handle.fd());
  std::uint64_t size = 0;
  const auto write = [&](const std::string& line) -> Result<void> {
    size += line.size() + 1;
    const std::string text = line + '\n';
    return sink.write(std::as_bytes(std::span(text)));
  };
  auto written = write(line_of(header));
  if (written) {
    auto all = read(store, from, [&](const Item& item) -> Result<bool> {
      Item changed = item;
      if (change) TRY(change(changed));
      TRY(write(line_of(changed, true)));
      return true;
    });
    if (!all) written = std::unexpected(std::move(all).error());
  }
  if (written) {
    const files::Handle again = TRY(scratch.folder().open_for_reading(temporary.path));
    files::FileSource source(again.fd());
    auto put = store.put(finished_key(from.folder, from.run), source, {.size = Bytes{size}});
    if (!put) written = std::unexpected(std::move(put).error());
  }
  (void)scratch.folder().unlink(temporary.path);
  return written;
}

}  // namespace

Result<void> Writer::finish(const StateDirectory& scratch) {
  if (segment_ == 0) return {};
  Listed mine{.folder = folder_, .run = header_.run};
  for (std::uint64_t n = 1; n <= segment_; ++n) mine.segments.push_back(n);
  if (auto written = put_finished(*store_, header_, mine, scratch, {}); !written)
    return fail_while("finishing the manifest", std::move(written).error());
  return remove_leftovers(*store_, mine);
}

Result<void> rewrite(object::Store& store, const Listed& manifest, const StateDirectory& scratch,
                     const std::function<Result<void>(Item&)>& change) {
  const Header header = TRY(read(store, manifest, [](const Item&) -> Result<bool> { return false; }));
  if (auto written = put_finished(store, header, manifest, scratch, change); !written)
    return fail_while("rewriting the manifest", std::move(written).error());
  return {};
}

Result<void> remove_leftovers(object::Store& store, const Listed& manifest) {
  for (const std::uint64_t n : manifest.segments)
    TRY(store.remove({.key = segment_key(manifest.folder, manifest.run, n)}));
  return {};
}

Result<std::vector<Listed>> list(object::Store& store, std::string_view folder) {
  std::map<std::pair<std::string, std::string>, Listed> found;
  const std::string prefix = folder.empty() ? std::string{} : fmt::format("{}/manifest/", folder);
  TRY(store.list(prefix, [&](const object::ObjectInfo& info) -> Result<bool> {
    if (const auto place = place_of(info.key)) {
      Listed& listed = found[{place->run, place->folder}];
      listed.folder = place->folder;
      listed.run = place->run;
      if (place->segment == 0)
        listed.finished = true;
      else
        listed.segments.push_back(place->segment);
    }
    return true;
  }));
  std::vector<Listed> all;
  for (auto& [key, listed] : found) {
    std::ranges::sort(listed.segments);
    all.push_back(std::move(listed));
  }
  return all;
}

Result<Header> read(object::Store& store, const Listed& manifest,
                    const std::function<Result<bool>(const Item&)>& take) {
  Gatherer gatherer(take);
  const std::function<Result<bool>(std::string_view)> line = [&](std::string_view text) { return gatherer.line(text); };
  LineSink sink(line);
  const auto feed = [&](const std::string& key) -> Result<void> {
    auto got = store.get(key, sink);
    if (!got) return fail_while(fmt::format("reading {}", key), std::move(got).error());
    return {};
  };
  // A finished file is whole: what segments lie beside it are leftovers of its making.
  if (manifest.finished) {
    TRY(feed(finished_key(manifest.folder, manifest.run)));
  } else {
    for (const std::uint64_t n : manifest.segments) {
      TRY(feed(segment_key(manifest.folder, manifest.run, n)));
      if (sink.stopped()) break;
    }
  }
  if (!sink.stopped()) TRY(gatherer.flush_all());
  if (!gatherer.header())
    return fail(Kind::corrupt, fmt::format("the manifest {} is empty", manifest_key(manifest.folder, manifest.run)));
  return *gatherer.header();
}

}  // namespace steward::manifest
