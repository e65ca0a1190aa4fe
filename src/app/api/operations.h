/// What takes longer than a request may: a plan, a look into the archive, a restore. Each is a process of steward's
/// own, with `--json`, and is asked after by its id until its document is there.
///
/// They live in this daemon's memory, the last hundred: what they change is in the ledger, and stays.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/process/child.h"

namespace steward::api {

class Operations {
 public:
  /// How the processes are started; `program` is the first argument.
  struct Rules {
    std::string program{};
    std::vector<std::string> environment{};
    std::string directory{};
    std::size_t at_once = 2;
    std::size_t kept = 100;
  };
  Operations(const Clock& clock, Rules rules);
  /// Those under way are told to stop (SIGTERM), and waited for.
  ~Operations();
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  /// Starts `steward ARGUMENTS… --json` for `who`, or lines it up: its document. busy where too many wait.
  Result<nlohmann::json> start(std::string kind, std::vector<std::string> arguments, const std::string& who);
  struct Patience {
    std::chrono::milliseconds longest{60'000};
    int nice = 0;
    std::stop_token stop{};
  };
  /// What `steward ARGUMENTS… --json` writes on standard output, as it is, or the error that it reports on standard
  /// error. The caller waits for it, on any thread. Notes on standard error are left out.
  Result<std::string> output_of(std::vector<std::string> arguments, const std::string& who,
                                const Patience& patience) const;
  /// {"id", "kind", "state": queued | running | succeeded | failed, "who", "asked", "ended", "result", "error"}
  Result<nlohmann::json> get(const std::string& id) const;
  /// Newest first, without results.
  nlohmann::json list() const;

 private:
  struct One;
  void work(const std::stop_token& stop);
  void carry_out(One& one, const std::stop_token& stop);
  process::Command command(std::vector<std::string> arguments, const std::string& who) const;

  const Clock& clock_;
  Rules rules_;
  mutable std::mutex mutex_{};
  std::condition_variable_any changed_{};
  std::deque<std::shared_ptr<One>> all_{};  ///< Oldest first.
  std::vector<std::jthread> workers_{};
};

}  // namespace steward::api
