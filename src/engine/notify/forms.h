/// Messages in the form of each channel. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "engine/notify/message.h"

namespace steward::notify {

/// The body of a post to an incoming webhook of Slack: blocks, and `text` for where blocks are not shown. Within
/// Slack's limits (section text 3,000 characters, header 150, 50 blocks; what is longer is cut, and says so). &, <, >
/// are escaped, so that nothing in it can mention anybody or hide a link.
/// https://api.slack.com/reference/block-kit/blocks, https://api.slack.com/reference/surfaces/formatting
std::string slack_body(const Message& message);

/// The body of a post to a webhook, version 1: docs/notifications.md says what is in it.
std::string webhook_body(const Message& message);

/// The text of a message, as a mail has it: lines of their own, no markup.
std::string plain_text(const Message& message);

/// The body of a ping: what a dead-man service keeps beside it. At most 10,000 bytes; where it has to be cut, its
/// beginning goes.
std::string ping_body(const Message& message);

/// A whole mail (RFC 5322): headers and a body in UTF-8, quoted-printable, lines end with CR LF. The addresses hold no
/// line ends (the configuration is checked). `at`: for its Date.
struct Envelope {
  std::string from{};
  std::vector<std::string> to{};
};
std::string mail_text(const Message& message, const Envelope& envelope, Instant at);

/// The value of `Steward-Signature`: "t=1795402259,v1=HEX", where HEX is the HMAC-SHA256 of "1795402259." and the body.
std::string signature(std::string_view key, std::string_view body, Instant at);

/// The first `most` bytes, cut between characters, with "…" for what is left out.
std::string cut(std::string_view text, std::size_t most);

}  // namespace steward::notify
