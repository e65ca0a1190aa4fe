#include "jobs/backup/scratch_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "core/digest.h"
#include "core/random.h"

namespace steward::backup {
namespace {
namespace fs = std::filesystem;

/// No other policy's begin so.
std::string prefix_of(const Policy& policy) {
  constexpr std::size_t digits = 12;
  const std::string place = policy.database.url + '\n' + policy.store.url + '\n' + policy.name;
  return fmt::format("backup-{}-", sha256_hex(place).substr(0, digits));
}

}  // namespace

ScratchFile::ScratchFile(const StateDirectory& state, const Policy& policy)
    : name_(fmt::format("{}{}.sqlite", prefix_of(policy), random_hex(6))), path_(state.folder().path() + '/' + name_) {}

ScratchFile::~ScratchFile() {
  for (const char* end : {"", "-wal", "-shm", "-journal"}) ::unlink((path_ + end).c_str());
}

void remove_scratch_files(const Policy& policy, RunContext& run) {
  const std::string prefix = prefix_of(policy);
  std::error_code ignored;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(run.state().folder().path(), ignored))
    if (entry.path().filename().string().starts_with(prefix)) left.push_back(entry.path());
  for (const fs::path& file : left)
    if (fs::remove(file, ignored) && file.extension() == ".sqlite")
      run.note(Level::info, "a copy of the database that a run which was cut off had left is removed");
}

}  // namespace steward::backup
