#include "app/api/operations.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <nlohmann/json.hpp>
#include <ranges>

#include "core/random.h"
#include "core/text.h"
#include "io/process/identity.h"
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

/// What the process has printed: a document, which may stand behind lines for people.
json document_in(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size > longest_answer) return {{"error", not_done("the answer is longer than 64 MiB", "Ask for less.")}};
  std::string text(static_cast<std::size_t>(std::max<off_t>(size, 0)), '\0');
  if (::pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) text.clear();
  const std::size_t begin = text.starts_with('{') ? 0 : text.find("\n{");
  if (begin == std::string::npos)
    return {{"error", not_done(fmt::format("the process ended without an answer: {}", printable(trim(text))))}};
  json document = json::parse(text.substr(begin == 0 ? 0 : begin + 1), nullptr, false);
  if (!document.is_object()) return {{"error", not_done("the process ended in the middle of its answer")}};
  return document;
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

void Operations::carry_out(One& one, const std::stop_token& stop) {
  const files::Handle output(memfd_create("steward-operation", MFD_CLOEXEC));
  process::Command command{.environment = rules_.environment, .directory = rules_.directory, .output = output.fd()};
  command.arguments.push_back(rules_.program);
  command.arguments.insert(command.arguments.end(), one.arguments.begin(), one.arguments.end());
  command.arguments.emplace_back("--json");
  command.environment.push_back(fmt::format("{}={}", actor_variable, one.who));
  const auto pid = process::start(command);
  json document;
  if (!pid) {
    document["error"] = to_json(pid.error());
  } else {
    // Of one that has ended and was reaped meanwhile there is nothing left to watch.
    if (const auto watch = process::watch_process(*pid, process::started_ticks(*pid))) {
      const std::stop_callback told(stop, [&] { watch->send(SIGTERM); });
      pollfd ended{.fd = watch->descriptor(), .events = POLLIN, .revents = 0};
      while (::poll(&ended, 1, -1) < 0) {
      }
    }
    document = document_in(output.fd());
  }
  const std::lock_guard lock(mutex_);
  one.ended = clock_.now();
  one.state = document.contains("error") && document["error"].is_object() ? State::failed : State::succeeded;
  (one.state == State::failed ? one.error : one.result) =
      one.state == State::failed ? std::move(document["error"]) : std::move(document);
}

}  // namespace steward::api
