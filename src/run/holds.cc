#include "run/holds.h"

#include <fmt/format.h>

#include <algorithm>

namespace steward {
namespace {

bool key_matches(const ledger::Hold& hold, std::string_view key) {
  return hold.prefix ? key.starts_with(hold.key) : key == hold.key;
}

std::string said(const ledger::Hold& hold) { return fmt::format("held: {} ({})", hold.reason, hold.id); }

}  // namespace

bool names_table(std::string_view held, std::string_view table) {
  if (held == table) return true;
  const std::size_t dot = table.rfind('.');
  return dot != std::string_view::npos && held == table.substr(dot + 1);
}

std::optional<std::string> Holds::covers_row(std::string_view table, std::string_view key) const {
  for (const ledger::Hold& hold : holds_)
    if (hold.kind == "row" && names_table(hold.target, table) && key_matches(hold, key)) return said(hold);
  return {};
}

std::optional<std::string> Holds::covers_file(std::string_view absolute_path) const {
  for (const ledger::Hold& hold : holds_)
    if (hold.kind == "file" && key_matches(hold, absolute_path)) return said(hold);
  return {};
}

std::optional<std::string> Holds::covers_object(std::string_view store, std::string_view key) const {
  // A hold names a bucket or a place in it; the object's full address settles it, wherever a task's own store is
  // rooted.
  const std::string address = fmt::format("{}/{}", store, key);
  for (const ledger::Hold& hold : holds_)
    if (hold.kind == "object" && (hold.prefix ? address.starts_with(fmt::format("{}/{}", hold.target, hold.key))
                                              : address == fmt::format("{}/{}", hold.target, hold.key)))
      return said(hold);
  return {};
}

bool Holds::any_for_table(std::string_view table) const {
  return std::ranges::any_of(
      holds_, [&](const ledger::Hold& hold) { return hold.kind == "row" && names_table(hold.target, table); });
}

}  // namespace steward
