/// A child whose standard output is read, and whose standard input is written, by this process.
///
///   Piped dump = TRY(Piped::start({.command = {.arguments = {"/usr/bin/pg_dump", "-Fc"}}, .stop = stop}));
///   TRY(copy(dump.output(), sink));
///   TRY(dump.finish("dump the database"));    // unavailable: "cannot dump the database: … (exit code 1)"
///
/// Promises  - What the child says on standard error is kept, however much it says beside its output: it is never
///             blocked by it. An error has its last lines.
///           - The end of its output alone is no success: only `finish` says that it ended well.
///           - A child that is not waited for is killed when this goes out of scope, and so is its process group.
///           - Once `stop` is requested, the child gets SIGTERM, and what is read from it then ends; `finish` says
///             interrupted.
/// Errors    not_found: no such program. unavailable: it ended with another exit code than 0, or by a signal; a write
///           to a child that has ended. interrupted: stopped.
/// Threads   Output and input may be used by two threads at once.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/result.h"
#include "core/stream.h"
#include "io/process/child.h"

namespace steward::process {

/// What to start. Of the command, `input`, `output` and `errors` are set here.
struct PipedCommand {
  Command command{};
  bool writes_to_it = false;  ///< Its standard input comes from `input()`; else it is empty.
  std::stop_token stop{};
};

class Piped {
 public:
  static Result<Piped> start(PipedCommand command);
  Piped(Piped&&) noexcept;
  Piped& operator=(Piped&&) noexcept;
  ~Piped();

  Source& output();
  Sink& input();
  /// The end of its input.
  void close_input();

  /// Tells it to end (SIGTERM). It has not been waited for yet.
  void stop();

  /// Waits for its end. `act` completes "cannot …". Closes the input, and throws away output that was not read.
  Result<void> finish(const std::string& act);
  /// What it has said on standard error so far: the last 64 KiB, with whole lines.
  std::string said() const;

 private:
  struct State;
  explicit Piped(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Writes `content` to a program's input and waits for its end. Where a write fails, the program has ended, and that is
/// its failure. The value is the program's failure (`act` as for `finish`); the error is the content's own, or
/// interrupted.
Result<std::optional<Error>> feed(Piped& program, const std::string& act,
                                  const std::function<Result<void>(Sink&)>& content);

/// Runs what `content` writes through a program, into `next`. The first of the three that fails is the error.
Result<void> run_through(PipedCommand program, const std::string& act,
                         const std::function<Result<void>(Sink&)>& content, Sink& next);

}  // namespace steward::process
