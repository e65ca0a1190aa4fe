#include "jobs/rotation/logs.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/glob.h"
#include "io/files/front.h"
#include "io/files/processes.h"

namespace steward::rotation {
namespace {

constexpr std::size_t logs_in_batch = 500;

std::string joined(const std::string& folder, std::string_view path) {
  return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", path);
}

Users users_of(files::Standing standing, const files::Writing& writing, const std::string& blind_to) {
  if (standing == files::Standing::free) return Users::nobody;
  if (writing.overwrites) return Users::overwriting;
  if (!blind_to.empty()) return Users::unknown;
  if (writing.appends) return Users::appending;
  // In use by whom nobody sees: a loop device, an NFS server.
  return writing.reads ? Users::readers : Users::unknown;
}

}  // namespace

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view base_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Result<std::unique_ptr<Logs>> Logs::open(const Policy& policy, const files::Folder& folder,
                                         const files::Folder* archive, bool again, Instant now) {
  std::unique_ptr<Logs> logs(new Logs(policy, folder));
  logs->ground_.again = again;
  logs->ground_.can_cut = files::has_cut(folder.fd());
  if (archive != nullptr) {
    logs->ground_.other_device = TRY(archive->info()).device != TRY(folder.info()).device;
    TRY(logs->look_at_archive(*archive, now));
  }
  return logs;
}

Result<void> Logs::look_at_archive(const files::Folder& archive, Instant now) {
  const std::string suffix(suffix_of(policy_.compression));
  return archive.walk({}, [&](const files::Found& found) -> Result<bool> {
    const auto name = parse_archive_name(base_of(found.path));
    if (!name) return true;
    if (!suffix.empty() && name->compressed.empty()) ++uncompressed_;
    if (name->at > now - policy_.again_after && name->at <= now) {
      const std::string_view folder = parent_of(found.path);
      just_rotated_.insert(folder.empty() ? name->log : fmt::format("{}/{}", folder, name->log));
    }
    return true;
  });
}

bool Logs::enters(std::string_view folder) const {
  return policy_.subfolders && joined(folder_.path(), folder) != policy_.archive_folder() && folder != "archive";
}

bool Logs::is_log(const files::Found& found) const {
  const std::string_view name = base_of(found.path);
  // Temporaries and records begin so.
  if (name.starts_with(".steward-") || parse_archive_name(name)) return false;
  return std::ranges::any_of(policy_.names, [&](const std::string& glob) { return glob_matches(glob, name); });
}

Result<void> Logs::go_over(const std::function<Result<const Holds*>()>& holds,
                           const std::function<Result<bool>(std::vector<JudgedLog>&)>& take,
                           const std::function<void(const files::Unreadable&)>& unreadable) {
  const files::WalkOptions options{.enter = [&](std::string_view folder) { return enters(folder); }};
  return files::walk_ahead(folder_, options,
                           {.batch = logs_in_batch,
                            .wanted = [&](const files::Found& found) { return is_log(found); },
                            .take = [&](std::vector<files::Found>& found) -> Result<bool> {
                              std::vector<JudgedLog> batch = TRY(judged(found, *TRY(holds())));
                              return take(batch);
                            },
                            .unreadable = unreadable});
}

Result<std::vector<JudgedLog>> Logs::judged(std::vector<files::Found>& found, const Holds& holds) {
  std::vector<JudgedLog> batch;
  for (files::Found& file : found) {
    JudgedLog one;
    one.log = {.path = file.path,
               .size = file.info.size,
               .links = file.info.links,
               .just_rotated = just_rotated_.contains(file.path),
               .held = holds.covers_file(joined(folder_.path(), file.path)).has_value(),
               .cuttable = files::cuttable(folder_.fd(), file.info.size)};
    one.file = std::move(file);
    batch.push_back(std::move(one));
  }
  find_users(batch);
  for (JudgedLog& one : batch) one.decision = decide(policy_, one.log, ground_);
  return batch;
}

void Logs::find_users(std::vector<JudgedLog>& batch) {
  std::vector<const files::Found*> all;
  for (const JudgedLog& one : batch) all.push_back(&one.file);
  const std::vector<files::Standing> standings = files_.look(all);
  std::vector<std::size_t> open;
  std::vector<const files::FileInfo*> infos;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (standings[i] == files::Standing::free) continue;
    open.push_back(i);
    infos.push_back(&batch[i].file.info);
  }
  if (open.empty()) return;
  const files::Writings writings = files::writing_to(infos);
  for (std::size_t i = 0; i < open.size(); ++i) {
    LogFile& log = batch[open[i]].log;
    const files::Writing& writing = writings.files[i];
    log.users = users_of(standings[open[i]], writing, writings.blind_to);
    log.by = writing.by;
    log.unknown_because = writings.blind_to.empty() ? "no process has it open" : writings.blind_to;
  }
}

}  // namespace steward::rotation
