#include "jobs/rotation/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "run/manifest/row_json.h"

namespace steward::rotation {
namespace {

using nlohmann::json;
constexpr Bytes limit = 64_KiB;

struct WayName {
  Way way;
  std::string_view name;
};
constexpr std::array ways{WayName{Way::cut, "cut"}, WayName{Way::copytruncate, "copytruncate"},
                          WayName{Way::move, "move"}};

std::string name_of_record(const std::string& task) { return fmt::format(".steward-rotating-{}.json", task); }

Result<Record> parsed(const std::string& text) {
  const json document = json::parse(text, nullptr, false);
  const auto damaged = [] {
    return fail(Kind::corrupt, "the record of an interrupted rotation cannot be read",
                "Compare the newest archive with its log, then remove the record: docs/log-rotation.md says how.");
  };
  if (!document.is_object() || document.value("format", json()) != json(1)) return damaged();
  const auto is = [&](const char* key, auto of_type) { return document.contains(key) && of_type(document[key]); };
  const auto a_number = [](const json& value) { return value.is_number_unsigned(); };
  const auto a_text = [](const json& value) { return value.is_string(); };
  if (!is("way", a_text) || !is("sha256", a_text) || !document.contains("log") || !document.contains("archive"))
    return damaged();
  for (const char* key : {"device", "inode", "size"})
    if (!is(key, a_number)) return damaged();
  const auto way = std::ranges::find(ways, document["way"].get<std::string>(), &WayName::name);
  if (way == ways.end()) return damaged();
  Record record{.way = way->way,
                .device = document["device"].get<std::uint64_t>(),
                .inode = document["inode"].get<std::uint64_t>(),
                .size = {document["size"].get<std::uint64_t>()},
                .sha256 = document["sha256"].get<std::string>()};
  record.log = TRY(manifest::bytes_from_json(document["log"]));
  record.archive = TRY(manifest::bytes_from_json(document["archive"]));
  if (const auto place = document.find("place"); place != document.end() && place->is_number_unsigned())
    record.place = place->get<std::uint64_t>();
  return record;
}

}  // namespace

Result<void> write_record(const files::Folder& archive, const std::string& task, const Record& record) {
  json document{{"format", 1},
                {"way", std::ranges::find(ways, record.way, &WayName::way)->name},
                {"log", manifest::bytes_to_json(record.log)},
                {"archive", manifest::bytes_to_json(record.archive)},
                {"device", record.device},
                {"inode", record.inode},
                {"size", record.size.count},
                {"sha256", record.sha256}};
  if (record.place) document["place"] = *record.place;
  return files::replace_file(archive, name_of_record(task), document.dump() + '\n');
}

Result<std::optional<Record>> read_record(const files::Folder& archive, const std::string& task) {
  const auto text = files::read_file(archive, name_of_record(task), limit);
  if (!text && text.error().kind == Kind::not_found) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  const std::string where = fmt::format("{}/{}", archive.path(), name_of_record(task));
  auto record = parsed(*text);
  if (!record) return fail_while(where, std::move(record).error());
  return *std::move(record);
}

Result<void> erase_record(const files::Folder& archive, const std::string& task) {
  return archive.unlink(name_of_record(task));
}

Remedy remedy(const Record& record, const Aftermath& found) {
  if (!found.archived || !found.same_log) return Remedy::nothing;
  switch (record.way) {
    case Way::cut:
      // Lines that are all alike look the same before and behind a cut; the place on the disk does not.
      if (record.place && found.place) {
        if (*record.place != *found.place) return Remedy::nothing;
        return found.same_front ? Remedy::finish : Remedy::both;
      }
      return found.same_front ? Remedy::both : Remedy::nothing;
    case Way::move:
      if (!found.same_front) return Remedy::both;
      return found.grown ? Remedy::undo : Remedy::finish;
    case Way::copytruncate:
      // Its blocks may have been given to it anew: nothing tells for certain.
      return found.same_front ? Remedy::both : Remedy::nothing;
    case Way::leave:
    case Way::rename: break;
  }
  return Remedy::nothing;
}

}  // namespace steward::rotation
