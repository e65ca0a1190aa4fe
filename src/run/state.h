/// The state directory: where steward keeps what it must not forget.
///
///   ledger.db            the ledger (SQLite), unless it is on a server
///   plans/DIGEST.json    saved plans; plans/items-SHA256.jsonl their item lists
///   manifests/RUN/TASK.jsonl   what a purge removed, item by item
///   runs/RUN/log.jsonl   the log of a run
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/digest.h"
#include "core/result.h"
#include "io/files/folder.h"
#include "run/plan.h"

namespace steward {

/// The state directory, open.
class StateDirectory {
 public:
  /// Makes it (0700) where it is absent.
  static Result<StateDirectory> open(const std::string& path);

  const files::Folder& folder() const { return folder_; }
  std::string ledger_url() const;

  /// Saves the plan under its digest, and gives that. Durable; saving it again is a success.
  Result<std::string> save(const Plan& plan) const;
  /// The plan whose digest begins with `prefix` (eight digits or more). not_found, or bad_input where several do.
  Result<Plan> load_plan(std::string_view prefix) const;

 private:
  explicit StateDirectory(files::Folder folder) : folder_(std::move(folder)) {}
  files::Folder folder_;
};

/// A list of lines that is too long for memory, written once, named by its SHA-256.
class LineListWriter {
 public:
  static Result<LineListWriter> create(const StateDirectory& state);
  Result<void> add(std::string_view line);  ///< Without its newline, and with none in it.
  /// Makes it durable as plans/items-SHA256.jsonl and gives the SHA-256.
  Result<std::string> finish();
  LineListWriter(LineListWriter&&) = default;
  LineListWriter& operator=(LineListWriter&&) = default;
  ~LineListWriter();

 private:
  LineListWriter(const StateDirectory& state, files::Folder::Temporary temporary)
      : state_(&state), temporary_(std::move(temporary)) {}
  Result<void> flush();
  const StateDirectory* state_;
  files::Folder::Temporary temporary_;
  std::string buffer_{};
  Sha256 hash_{};
};

/// Hands over the lines of a file one at a time, in constant memory. A last line without its newline is left out
/// (`torn` says so). corrupt where a line is longer than 64 MiB. `take` returns false to stop.
Result<void> each_line(Source& source, const std::function<Result<bool>(std::string_view line)>& take,
                       bool* torn = nullptr);

/// Reads an item list back, and checks its hash before it hands over the first line: corrupt where it is not what was
/// written.
Result<void> each_item(const StateDirectory& state, std::string_view sha256,
                       const std::function<Result<bool>(std::string_view line)>& take);

}  // namespace steward
