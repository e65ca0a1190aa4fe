#include "run/manifest/removed_list.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/fold.h"
#include "run/manifest/row_json.h"

namespace steward::manifest {
namespace {

constexpr std::uint64_t most_read = std::uint64_t{4} << 20;

Result<RemovedItem> item_from(std::string_view line) {
  const auto document = nlohmann::json::parse(line, nullptr, false);
  const auto not_one = [] { return fail(Kind::corrupt, "a line of the list of what was removed is damaged"); };
  if (!document.is_object()) return not_one();
  RemovedItem item;
  for (const auto& [name, what] : {std::pair("removed", RemovedItem::What::removed),
                                   {"moved", RemovedItem::What::moved},
                                   {"not_removed", RemovedItem::What::stayed}}) {
    if (!document.contains(name)) continue;
    item.what = what;
    item.name = TRY(bytes_from_json(document[name]));
  }
  if (document.contains("to")) item.to = TRY(bytes_from_json(document["to"]));
  if (document.contains("version")) item.version = TRY(bytes_from_json(document["version"]));
  if (const auto found = document.find("reason"); found != document.end() && found->is_string())
    item.reason = found->get<std::string>();
  if (const auto found = document.find("bytes"); found != document.end() && found->is_number_unsigned())
    item.size = Bytes{found->get<std::uint64_t>()};
  if (const auto found = document.find("modified"); found != document.end() && found->is_string())
    item.modified = parse_instant(found->get<std::string>());
  return item;
}

std::string list_of(std::string_view run, std::string_view task) {
  return fmt::format("manifests/{}/{}.jsonl", run, task);
}

}  // namespace

void RemovedList::add(std::string_view name, Bytes size, Instant modified, std::string_view version) {
  // By hand but for the name: this is written for every file that goes.
  fmt::format_to(std::back_inserter(buffer_), R"({{"bytes":{},"modified":"{}","removed":{})", size.count,
                 format_instant(modified), bytes_to_json(name).dump());
  if (!version.empty()) buffer_ += ",\"version\":" + bytes_to_json(version).dump();
  buffer_ += "}\n";
}

void RemovedList::moves(std::string_view name, std::string_view to, Bytes size) {
  buffer_ +=
      nlohmann::json{{"moved", bytes_to_json(name)}, {"to", bytes_to_json(to)}, {"bytes", size.count}}.dump() + '\n';
}

void RemovedList::stays(std::string_view name, std::string_view reason) {
  buffer_ += nlohmann::json{{"not_removed", bytes_to_json(name)}, {"reason", reason}}.dump() + '\n';
}

Result<void> RemovedList::flush() {
  if (buffer_.empty()) return {};
  if (!file_.valid()) {
    const files::Folder& state = run_.state().folder();
    const std::string folder = fmt::format("manifests/{}", run_.run());
    TRY(state.make_folders(folder));
    auto temporary = TRY(state.temporary_beside(fmt::format("{}/{}.jsonl", folder, task_)));
    TRY(state.rename(temporary.path, fmt::format("{}/{}.jsonl", folder, task_), false));
    file_ = std::move(temporary.handle);
  }
  files::FileSink sink(file_.fd());
  TRY(sink.write(std::as_bytes(std::span(buffer_))));
  buffer_.clear();
  return files::sync_file(file_.fd());
}

Result<std::vector<std::string>> removed_lists(const StateDirectory& state, std::string_view run) {
  const auto folder = state.folder().subfolder(fmt::format("manifests/{}", run));
  if (!folder && folder.error().kind == Kind::not_found) return std::vector<std::string>{};
  if (!folder) return std::unexpected(folder.error());
  std::vector<std::string> tasks;
  constexpr std::string_view ending = ".jsonl";
  TRY(folder->walk({}, [&](const files::Found& found) -> Result<bool> {
    if (found.path.ends_with(ending)) tasks.push_back(found.path.substr(0, found.path.size() - ending.size()));
    return true;
  }));
  std::ranges::sort(tasks);
  return tasks;
}

Result<RemovedPage> read_removed(const StateDirectory& state, const RemovedRequest& request) {
  const auto file = state.folder().open_for_reading(list_of(request.run, request.task));
  if (!file && file.error().kind == Kind::not_found)
    return fail(Kind::not_found, fmt::format("run {} has no list of what {} removed here", request.run, request.task),
                "It removed nothing by name, or its list had become old.");
  if (!file) return std::unexpected(file.error());
  if (::lseek(file->fd(), static_cast<off_t>(request.from), SEEK_SET) < 0)
    return fail(Kind::bad_input, fmt::format("{} is no place in the list", request.from));
  RemovedPage page{.next = request.from};
  files::FileSource source(file->fd());
  TRY(each_line(source, [&](std::string_view line) -> Result<bool> {
    page.more = page.items.size() == request.limit || page.next - request.from > most_read;
    if (page.more) return false;
    page.next += line.size() + 1;
    RemovedItem item = TRY(item_from(line));
    if (contains_fold(item.name, request.match) || contains_fold(item.to, request.match))
      page.items.push_back(std::move(item));
    return true;
  }));
  return page;
}

}  // namespace steward::manifest
