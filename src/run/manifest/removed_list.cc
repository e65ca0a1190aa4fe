#include "run/manifest/removed_list.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "run/manifest/row_json.h"

namespace steward::manifest {

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

}  // namespace steward::manifest
