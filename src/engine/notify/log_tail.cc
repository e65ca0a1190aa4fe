#include "engine/notify/log_tail.h"

#include <fmt/format.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "io/files/copy.h"
#include "run/state.h"

namespace steward::notify {
namespace {
using nlohmann::json;

constexpr std::size_t most_lines = 20, most_bytes = 4096;

std::string text_at(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? printable(found->get<std::string>()) : std::string{};
}

/// Empty where it says nothing to people.
std::string readable(std::string_view line) {
  const json document = json::parse(line, nullptr, false);
  if (!document.is_object() || text_at(document, "text") == "progress") return {};
  const std::string at = text_at(document, "at"), task = text_at(document, "task");
  std::string out = fmt::format("{} {} {}{}", at.size() >= 19 ? at.substr(11, 8) : at, text_at(document, "level"),
                                task.empty() ? "" : task + ": ", text_at(document, "text"));
  if (const auto error = document.find("error"); error != document.end() && error->is_object())
    out += fmt::format(": {}", text_at(*error, "message"));
  return out;
}

}  // namespace

std::string log_tail(const files::Folder& state, const std::string& run) {
  const auto file = state.open_for_reading(fmt::format("runs/{}/log.jsonl", run));
  if (!file) return {};
  files::FileSource source(file->fd());
  std::deque<std::string> lines;
  std::size_t size = 0;
  (void)each_line(source, [&](std::string_view line) -> Result<bool> {
    std::string text = readable(line);
    if (text.empty()) return true;
    size += text.size() + 1;
    lines.push_back(std::move(text));
    while (lines.size() > most_lines || (size > most_bytes && lines.size() > 1)) {
      size -= lines.front().size() + 1;
      lines.pop_front();
    }
    return true;
  });
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace steward::notify
