#include "engine/notify/forms.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/digest.h"
#include "core/text.h"

namespace steward::notify {
namespace {
using nlohmann::ordered_json;

// Slack's limits count characters; bytes are never fewer.
constexpr std::size_t most_header = 150, most_section = 3000, most_text = 4000;
constexpr std::size_t most_ping = 10'000;
constexpr std::string_view ellipsis = "…";

bool is_inside_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

std::string dumped(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// https://api.slack.com/reference/surfaces/formatting#escaping
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

/// Escaped, and then at most `most` bytes: no entity and no character is cut in half.
std::string escaped_cut(std::string_view text, std::size_t most) {
  std::string whole = escaped(text);
  if (whole.size() <= most) return whole;
  std::size_t end = most - ellipsis.size();
  while (end > 0 && is_inside_character(whole[end])) --end;
  const std::size_t entity = whole.rfind('&', end);
  if (entity != std::string::npos && whole.find(';', entity) >= end) end = entity;
  return whole.substr(0, end) + std::string(ellipsis);
}

ordered_json section(std::string text) {
  return {{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", std::move(text)}, {"verbatim", true}}}};
}

/// Shown as it is: in a block of code nothing is markup, and a backtick must not end it.
ordered_json code(std::string text) {
  std::ranges::replace(text, '`', '\'');
  return section("```\n" + escaped_cut(text, most_section - 8) + "\n```");
}

std::string joined(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "\n")); }

/// RFC 2045, 6.7. What is ASCII and no line end stays.
std::string quoted_printable(std::string_view text) {
  std::string out, line;
  const auto flush = [&](std::string_view end) {
    out += line;
    out += end;
    line.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') {
      flush("\r\n");
      continue;
    }
    const bool ends_line = i + 1 == text.size() || text[i + 1] == '\n';
    const bool plain = (c > ' ' && c < 0x7f && c != '=') || (c == ' ' && !ends_line);
    const std::string piece = plain ? std::string(1, text[i]) : fmt::format("={:02X}", c);
    if (line.size() + piece.size() > 75) flush("=\r\n");
    line += piece;
  }
  flush("\r\n");
  return out;
}

/// A header's value (RFC 2047): as it is where it is ASCII, else in encoded words of whole characters.
std::string encoded_header(std::string_view text) {
  std::string clean;
  for (const char c : text) clean += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
  const bool ascii = std::ranges::all_of(clean, [](unsigned char c) { return c < 0x80; });
  if (ascii && clean.find("=?") == std::string::npos) return clean;
  std::string out;
  constexpr std::size_t most = 42;  // 56 characters of base64, and 12 around them: an encoded word has 75 at the most
  for (std::string_view rest = clean; !rest.empty();) {
    std::size_t end = std::min(most, rest.size());
    while (end < rest.size() && end > 0 && is_inside_character(rest[end])) --end;
    out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", base64(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return out;
}

std::string_view domain_of(std::string_view address) { return address.substr(address.rfind('@') + 1); }

}  // namespace

std::string cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  if (most < ellipsis.size()) return {};
  std::size_t end = most - ellipsis.size();
  while (end > 0 && is_inside_character(text[end])) --end;
  return std::string(text.substr(0, end)) + std::string(ellipsis);
}

std::string slack_body(const Message& message) {
  ordered_json blocks = ordered_json::array();
  blocks.push_back({{"type", "header"},
                    {"text", {{"type", "plain_text"}, {"text", cut(message.title, most_header)}, {"emoji", false}}}});
  if (message.title.size() > most_header) blocks.push_back(section(escaped_cut(message.title, most_section)));
  if (!message.lines.empty()) blocks.push_back(section(escaped_cut(joined(message.lines), most_section)));
  if (!message.verbatim.empty()) blocks.push_back(code(message.verbatim));
  if (!message.command.empty()) blocks.push_back(code(message.command));
  if (!message.link.empty())
    blocks.push_back(section(fmt::format(
        "<{}|{}>", escaped(message.link),
        message.topic == "waiting" || message.topic == "reminder" ? "Look at the plan, and answer" : "Look at it")));
  std::string facts;
  for (const auto& [label, value] : message.facts)
    facts += fmt::format("{}{}: {}", facts.empty() ? "" : " · ", label, value);
  if (!facts.empty())
    blocks.push_back(
        {{"type", "context"},
         {"elements", {{{"type", "mrkdwn"}, {"text", escaped_cut(facts, most_section)}, {"verbatim", true}}}}});
  std::string text = message.title;
  if (!message.verbatim.empty()) text += ": " + message.verbatim.substr(0, message.verbatim.find('\n'));
  return dumped({{"text", escaped_cut(text, most_text)}, {"blocks", std::move(blocks)}});
}

std::string webhook_body(const Message& message) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? ordered_json(nullptr) : ordered_json(text);
  };
  ordered_json data = ordered_json::parse(message.data, nullptr, false);
  if (!data.is_object()) data = ordered_json::object();
  return dumped({{"version", 1},
                 {"id", message.id},
                 {"event", message.topic},
                 {"environment", or_null(message.environment)},
                 {"job", or_null(message.job)},
                 {"run", or_null(message.run)},
                 {"at", format_instant(message.at)},
                 {"title", message.title},
                 {"text", plain_text(message)},
                 {"command", or_null(message.command)},
                 {"link", or_null(message.link)},
                 {"data", std::move(data)}});
}

std::string plain_text(const Message& message) {
  std::string out = message.title + "\n";
  const auto paragraph = [&](const std::string& text) {
    if (!text.empty()) out += '\n' + text + '\n';
  };
  const auto indented = [](const std::string& text) {
    std::string lines;
    if (text.empty()) return lines;
    for (const std::string& line : split(text, '\n'))
      lines += fmt::format("{}{}{}", lines.empty() ? "" : "\n", line.empty() ? "" : "    ", line);
    return lines;
  };
  paragraph(joined(message.lines));
  paragraph(indented(message.verbatim));
  paragraph(indented(message.command));
  paragraph(message.link);
  std::string facts;
  for (const auto& [label, value] : message.facts)
    facts += fmt::format("{}{:<11} {}", facts.empty() ? "" : "\n", label + ':', value);
  paragraph(facts);
  return out;
}

std::string ping_body(const Message& message) {
  std::string text = plain_text(message);
  if (text.size() <= most_ping) return text;
  std::size_t begin = text.size() - most_ping + ellipsis.size();
  while (begin < text.size() && is_inside_character(text[begin])) ++begin;
  return std::string(ellipsis) + text.substr(begin);
}

std::string mail_text(const Message& message, const Envelope& envelope, Instant at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  std::string out = fmt::format("From: {}\r\nTo: {}\r\nSubject: {}\r\n", envelope.from,
                                fmt::join(envelope.to, ",\r\n "), encoded_header(message.title));
  // Days and months in English, whatever the locale (RFC 5322, 3.3).
  out += fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} +0000\r\n", seconds);
  out += fmt::format("Message-ID: <{}@{}>\r\n", message.id, domain_of(envelope.from));
  // RFC 3834: nobody's absence note answers it.
  out +=
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
  return out + quoted_printable(plain_text(message));
}

std::string signature(std::string_view key, std::string_view body, Instant at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
  const std::string signed_text = fmt::format("{}.{}", seconds, body);
  return fmt::format("t={},v1={}", seconds, hex(hmac_sha256(key, signed_text)));
}

}  // namespace steward::notify
