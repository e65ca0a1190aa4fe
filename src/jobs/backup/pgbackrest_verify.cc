#include "jobs/backup/pgbackrest_verify.h"

#include <fmt/format.h>

#include "core/text.h"

namespace steward::backup {
namespace {

/// "backup: LABEL, status: invalid, total files checked: 967, …" -> {"backup", "LABEL"}, {"status", "invalid"}, ….
std::vector<std::pair<std::string, std::string>> pairs_in(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& part : split(line, ',')) {
    const std::size_t colon = part.find(": ");
    if (colon == std::string::npos) continue;
    out.emplace_back(std::string(trim(std::string_view(part).substr(0, colon))),
                     printable(trim(std::string_view(part).substr(colon + 2))));
  }
  return out;
}

std::string value_of(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view key) {
  for (const auto& [name, value] : pairs)
    if (name == key) return value;
  return {};
}

/// "missing: 0, checksum invalid: 1" -> "checksum invalid: 1".
std::string what_is_wrong(const std::vector<std::pair<std::string, std::string>>& counts) {
  std::string out;
  for (const auto& [name, value] : counts)
    if (value != "0") out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", name, value);
  return out;
}

}  // namespace

std::optional<std::string> LogStretches::gap_before(std::string_view line) {
  constexpr std::size_t timeline = 8;
  if (!line.starts_with("archiveId: ")) return std::nullopt;
  const auto pairs = pairs_in(line);
  const std::string archive = value_of(pairs, "archiveId"), start = value_of(pairs, "wal start");
  if (start.empty()) return std::nullopt;
  std::optional<std::string> gap;
  if (archive == archive_ && start.substr(0, timeline) == stop_.substr(0, timeline))
    gap = fmt::format("the log of {} has a gap between {} and {}: no recovery goes across it", archive, stop_, start);
  archive_ = archive;
  stop_ = value_of(pairs, "wal stop");
  return gap;
}

Result<VerifyReport> verify_report(std::string_view text) {
  VerifyReport out;
  enum class Of { nothing, backup, archive } last = Of::nothing;
  for (const std::string& line : split(text, '\n')) {
    if (const std::string_view words = trim(line); words.starts_with("No usable "))
      return fail(Kind::unavailable, fmt::format("the repository could not be read: {}", printable(words)),
                  "Nothing was verified. Look at the repository, and at how pgBackRest reaches it.");
    const auto pairs = pairs_in(line);
    if (pairs.empty()) continue;
    const auto& [key, value] = pairs.front();
    if (key == "status" && out.status.empty()) {
      out.status = value;
    } else if (key == "backup") {
      last = Of::backup;
      const std::string status = value_of(pairs, "status");
      out.backups.emplace_back(value, status == "valid" ? "" : status);
    } else if (key == "archiveId") {
      last = Of::archive;
      const std::string all = value_of(pairs, "total WAL checked"), good = value_of(pairs, "total valid WAL");
      if (all != good)
        out.log_faults.push_back(fmt::format("the log of {}: {} of {} segments are whole", value, good, all));
    } else if (const std::string wrong = what_is_wrong(pairs); !wrong.empty() && key != "stanza") {
      if (last == Of::backup && !out.backups.back().second.empty()) out.backups.back().second += ": " + wrong;
      if (last == Of::archive && !out.log_faults.empty()) out.log_faults.back() += " (" + wrong + ')';
    }
  }
  if (out.status != "ok" && out.status != "error")
    return fail(Kind::corrupt, "pgBackRest's report of its verification is of a form that steward does not know",
                "Nothing was verified. pgbackrest verify --output=text --verbose shows it.");
  return out;
}

}  // namespace steward::backup
