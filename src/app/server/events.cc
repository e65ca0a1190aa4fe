#include "app/server/events.h"

#include <algorithm>

namespace steward::server {
namespace {

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text)
    if (c != '\r' && c != '\n' && c != '\0') line += c;
  return line;
}

}  // namespace

std::string wire_form(const Event& event) {
  std::string text;
  if (!event.id.empty()) text += "id: " + one_line(event.id) + '\n';
  if (!event.event.empty()) text += "event: " + one_line(event.event) + '\n';
  text += "data: ";
  for (std::size_t i = 0; i < event.data.size(); ++i) {
    const char c = event.data[i];
    // CR, LF and CRLF each end a line there.
    if (c == '\r' && i + 1 < event.data.size() && event.data[i + 1] == '\n') continue;
    if (c == '\r' || c == '\n') {
      text += "\ndata: ";
    } else {
      text += c;
    }
  }
  return text + "\n\n";
}

void EventSource::push(const Event& event) {
  auto text = std::make_shared<const std::string>(wire_form(event));
  {
    const std::lock_guard lock(mutex_);
    bytes_ += text->size();
    ring_.push_back({one_line(event.id), std::move(text)});
    while (ring_.size() > 1 && (ring_.size() > bounds_.events || bytes_ > bounds_.bytes)) {
      bytes_ -= ring_.front().text->size();
      ring_.pop_front();
      ++first_;
    }
  }
  const std::lock_guard lock(listeners_->mutex);
  for (const auto& [number, wake] : listeners_->wakes) wake();
}

EventSource::Place EventSource::place_after(std::string_view last_id) const {
  const std::lock_guard lock(mutex_);
  if (last_id.empty()) return {first_ + ring_.size(), false};
  for (std::size_t i = ring_.size(); i-- > 0;)
    if (ring_[i].id == last_id) return {first_ + i + 1, false};
  return {first_, true};
}

EventSource::Batch EventSource::take(std::uint64_t& next, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  Batch batch;
  if (next < first_) {
    batch.lost = true;
    return batch;
  }
  const std::uint64_t end = std::min<std::uint64_t>(first_ + ring_.size(), next + most);
  for (; next < end; ++next) batch.events.push_back(ring_[static_cast<std::size_t>(next - first_)].text);
  return batch;
}

bool EventSource::has_listeners() const {
  const std::lock_guard lock(listeners_->mutex);
  return !listeners_->wakes.empty();
}

std::shared_ptr<void> EventSource::listen(std::function<void()> wake) {
  const std::lock_guard lock(listeners_->mutex);
  const std::uint64_t number = ++listeners_->last;
  listeners_->wakes.emplace(number, std::move(wake));
  return {nullptr, [listeners = listeners_, number](void*) {
            const std::lock_guard gone(listeners->mutex);
            listeners->wakes.erase(number);
          }};
}

}  // namespace steward::server
