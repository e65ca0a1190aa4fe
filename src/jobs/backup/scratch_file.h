/// The copy that SQLite's backup interface makes of a database before it goes into the store.
#pragma once
#include <string>

#include "core/result.h"
#include "jobs/backup/backup.h"
#include "run/job.h"

namespace steward::backup {

/// A file in the state directory that goes when this does.
class ScratchFile {
 public:
  ScratchFile(const StateDirectory& state, const Policy& policy);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }

 private:
  std::string name_, path_;
};

/// Those of the policy whose runs were killed: a whole database each. Under its lock, which keeps out its other runs.
void remove_scratch_files(const Policy& policy, RunContext& run);

}  // namespace steward::backup
