#include "jobs/rotation/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "core/age.h"

namespace steward::rotation {
namespace {

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string{} : std::string(path.substr(0, slash + 1));
}

Decision leave(std::string reason) { return {.way = Way::leave, .reason = std::move(reason)}; }

Decision rename(const Policy& policy, const LogFile& log, const Ground& ground) {
  const bool open = log.users != Users::nobody && log.users != Users::readers;
  if (ground.other_device) {
    if (log.users == Users::nobody) return {.way = Way::move};
    return leave("open, and the archive is on another file system");
  }
  if (!open) return {.way = Way::rename};
  if (policy.reopen) return {.way = Way::rename, .reopen = true};
  Decision decision{.way = Way::rename,
                    .reason = "its writer goes on writing into the archive until it opens the log anew"};
  if (log.users == Users::unknown && policy.writer == Writer::automatic)
    decision.reason += fmt::format(" (no cut, since nobody can tell whether it appends: {})", log.unknown_because);
  return decision;
}

Decision cut(const LogFile& log, const Ground& ground) {
  if (log.users == Users::overwriting) return leave("its writer does not append, and a cut would leave a hole");
  if (!ground.can_cut) return leave("its file system cannot take the front off a file");
  if (log.cuttable.count == 0) return leave("less than a block, which cannot be cut");
  return {.way = Way::cut};
}

}  // namespace

std::string_view text_of(Way way) {
  switch (way) {
    case Way::leave: return "left";
    case Way::rename: return "renamed";
    case Way::cut: return "cut";
    case Way::copytruncate: return "copied and emptied";
    case Way::move: return "moved";
  }
  return "left";
}

Decision decide(const Policy& policy, const LogFile& log, const Ground& ground) {
  if (log.held) return leave("held");
  if (log.size.count == 0) return leave("empty");
  if (log.links > 1) return leave("it has several names (hard links)");
  if (log.size < policy.min_size) return leave(fmt::format("smaller than {}", format_bytes(policy.min_size)));
  const bool too_large = policy.max_size && log.size > *policy.max_size;
  if (log.just_rotated && !ground.again && !too_large)
    return leave(fmt::format("rotated less than {} ago", format_span(policy.again_after)));
  const bool written = log.users != Users::nobody && log.users != Users::readers;
  if (!written && (!ground.other_device || log.users != Users::readers)) return rename(policy, log, ground);
  switch (policy.writer) {
    case Writer::rename: return rename(policy, log, ground);
    case Writer::cut: return cut(log, ground);
    case Writer::copytruncate:
      if (log.users == Users::overwriting) return leave("its writer does not append, and would leave a hole");
      return {.way = Way::copytruncate, .reason = "what is written between the copy and the emptying is lost"};
    case Writer::automatic: break;
  }
  if (policy.reopen && !ground.other_device) return rename(policy, log, ground);
  if (log.users == Users::appending && ground.can_cut) return cut(log, ground);
  return rename(policy, log, ground);
}

std::vector<ArchiveDecision> decide(const Policy& policy, std::span<const Archived> archives, Instant cutoff) {
  std::vector<ArchiveDecision> out(archives.size());
  for (std::size_t i = 0; i < archives.size(); ++i) {
    const bool old = archives[i].name.at < cutoff;
    out[i] = {.remove = old,
              .reason = old ? fmt::format("archived more than {} ago", format_age(policy.keep)) : "newer than that"};
  }
  if (!policy.keep_count && !policy.keep_bytes) return out;
  // Newest first; the paths break ties, so that the order is always the same.
  std::vector<std::size_t> order(archives.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const Archived &x = archives[a], &y = archives[b];
    return std::tie(y.name.at, y.name.number, y.path) < std::tie(x.name.at, x.name.number, x.path);
  });
  std::map<std::string, std::uint64_t> kept;
  Bytes total{};
  for (const std::size_t i : order) {
    if (out[i].remove) continue;
    const std::string log = folder_of(archives[i].path) + archives[i].name.log;
    if (policy.keep_count && kept[log] >= *policy.keep_count) {
      out[i] = {.remove = true, .reason = fmt::format("there are {} newer ones of this log", *policy.keep_count)};
    } else if (policy.keep_bytes && total + archives[i].size > *policy.keep_bytes) {
      out[i] = {.remove = true,
                .reason = fmt::format("the newer ones have {} already", format_bytes(*policy.keep_bytes))};
      total = *policy.keep_bytes;  // what is older goes too, however small: no gaps in time
    } else {
      ++kept[log];
      total += archives[i].size;
    }
  }
  return out;
}

}  // namespace steward::rotation
