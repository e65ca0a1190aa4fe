#include "app/api/operations.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <ranges>

#include "core/random.h"
#include "core/text.h"
#include "run/plan.h"

namespace steward::api {
namespace {
using nlohmann::json;

constexpr std::size_t most_waiting = 20;
constexpr off_t longest_answer = off_t{64} << 20;
constexpr std::string_view actor_variable = "STEWARD_ACTOR";

json not_done(std::string message, std::string hint = {}) {
  return to_json(Error{.kind = Kind::unavailable, .message = std::move(message), .hint = std::move(hint)});
}

std::string text_in(int fd) {
  std::string text(static_cast<std::size_t>(std::max<off_t>(::lseek(fd, 0, SEEK_END), 0)), '\0');
  if (::pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) text.clear();
  return text;
}

/// What the process has printed: a document, which may stand behind lines for people.
json document_in(int fd) {
  if (::lseek(fd, 0, SEEK_END) > longest_answer)
    return {{"error", not_done("the answer is longer than 64 MiB", "Ask for less.")}};
  const std::string text = text_in(fd);
  const std::size_t begin = text.starts_with('{') ? 0 : text.find("\n{");
  if (begin == std::string::npos)
    return {{"error", not_done(fmt::format("the process ended without an answer: {}", printable(trim(text))))}};
  json document = json::parse(text.substr(begin == 0 ? 0 : begin + 1), nullptr, false);
  if (!document.is_object()) return {{"error", not_done("the process ended in the middle of its answer")}};
  return document;
}

/// Until it has ended. It is told to (SIGTERM) where a stop is requested, or, which is an error, the time is up.
Result<void> run(const process::Command& command, std::optional<std::chrono::milliseconds> within,
                 const std::stop_token& stop) {
  const pid_t pid = TRY(process::start(command));
  // Of one that has ended and was reaped meanwhile there is nothing left to watch.
  const auto watch = process::watch_child(pid);
  if (!watch) return {};
  const std::stop_callback told(stop, [&] { watch->send(SIGTERM); });
  pollfd ended{.fd = watch->descriptor(), .events = POLLIN, .revents = 0};
  int happened = 0;
  const auto until = std::chrono::steady_clock::now() + within.value_or(std::chrono::hours(0));
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    happened = ::poll(&ended, 1, within ? static_cast<int>(std::max<std::int64_t>(left.count(), 0)) : -1);
  } while (happened < 0);
  if (happened > 0) return {};
  watch->send(SIGKILL);
  return fail(Kind::unavailable, "the answer took too long", "Is the storage slow? Try again later.");
}

}  // namespace

enum class State { queued, running, succeeded, failed };

struct Operations::One {
  std::string id{}, kind{}, who{};
  std::vector<std::string> arguments{};
  Instant asked{};
  std::optional<Instant> ended{};
  State state = State::queued;
  json result = nullptr, error = nullptr;

  json document(bool whole) const {
    constexpr std::array names{"queued", "running", "succeeded", "failed"};
    json out{{"id", id},
             {"kind", kind},
             {"state", names.at(static_cast<std::size_t>(state))},
             {"who", printable(who)},
             {"asked", format_instant(asked)},
             {"ended", ended ? json(format_instant(*ended)) : json(nullptr)},
             {"error", error}};
    if (whole) out["result"] = result;
    return out;
  }
};

Operations::Operations(const Clock& clock, Rules rules) : clock_(clock), rules_(std::move(rules)) {}

Operations::~Operations() {
  for (std::jthread& worker : workers_) worker.request_stop();
  workers_.clear();
}

Result<json> Operations::start(std::string kind, std::vector<std::string> arguments, const std::string& who) {
  const std::lock_guard lock(mutex_);
  const auto waiting = std::ranges::count_if(all_, [](const auto& one) { return one->state == State::queued; });
  if (waiting >= static_cast<std::ptrdiff_t>(most_waiting))
    return fail(Kind::busy, fmt::format("{} operations are waiting already", waiting), "Try again in a minute.");
  auto one = std::make_shared<One>();
  one->id = "o-" + random_hex(8);
  one->kind = std::move(kind);
  one->who = who;
  one->arguments = std::move(arguments);
  one->asked = clock_.now();
  all_.push_back(one);
  const auto is_over = [](const auto& old) { return old->ended.has_value(); };
  while (all_.size() > rules_.kept) {
    const auto oldest = std::ranges::find_if(all_, is_over);
    if (oldest == all_.end()) break;
    all_.erase(oldest);
  }
  // Most daemons are never asked for one, and have no thread for it.
  if (workers_.size() < rules_.at_once) workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  changed_.notify_one();
  return one->document(true);
}

Result<json> Operations::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& one : all_)
    if (one->id == id) return one->document(true);
  return fail(Kind::not_found, fmt::format("there is no operation \"{}\"", printable(id)),
              "The last hundred of this daemon are kept; what they changed is in the ledger.");
}

json Operations::list() const {
  const std::lock_guard lock(mutex_);
  json out = json::array();
  for (const auto& one : std::views::reverse(all_)) out.push_back(one->document(false));
  return out;
}

void Operations::work(const std::stop_token& stop) {
  while (true) {
    std::shared_ptr<One> next;
    {
      std::unique_lock lock(mutex_);
      const auto queued = [&] {
        return std::ranges::find_if(all_, [](const auto& one) { return one->state == State::queued; });
      };
      if (!changed_.wait(lock, stop, [&] { return queued() != all_.end(); })) return;
      next = *queued();
      next->state = State::running;
    }
    carry_out(*next, stop);
  }
}

process::Command Operations::command(std::vector<std::string> arguments, const std::string& who) const {
  process::Command command{.environment = rules_.environment, .directory = rules_.directory};
  command.arguments = std::move(arguments);
  command.arguments.insert(command.arguments.begin(), rules_.program);
  command.arguments.emplace_back("--json");
  command.environment.push_back(fmt::format("{}={}", actor_variable, who));
  return command;
}

void Operations::carry_out(One& one, const std::stop_token& stop) {
  const files::Handle output(memfd_create("steward-operation", MFD_CLOEXEC));
  process::Command program = command(one.arguments, one.who);
  program.output = output.fd();
  const auto ran = run(program, std::nullopt, stop);
  json document = ran ? document_in(output.fd()) : json{{"error", to_json(ran.error())}};
  const std::lock_guard lock(mutex_);
  one.ended = clock_.now();
  one.state = document.contains("error") && document["error"].is_object() ? State::failed : State::succeeded;
  (one.state == State::failed ? one.error : one.result) =
      one.state == State::failed ? std::move(document["error"]) : std::move(document);
}

Result<std::string> Operations::output_of(std::vector<std::string> arguments, const std::string& who,
                                          const Patience& patience) const {
  const files::Handle output(memfd_create("steward-output", MFD_CLOEXEC)),
      errors(memfd_create("steward-errors", MFD_CLOEXEC));
  process::Command program = command(std::move(arguments), who);
  program.output = output.fd();
  program.errors = errors.fd();
  program.nice = patience.nice;
  TRY(run(program, patience.longest, patience.stop));
  const std::string said = text_in(errors.fd());
  const json document = json::parse(said, nullptr, false);
  if (document.is_object() && document.contains("error")) return std::unexpected(error_from_json(document["error"]));
  std::string text = text_in(output.fd());
  if (text.empty() && !said.empty())
    return fail(Kind::unavailable, fmt::format("the process ended without an answer: {}", printable(trim(said))));
  return text;
}

}  // namespace steward::api
