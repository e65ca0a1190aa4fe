#include "run/holds.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/glob.h"

namespace steward {
namespace {

bool key_matches(const ledger::Hold& hold, std::string_view key) {
  return hold.prefix ? key.starts_with(hold.key) : key == hold.key;
}

/// The glob of a hold on files or objects: on the whole path, or the whole address.
bool glob_allows(const ledger::Hold& hold, std::string_view whole) {
  return hold.condition.empty() || glob_matches(hold.condition, whole);
}

std::string said(const ledger::Hold& hold) { return fmt::format("held: {} ({})", hold.reason, hold.id); }

}  // namespace

std::optional<Error> freeze_refusal(std::span<const ledger::Freeze> freezes) {
  if (freezes.empty()) return {};
  const auto lasts = [](const ledger::Freeze& freeze) { return freeze.until.value_or(Instant::max()); };
  const ledger::Freeze& last = *std::ranges::max_element(freezes, {}, lasts);
  return Error{Kind::refused,
               fmt::format("nothing is removed {}: frozen by {}, {} ({})",
                           last.until ? "until " + format_instant(*last.until) : "until it is lifted", last.who,
                           last.reason, last.id),
               fmt::format("When removals may go on: steward freeze lift {}.", last.id), "freeze"};
}

bool names_table(std::string_view held, std::string_view table) {
  if (held == table) return true;
  const std::size_t dot = table.rfind('.');
  return dot != std::string_view::npos && held == table.substr(dot + 1);
}

Holds::Holds(std::vector<ledger::Hold> holds, std::int64_t generation)
    : holds_(std::move(holds)), generation_(generation) {
  for (std::size_t i = 0; i < holds_.size(); ++i) {
    if (holds_[i].kind == "row" && !holds_[i].prefix && holds_[i].condition.empty())
      rows_by_key_.emplace(holds_[i].key, i);
    else
      others_.push_back(i);
  }
}

std::optional<std::string> Holds::covers_row(std::string_view table, std::string_view key) const {
  const auto [begin, end] = rows_by_key_.equal_range(std::string(key));
  for (auto it = begin; it != end; ++it)
    if (names_table(holds_[it->second].target, table)) return said(holds_[it->second]);
  for (const std::size_t i : others_)
    if (holds_[i].kind == "row" && holds_[i].condition.empty() && names_table(holds_[i].target, table) &&
        key_matches(holds_[i], key))
      return said(holds_[i]);
  return {};
}

std::optional<std::string> Holds::covers_file(std::string_view absolute_path) const {
  for (const std::size_t i : others_)
    if (const ledger::Hold& hold = holds_[i];
        hold.kind == "file" && key_matches(hold, absolute_path) && glob_allows(hold, absolute_path))
      return said(hold);
  return {};
}

std::optional<std::string> Holds::covers_object(std::string_view store, std::string_view key) const {
  // A hold names a bucket or a place in it; the object's full address settles it, wherever a task's own store is
  // rooted.
  const std::string address = fmt::format("{}/{}", store, key);
  for (const std::size_t i : others_)
    if (const ledger::Hold& hold = holds_[i];
        hold.kind == "object" && glob_allows(hold, address) &&
        (hold.prefix ? address.starts_with(fmt::format("{}/{}", hold.target, hold.key))
                     : address == fmt::format("{}/{}", hold.target, hold.key)))
      return said(hold);
  return {};
}

bool Holds::any_for_table(std::string_view table) const {
  return std::ranges::any_of(
      holds_, [&](const ledger::Hold& hold) { return hold.kind == "row" && names_table(hold.target, table); });
}

}  // namespace steward
