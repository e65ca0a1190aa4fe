/// Forgetting single rows in an archive, for good: what the law calls erasure. How it is done is in forgetting.h.
///
/// Promises  - When it has succeeded, no object of the archive holds the row's content, its key or its file's name.
///           - Nor does what lies with rows of other tables, to which it referred.
///           - Killed anywhere, the next `forget` of the same archive finishes what was begun.
///           - Nothing of the content goes to the ledger, the plan or the run's log: neither the key nor the file's
///           name.
/// Does not  - forget what lies elsewhere: backups, older versions of a versioned bucket, the database itself, run logs
///             and saved plans of earlier runs, which name samples.
/// Refused   a row that a person holds (code "held"); a manifest of a run that has not ended (code "unfinished").
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "jobs/retention/restore.h"

namespace steward::retention {

struct ForgetRequest {
  std::string table{};              ///< "mockups" or "public.mockups".
  std::vector<std::string> keys{};  ///< Primary keys, as a manifest writes them.
  std::string reason{};             ///< Stays in the manifest and the ledger: no personal data in it.
};

/// `settings` says where the archive is, and which database's lock keeps cleanups of the table out meanwhile.
std::unique_ptr<Task> forget_archived(TaskInfo info, RestoreSettings settings, ForgetRequest request);

}  // namespace steward::retention
