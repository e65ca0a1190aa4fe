#include "io/process/piped.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "core/text.h"
#include "io/files/folder.h"

namespace steward::process {
namespace {

using files::Handle;

constexpr off_t most_kept = 65'536;
constexpr std::size_t most_in_an_error = 1'000;
/// As much as an ordinary user may have in a pipe (/proc/sys/fs/pipe-max-size): fewer turns between the two processes.
constexpr int pipe_size = 1 << 20;

std::unexpected<Error> cannot(std::string_view what) {
  return fail(Kind::unavailable, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

struct Pipe {
  Handle out, in;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return cannot("make a pipe");
  fcntl(ends[1], F_SETPIPE_SZ, pipe_size);  // where it may not, the usual size does
  return Pipe{.out = Handle(ends[0]), .in = Handle(ends[1])};
}

class PipeSource final : public Source {
 public:
  explicit PipeSource(Handle end) : end_(std::move(end)) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    while (true) {
      const ssize_t n = ::read(end_.fd(), buffer.data(), buffer.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return cannot("read from a process");
    }
  }

 private:
  Handle end_;
};

/// SIGPIPE would end this process because a child has: it is blocked in this thread for the write, and taken away if it
/// came of it.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    const timespec at_once{};
    if (sigismember(&before_, SIGPIPE) == 0) sigtimedwait(&pipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

class PipeSink final : public Sink {
 public:
  explicit PipeSink(std::optional<Handle> end) : end_(std::move(end)) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    const NoPipeSignal quiet;
    while (!bytes.empty()) {
      if (!end_) return fail(Kind::unavailable, "the process takes no more");
      const ssize_t n = ::write(end_->fd(), bytes.data(), bytes.size());
      if (n >= 0)
        bytes = bytes.subspan(static_cast<std::size_t>(n));
      else if (errno != EINTR)
        return cannot("write to a process");
    }
    return {};
  }
  void close() { end_.reset(); }

 private:
  std::optional<Handle> end_;
};

}  // namespace

struct Piped::State {
  State(pid_t its_pid, Handle its_errors, Handle its_output, std::optional<Handle> its_input)
      : pid(its_pid), errors(std::move(its_errors)), output(std::move(its_output)), input(std::move(its_input)) {}
  ~State() {
    stopping.reset();
    if (pid <= 0) return;
    kill(-pid, SIGKILL);
    wait();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Its exit status. The pid is another's from here on.
  int wait() {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    pid = 0;
    return status;
  }

  pid_t pid;
  Handle errors;
  PipeSource output;
  PipeSink input;
  std::stop_token stop{};
  /// Set up after the child is there, gone before it is waited for: it never signals another process.
  std::optional<std::stop_callback<std::function<void()>>> stopping{};
};

Piped::Piped(std::unique_ptr<State> state) : state_(std::move(state)) {}
Piped::Piped(Piped&&) noexcept = default;
Piped& Piped::operator=(Piped&&) noexcept = default;
Piped::~Piped() = default;

Result<Piped> Piped::start(PipedCommand wanted) {
  Pipe output = TRY(make_pipe());
  std::optional<Pipe> input;
  if (wanted.writes_to_it) input = TRY(make_pipe());
  // A file in memory: a pipe would have to be emptied beside the output.
  const int memory = memfd_create("standard error", MFD_CLOEXEC);
  if (memory < 0) return cannot("keep a process's messages");
  Handle errors(memory);
  Command& command = wanted.command;
  command.input = input ? input->out.fd() : -1;
  command.output = output.in.fd();
  command.errors = errors.fd();
  const pid_t pid = TRY(process::start(command));
  auto state = std::make_unique<State>(pid, std::move(errors), std::move(output.out),
                                       input ? std::optional(std::move(input->in)) : std::nullopt);
  state->stop = wanted.stop;
  // Its own session, so the group has its number.
  state->stopping.emplace(wanted.stop, [pid] { kill(-pid, SIGTERM); });
  return Piped(std::move(state));
}

Source& Piped::output() { return state_->output; }
Sink& Piped::input() { return state_->input; }
void Piped::close_input() { state_->input.close(); }

void Piped::stop() { kill(-state_->pid, SIGTERM); }

std::string Piped::said() const {
  const int descriptor = state_->errors.fd();
  struct stat status{};
  if (fstat(descriptor, &status) != 0) return {};
  const off_t from = std::max<off_t>(0, status.st_size - most_kept);
  std::string text(static_cast<std::size_t>(status.st_size - from), '\0');
  const ssize_t n = pread(descriptor, text.data(), text.size(), from);
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  if (from > 0) text.erase(0, text.find('\n') + 1);
  return text;
}

Result<void> Piped::finish(const std::string& act) {
  close_input();
  std::array<std::byte, 65536> rest{};
  while (true) {
    const auto n = state_->output.read(rest);
    if (!n || *n == 0) break;
  }
  state_->stopping.reset();
  const pid_t pid = state_->pid;
  const int status = state_->wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (state_->stop.stop_requested()) return fail(Kind::interrupted, fmt::format("told to stop, and did not {}", act));
  Ended ended{.pid = pid};
  if (WIFSIGNALED(status))
    ended.signal = WTERMSIG(status);
  else
    ended.exit_code = WEXITSTATUS(status);
  std::string last = said();
  while (last.ends_with('\n')) last.pop_back();
  if (last.size() > most_in_an_error) last = "…" + last.substr(last.size() - most_in_an_error);
  std::ranges::replace(last, '\n', ' ');
  return fail(Kind::unavailable, last.empty()
                                     ? fmt::format("cannot {}: {}", act, text_of(ended))
                                     : fmt::format("cannot {}: {} ({})", act, printable(last), text_of(ended)));
}

namespace {

/// Knows whether it was the program that took no more, or the store that gave no more.
class Feed final : public Sink {
 public:
  explicit Feed(Sink& next) : next_(next) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    auto written = next_.write(bytes);
    refused_ |= !written;
    return written;
  }
  bool refused() const { return refused_; }

 private:
  Sink& next_;
  bool refused_ = false;
};

}  // namespace

Result<std::optional<Error>> feed(Piped& program, const std::string& act,
                                  const std::function<Result<void>(Sink&)>& content) {
  Feed input(program.input());
  const Result<void> fed = content(input);
  if (!fed && !input.refused()) return std::unexpected(fed.error());
  const Result<void> ended = program.finish(act);
  if (!ended && ended.error().kind != Kind::interrupted) return std::optional(ended.error());
  if (!ended) return std::unexpected(ended.error());
  if (!fed) return std::unexpected(fed.error());
  return std::nullopt;
}

Result<void> run_through(PipedCommand wanted, const std::string& act, const std::function<Result<void>(Sink&)>& content,
                         Sink& next) {
  wanted.writes_to_it = true;
  Piped program = TRY(Piped::start(std::move(wanted)));
  Result<void> taken;
  std::jthread taker([&] {
    std::vector<std::byte> buffer(std::size_t{256} << 10);
    while (taken) {
      const auto n = program.output().read(buffer);
      if (n && *n == 0) return;
      taken = n ? next.write(std::span(buffer).first(*n)) : Result<void>(std::unexpected(n.error()));
    }
    program.stop();  // or it would wait for somebody to read on
  });
  Feed input(program.input());
  const Result<void> fed = content(input);
  program.close_input();
  taker.join();
  if (!taken) return taken;
  if (!fed && !input.refused()) return fed;
  TRY(program.finish(act));
  return fed;
}

}  // namespace steward::process
