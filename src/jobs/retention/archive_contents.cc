#include "jobs/retention/archive_contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "core/fold.h"
#include "core/text.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/forgetting.h"
#include "run/holds.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;

/// Behind which row a page begins: "RUN:FOLDER:ITEM:ROW". The numbers are read from the end, and a run has no colon, so
/// a folder may have any.
struct Place {
  std::string run{}, folder{};
  std::uint64_t item = 0, row = 0;

  std::string text() const { return fmt::format("{}:{}:{}:{}", run, folder, item, row); }
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Place> place_from(std::string_view text) {
  const auto run = text.find(':'), row = text.rfind(':');
  const auto item = row == std::string_view::npos || row == 0 ? row : text.rfind(':', row - 1);
  if (item != std::string_view::npos && run < item) {
    const auto item_number = number_of(text.substr(item + 1, row - item - 1));
    const auto row_number = number_of(text.substr(row + 1));
    if (item_number && row_number)
      return Place{.run = std::string(text.substr(0, run)),
                   .folder = std::string(text.substr(run + 1, item - run - 1)),
                   .item = *item_number,
                   .row = *row_number};
  }
  return fail(Kind::bad_input, fmt::format("\"{}\" is no place in an archive", printable(text)),
              "Give what `next` of the page before says.");
}

/// Fills one page.
class Reading {
 public:
  Reading(object::Store& store, const PageRequest& request, std::optional<Place> after)
      : store_(store), request_(request), after_(std::move(after)) {}

  Result<RowPage> fill() {
    std::vector<manifest::Listed> manifests = TRY(manifest::list(store_, ""));
    std::ranges::reverse(manifests);
    for (const manifest::Listed& listed : manifests) {
      if (is_full_) break;
      if (!listed.run.starts_with(request_.filter.run)) continue;
      const auto place = std::pair(listed.run, listed.folder);
      if (after_ && place > std::pair(after_->run, after_->folder)) continue;
      const bool is_here = after_ && place == std::pair(after_->run, after_->folder);
      TRY(look(listed, is_here ? &*after_ : nullptr));
    }
    return std::move(page_);
  }

 private:
  Result<void> look(const manifest::Listed& listed, const Place* after) {
    // The header comes with the whole manifest; a first look that stops at once tells whether it is the right table.
    const manifest::Header header = TRY(header_of(store_, listed));
    if (!request_.filter.table.empty() && !names_table(request_.filter.table, header.table)) return {};
    TRY(manifest::read(store_, listed, [&](const Item& item) -> Result<bool> {
      if (after != nullptr && item.number < after->item) return true;
      if (!left_the_database(item)) return true;
      if (item.rows == 0 && !request_.filter.key.empty() && item.key != request_.filter.key) return true;
      TRY(rows_of(listed, header, item, after != nullptr && item.number == after->item ? after->row : 0));
      return !is_full_;
    }));
    return {};
  }

  /// Those of an item behind the first `seen`, which stood on pages before.
  Result<void> rows_of(const manifest::Listed& listed, const manifest::Header& header, const Item& item,
                       std::uint64_t seen) {
    const std::set<std::string> kept(item.kept.begin(), item.kept.end());
    std::uint64_t number = 0;
    return each_archived_row(store_, item, [&](const ArchivedRow& row) -> Result<bool> {
      if (++number <= seen) return true;
      if (page_.rows.size() == request_.limit || page_.looked_at == request_.most_looked_at) {
        page_.next = Place{listed.run, listed.folder, item.number, number - 1}.text();
        is_full_ = true;
        return false;
      }
      ++page_.looked_at;
      const std::string key = manifest::key_text(TRY(row.values_of(header.key_columns)));
      if (!kept.contains(key)) add(header, item, row, key);
      return true;
    });
  }

  void add(const manifest::Header& header, const Item& item, const ArchivedRow& row, const std::string& key) {
    if (!request_.filter.key.empty() && key != request_.filter.key) return;
    std::string text = item.rows == 0 ? item.row : manifest::row_to_json(row.columns, row.values).dump();
    const std::string& wanted = request_.filter.text;
    if (!contains_fold(text, wanted) && !contains_fold(key, wanted) && !contains_fold(item.source, wanted)) return;
    FoundRow found{.run = header.run,
                   .task = header.task,
                   .table = header.table,
                   .key = key,
                   .archived = header.began,
                   .row = std::move(text),
                   .file_missing = item.missing,
                   .referring = row.referring};
    if (item.rows == 0 && !item.copy.empty() && !item.missing)
      found.file = {.copy = item.copy, .source = item.source, .sha256 = item.sha256, .size = item.size};
    page_.rows.push_back(std::move(found));
  }

  object::Store& store_;
  const PageRequest& request_;
  std::optional<Place> after_;
  RowPage page_{};
  bool is_full_ = false;
};

}  // namespace

Result<std::vector<ArchivedRun>> list_archive(const object::StoreTarget& target) {
  const manifest::Archive archive = TRY(manifest::Archive::read(target));
  std::vector<ArchivedRun> runs;
  for (const manifest::Listed& listed : TRY(manifest::list(archive.store(), ""))) {
    ArchivedRun run{.run = listed.run, .folder = listed.folder, .finished = listed.finished};
    const manifest::Header header = TRY(manifest::read(archive.store(), listed, [&](const Item& item) -> Result<bool> {
      if (!left_the_database(item)) return true;
      run.items += item.rows == 0 ? 1 : item.rows - item.kept.size();
      run.bytes += item.size;
      return true;
    }));
    run.task = header.task;
    run.table = header.table;
    run.began = header.began;
    runs.push_back(std::move(run));
  }
  return runs;
}

Result<RowPage> rows_of_archive(const object::StoreTarget& target, const PageRequest& request) {
  std::optional<Place> after;
  if (!request.after.empty()) after = TRY(place_from(request.after));
  const manifest::Archive archive = TRY(manifest::Archive::read(target));
  return Reading(archive.store(), request, std::move(after)).fill();
}

Result<void> read_copy(const object::StoreTarget& target, const std::string& copy, const std::string& sha256,
                       std::optional<Bytes> most, Sink& sink) {
  const manifest::Archive archive = TRY(manifest::Archive::read(target));
  const object::ObjectInfo info = TRY(archive.store().head(copy));
  if (most && info.size > *most)
    return fail(Kind::refused,
                fmt::format("{} has {}, and at most {} were asked for", printable(copy), format_bytes(info.size),
                            format_bytes(*most)),
                "Restore it, or take it with `steward archive file`.", "too-large");
  TRY(verify_copy(archive.store(), {.copy = copy, .sha256 = sha256}));
  TRY(archive.store().get(copy, sink));
  return {};
}

Result<Verified> verify_archive(const object::StoreTarget& target, const std::function<void(const Verified&)>& tick) {
  const manifest::Archive archive = TRY(manifest::Archive::read(target));
  Verified verified;
  for (const manifest::Listed& listed : TRY(manifest::list(archive.store(), "")))
    TRY(manifest::read(archive.store(), listed, [&](const Item& item) -> Result<bool> {
      if (!left_the_database(item) || item.missing) return true;
      const auto same = verify_copy(archive.store(), item);
      if (!same && same.error().kind != Kind::corrupt && same.error().kind != Kind::not_found)
        return std::unexpected(same.error());
      ++verified.copies;
      verified.bytes += item.size;
      if (!same) verified.faults.push_back(same.error().message);
      tick(verified);
      return true;
    }));
  return verified;
}

}  // namespace steward::retention
