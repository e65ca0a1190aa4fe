#include "jobs/retention/forgetting.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "core/digest.h"
#include "io/files/compression.h"
#include "io/files/folder.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/recovery.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;
using manifest::State;

/// The name of the segment that takes the place of one: "…-000001.jsonl.zst", "…-000001.1.jsonl.zst", "…-000001.2…".
/// Not made up anew: what a forget that was killed has left under it is overwritten by the next one, and so is never
/// left behind with rows that are forgotten later.
std::string next_segment(std::string_view copy) {
  const std::size_t dot = copy.find('.', copy.rfind('/') + 1);
  const std::string_view rest = copy.substr(dot + 1);
  std::uint64_t generation = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), generation);  // none: the first one
  return fmt::format("{}.{}.jsonl.zst", copy.substr(0, dot), generation + 1);
}

/// How many of these go.
Result<std::uint64_t> count(std::span<const manifest::Referring> referring, const Forgetting::Goes& goes) {
  std::uint64_t n = 0;
  if (!goes.referring) return n;
  for (const manifest::Referring& one : referring) n += TRY(goes.referring(one)) ? 1 : 0;
  return n;
}

/// Those that stay.
Result<std::vector<manifest::Referring>> left_of(std::span<const manifest::Referring> referring,
                                                 const Forgetting::Goes& goes) {
  std::vector<manifest::Referring> left;
  for (const manifest::Referring& one : referring)
    if (!goes.referring || !TRY(goes.referring(one))) left.push_back(one);
  return left;
}

}  // namespace

bool left_the_database(const Item& item) {
  return item.state == State::row_gone || item.state == State::source_gone || item.state == State::source_kept;
}

Result<manifest::Header> header_of(object::Store& store, const manifest::Listed& listed) {
  return manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; });
}

Result<Forgetting::Covered> Forgetting::covered(const manifest::Header& header, const Item& item,
                                                const Goes& goes) const {
  if (!left_the_database(item)) return Covered{};
  if (!goes.row && item.rows == 0) return Covered{1, 1};
  if (!goes.row) return Covered{item.rows, item.rows - std::min<std::uint64_t>(item.rows, item.kept.size())};
  if (item.rows == 0 && TRY(goes.row(item, item.key, item.referring))) return Covered{1, 1};
  Covered found;
  if (item.rows == 0) {
    found.referring = TRY(count(item.referring, goes));
    return found;
  }
  TRY(each_archived_row(store_, item, [&](const ArchivedRow& row) -> Result<bool> {
    const std::string key = manifest::key_text(TRY(row.values_of(header.key_columns)));
    if (!TRY(goes.row(item, key, row.referring))) {
      found.referring += TRY(count(row.referring, goes));
      return true;
    }
    ++found.rows;
    found.archived += std::ranges::find(item.kept, key) == item.kept.end();
    return true;
  }));
  return found;
}

Result<std::optional<Forgetting::Forgotten>> Forgetting::forget(const manifest::Listed& listed, const Goes& goes,
                                                                std::uint64_t most, const Holds& seen,
                                                                RunContext& run) const {
  const manifest::Header header = TRY(header_of(store_, listed));
  Forgotten forgotten;
  bool stale = false;
  const auto written = manifest::rewrite(store_, listed, run.state(), [&](Item& item) -> Result<void> {
    if (forgotten.items >= most) return {};
    const Covered found = TRY(covered(header, item, goes));
    if (!found.any()) return {};
    TRY(run.checkpoint("forget: item"));
    stale = TRY(run.holds())->generation() != seen.generation();
    if (stale) return fail(Kind::interrupted, "the holds have changed");
    ++forgotten.items;
    forgotten.rows += found.archived;
    if (found.rows > 0 && (item.rows == 0 || found.rows == item.rows)) {
      forgotten.bytes += item.size;
      forget_file(item);
      return {};
    }
    if (item.rows > 0) return forget_rows(header, item, goes, found);
    item.referring = TRY(left_of(item.referring, goes));
    return {};
  });
  if (stale) return std::nullopt;
  TRY(written);
  TRY(run.checkpoint("forget: recorded"));
  TRY(remove_superseded(listed, run));
  return forgotten;
}

Result<void> Forgetting::remove_superseded(const manifest::Listed& listed, RunContext& run) const {
  std::vector<std::string> copies;
  TRY(manifest::read(store_, listed, [&](const Item& item) -> Result<bool> {
    copies.insert(copies.end(), item.superseded.begin(), item.superseded.end());
    return true;
  }));
  const std::vector<std::string> needed = TRY(named_elsewhere(store_, listed.folder, listed.run, copies));
  const std::set<std::string> stay(needed.begin(), needed.end());
  for (const std::string& copy : copies)
    if (!stay.contains(copy)) TRY(store_.remove({.key = copy}));
  TRY(run.checkpoint("forget: removed"));
  return manifest::rewrite(store_, listed, run.state(), [](Item& item) -> Result<void> {
    item.superseded.clear();
    return {};
  });
}

Result<void> Forgetting::remove_half_written(const std::string& folder) const {
  if (!archive_.url.starts_with("file://")) return {};
  const files::Folder place = TRY(files::Folder::open(archive_.url.substr(7) + '/' + folder));
  return place.walk({}, [&](const files::Found& found) -> Result<bool> {
    const std::size_t name = found.path.rfind('/') + 1;  // npos + 1 is 0
    if (std::string_view(found.path).substr(name).starts_with(files::temporary_prefix)) TRY(place.unlink(found.path));
    return true;
  });
}

/// A row with its file, or a whole segment.
void Forgetting::forget_file(Item& item) const {
  std::vector<std::string> copies;
  if (!item.missing) copies.push_back(item.copy);
  item = {.number = item.number, .state = State::forgotten, .reason = reason_, .superseded = std::move(copies)};
}

/// A new segment without these rows and records; the item is about that one from now on.
Result<void> Forgetting::forget_rows(const manifest::Header& header, Item& item, const Goes& goes,
                                     const Covered& found) const {
  const std::string old = item.copy;
  StringSink text;  // a segment has 16 MiB at the most
  files::ZstdSink zstd(text);
  std::string first;
  std::set<std::string> gone;
  TRY(each_archived_row(store_, item, [&](const ArchivedRow& row) -> Result<bool> {
    const std::string key = manifest::key_text(TRY(row.values_of(header.key_columns)));
    if (TRY(goes.row(item, key, row.referring))) {
      gone.insert(key);
      return true;
    }
    if (first.empty()) first = key;
    const std::vector<manifest::Referring> referring = TRY(left_of(row.referring, goes));
    const std::string line =
        manifest::segment_line(manifest::row_to_json(row.columns, row.values).dump(), referring) + '\n';
    TRY(zstd.write(std::as_bytes(std::span(line))));
    return true;
  }));
  TRY(zstd.finish());
  std::erase_if(item.kept, [&](const std::string& key) { return gone.contains(key); });
  item.copy = next_segment(old);
  StringSource source(text.text);
  TRY(store_.put(item.copy, source, {.size = Bytes{text.text.size()}}));
  item.key = first;
  item.sha256 = sha256_hex(text.text);
  item.size = Bytes{text.text.size()};
  item.rows -= found.rows;
  item.superseded = {old};
  return verify_copy(store_, item);
}

}  // namespace steward::retention
