#include "app/api/event_feed.h"

#include <nlohmann/json.hpp>
#include <ranges>

#include "app/documents/documents.h"
#include "run/ledger/agenda.h"

namespace steward::api {
namespace {
using nlohmann::json;

constexpr std::chrono::seconds look_every{1};
/// Of the trail, what a listener may have missed when this daemon began.
constexpr std::size_t lines_at_once = 200;

std::string text_of(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

EventFeed::EventFeed(ledger::Ledger& ledger)
    : ledger_(ledger), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

EventFeed::~EventFeed() = default;

Result<std::shared_ptr<server::EventSource>> EventFeed::source() {
  const std::lock_guard lock(mutex_);
  TRY(look());
  wanted_ = true;
  asked_.notify_one();
  return source_;
}

void EventFeed::watch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (asked_.wait(lock, stop, [this] { return wanted_; })) {
    // Whoever has asked listens within that time, or has gone.
    asked_.wait_for(lock, stop, look_every, [] { return false; });
    // A ledger that does not answer is asked again; the daemon is who complains of it.
    if (!stop.stop_requested()) (void)look().has_value();
    wanted_ = source_->has_listeners();
  }
}

Result<void> EventFeed::look() {
  const std::vector<ledger::AuditLine> lines = TRY(ledger_.audit_lines(lines_at_once));
  for (const ledger::AuditLine& line : std::views::reverse(lines)) {
    if (line.number <= last_) continue;
    source_->push({.id = std::to_string(line.number), .event = line.act, .data = text_of(app::document_of(line))});
    last_ = line.number;
  }
  std::map<std::string, std::string> now;
  for (const ledger::Run& run : TRY(ledger_.agenda().open_runs())) {
    if (run.progress.empty()) continue;
    now[run.id] = run.progress;
    if (const auto before = progress_.find(run.id); before != progress_.end() && before->second == run.progress)
      continue;
    json document = app::document_of(run);
    document["progress"] = json::parse(run.progress, nullptr, false);
    source_->push({.event = "run.progress", .data = text_of(document)});
  }
  progress_ = std::move(now);
  return {};
}

}  // namespace steward::api
