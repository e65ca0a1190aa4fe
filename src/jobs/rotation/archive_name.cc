#include "jobs/rotation/archive_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace steward::rotation {
namespace {

constexpr std::size_t stamp_length = std::string_view("20261123T010000Z").size();

std::optional<Instant> parse_stamp(std::string_view text) {
  if (text.size() != stamp_length) return {};
  const auto part = [&](std::size_t from, std::size_t count) { return text.substr(from, count); };
  const auto at = parse_instant(
      fmt::format("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 2), part(6, 2), part(9, 2), part(11, 2), part(13, 2)));
  // Read generously above, and held against what would be written.
  return at && format_compact(*at) == text ? at : std::nullopt;
}

bool ends_with_dot_number(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == text.size() || text.size() - dot > 6) return false;
  return std::ranges::all_of(text.substr(dot + 1), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<ArchiveName> parse_archive_name(std::string_view name) {
  const std::string_view whole = name;
  ArchiveName out;
  for (const std::string_view suffix : {".gz", ".zst"})
    if (name.ends_with(suffix)) {
      out.compressed = suffix;
      name.remove_suffix(suffix.size());
      break;
    }
  if (ends_with_dot_number(name)) {
    const std::size_t dot = name.rfind('.');
    std::from_chars(name.data() + dot + 1, name.data() + name.size(), out.number);
    name = name.substr(0, dot);
  }
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  const auto at = parse_stamp(name.substr(dot + 1));
  if (!at) return {};
  out.log = name.substr(0, dot);
  out.at = *at;
  return name_of(out) == whole ? std::optional(out) : std::nullopt;
}

std::string name_of(const ArchiveName& name) {
  std::string out = fmt::format("{}.{}", name.log, format_compact(name.at));
  if (name.number > 0) out += fmt::format(".{}", name.number);
  return out + name.compressed;
}

}  // namespace steward::rotation
