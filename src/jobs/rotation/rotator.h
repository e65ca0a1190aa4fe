/// Carries out what was decided on: one log at a time, each in its way.
#pragma once
#include <set>
#include <string>

#include "io/files/folder.h"
#include "jobs/rotation/logs.h"
#include "jobs/rotation/record.h"
#include "run/job.h"
#include "run/manifest/removed_list.h"

namespace steward::rotation {

class Rotator {
 public:
  /// All have to stay for as long as this.
  Rotator(const Policy& policy, const std::string& task, const files::Folder& logs, const files::Folder& archive,
          RunContext& run);

  /// Rotates those of a batch that are not left. A log that cannot be rotated is left as it
  /// was, said in the run's notes, and told of by `problem`; the others go on.
  Result<void> take(std::vector<JudgedLog>& batch);
  /// Tells the writers of what was renamed, and compresses what nobody has open. Call it once, behind the last batch.
  Result<void> end();
  /// The error of the task: the first log that could not be rotated, with the number of the others.
  Result<void> problem() const;

  /// Finishes or undoes what an earlier run left, and tells writers to reopen what it could not.
  Result<void> recover();

 private:
  Result<void> list_renames(const std::vector<JudgedLog>& batch);
  /// What was rotated of it; nothing where it was left.
  Result<std::optional<Bytes>> one(const JudgedLog& log);
  void told(std::string_view what, Error error);
  Result<std::optional<Bytes>> rename(const JudgedLog& log);
  Result<std::optional<Bytes>> copy_away(const JudgedLog& log);
  Result<bool> take_original(const JudgedLog& log, int original, const Record& record);
  Result<void> empty(int original, const Record& record);
  Result<std::string> free_name(std::string_view log);
  Result<void> make_room_for(std::string_view log);
  Result<void> put_new_log(const JudgedLog& log);
  Result<void> sync_folders();
  Result<void> compress();
  Result<void> wait_for_reopened();
  Result<Aftermath> aftermath(const Record& record);
  Result<void> settle(const Record& record);
  Result<void> remove_leftovers();
  Result<void> tell_late_writers();

  const Policy& policy_;
  const std::string& task_;
  const files::Folder& logs_;
  const files::Folder& archive_;
  RunContext& run_;
  Instant at_;  ///< In the names of all that this run archives.
  manifest::RemovedList list_;
  bool unsettled_ = false;                ///< There is a record of a log that was not brought to its end.
  std::set<std::string> made_{};          ///< Folders of the archive that are there.
  std::set<std::string> changed_{};       ///< Folders of logs with renames that are not synced yet.
  std::vector<std::string> to_reopen_{};  ///< Archives whose writers are to be told.
  std::optional<Error> first_problem_{};
  std::uint64_t problems_ = 0;
};

}  // namespace steward::rotation
