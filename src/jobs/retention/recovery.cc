#include "jobs/retention/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace steward::retention {
namespace {

using manifest::Item;

std::string said(const std::string& run, const std::vector<Item>& items) {
  const auto undone =
      std::ranges::count_if(items, [](const Item& item) { return item.state == manifest::State::undone; });
  const auto finished = static_cast<std::ptrdiff_t>(items.size()) - undone;
  return fmt::format("run {} was interrupted: {} of its items finished now, {} undone (they are as they were)", run,
                     finished, undone);
}

}  // namespace

Result<void> recover_manifests(object::Store& store, const std::string& folder, const std::string& task,
                               const std::string& database_id, RunContext& run, const Settle& settle) {
  for (const manifest::Listed& listed : TRY(manifest::list(store, folder))) {
    if (listed.segments.empty()) continue;
    if (listed.finished) {
      TRY(manifest::remove_leftovers(store, listed));
      continue;
    }
    std::vector<Item> open;  // of the last batch alone: each batch is finished before the next begins
    const manifest::Header header = TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      const bool settled = item.state == manifest::State::undone || item.state == manifest::State::source_gone ||
                           item.state == manifest::State::source_kept;
      if (!settled) open.push_back(item);
      return true;
    }));
    if (header.task != task || header.database_id != database_id) continue;
    // row_gone is the end for a segment of rows, and not for a file: only the header tells.
    std::erase_if(open, [&](const Item& item) { return manifest::is_final(header, item.state); });
    manifest::Writer writer = manifest::Writer::resume(store, listed.folder, header, listed.segments.back());
    TRY(settle(header, open, writer));
    TRY(writer.record(std::span<const Item>(open)));
    TRY(writer.finish(run.state()));
    if (!open.empty()) run.note(Level::info, said(listed.run, open));
  }
  return {};
}

Result<std::vector<std::string>> named_elsewhere(object::Store& store, const std::string& folder,
                                                 const std::string& run, const std::vector<std::string>& copies) {
  std::vector<std::string> named;
  if (copies.empty()) return named;
  const std::unordered_set<std::string_view> wanted_copies(copies.begin(), copies.end());
  for (const manifest::Listed& listed : TRY(manifest::list(store, folder))) {
    if (listed.run == run) continue;
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      const bool wanted = item.state != manifest::State::undone && wanted_copies.contains(item.copy);
      if (wanted) named.push_back(item.copy);
      return named.size() < copies.size();
    }));
  }
  return named;
}

}  // namespace steward::retention
