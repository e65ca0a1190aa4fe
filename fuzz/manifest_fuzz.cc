// The lines of manifests and of a plan's item list: an archive outlives the program and the disk that wrote it.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "jobs/retention/archive_files.h"
#include "property.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::fuzz {
namespace {
using namespace manifest;

void check_header(std::string_view line) {
  const auto header = header_from_line(line);
  if (!header) return;
  for (const State state : {State::planned, State::row_gone, State::source_kept, State::undone})
    (void)is_final(*header, state);
  const std::string written = line_of(*header);
  if (!has_four_digit_year(header->began)) return;
  const auto again = header_from_line(written);
  require(again && line_of(*again) == written, "a header reads back from its line");
  require(again->run == header->run && again->key_columns == header->key_columns, "a header keeps what it names");
}

void check_item(std::string_view line) {
  const auto item = item_from_line(line, nullptr);
  if (!item) return;
  require(number_in_line(line) == item->number, "an item's number is that of its line");
  const std::string whole = line_of(*item, true), step = line_of(*item, false);
  if (item->modified && !has_four_digit_year(*item->modified)) return;
  const auto again = item_from_line(whole, nullptr);
  require(again && line_of(*again, true) == whole, "an item reads back from its line");
  require(again->key == item->key && again->row == item->row && again->kept == item->kept,
          "an item keeps what it names");
  const auto laid_over = item_from_line(step, &*item);
  require(laid_over && line_of(*laid_over, true) == whole, "a step laid over its own item changes nothing");
}

bool same(const sql::Value& a, const sql::Value& b) {
  const double *x = std::get_if<double>(&a), *y = std::get_if<double>(&b);
  return a == b || (x != nullptr && y != nullptr && std::isnan(*x) && std::isnan(*y));
}

void check_value(const nlohmann::json& document) {
  const auto value = value_from_json(document);
  if (!value) return;
  const nlohmann::json written = to_json(*value);
  // Only what is not UTF-8 needs another form: {"bytes": "QQ=="} is read, and written as "A".
  if (!document.is_object()) require(written == document, "a value is what its JSON says");
  const auto again = value_from_json(nlohmann::json::parse(written.dump()));
  require(again && same(*again, *value), "a value reads back from its JSON");
}

void check_planned_row(std::string_view line) {
  const auto row = retention::planned_row(line);
  if (!row) return;
  (void)key_text(row->key);
  const auto again = retention::planned_row(retention::item_line(row->key, row->file, row->missing));
  require(again && again->file == row->file && std::ranges::equal(again->key, row->key, same),
          "a planned row reads back from its line");
}

}  // namespace
}  // namespace steward::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace steward::fuzz;
  const std::string_view line = text_of(data, size);
  check_header(line);
  check_item(line);
  check_planned_row(line);
  const auto document = nlohmann::json::parse(line, nullptr, false);
  if (!document.is_object()) return 0;
  check_value(document);
  check_value(document);
  for (const auto& member : document) {
    check_value(member);
    if (member.is_structured())
      for (const auto& element : member) check_value(element);
  }
  return 0;
}
