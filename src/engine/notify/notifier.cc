#include "engine/notify/notifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <mutex>

#include "core/digest.h"
#include "core/random.h"
#include "core/text.h"
#include "engine/notify/email.h"
#include "engine/notify/forms.h"
#include "engine/notify/words.h"
#include "io/http/client.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using Steady = steady_clock::time_point;

constexpr milliseconds slack_pace{1000};
constexpr seconds longest_retry_after{hours{24}};
constexpr std::string_view ping_prefix = "ping:";

Outcome never(std::string error) { return {.kind = Outcome::Kind::never, .error = std::move(error)}; }
Outcome later(std::string error, std::optional<seconds> retry_after = {}) {
  return {.kind = Outcome::Kind::later, .error = std::move(error), .retry_after = retry_after};
}

/// RFC 9110, 10.2.3: seconds, or a date, which counts from when the server answered.
std::optional<seconds> retry_after_of(const http::Response& response) {
  const auto text = response.header("retry-after");
  if (!text) return {};
  long long count = 0;
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), count);
  if (ec == std::errc{} && end == text->data() + text->size())
    return std::clamp(seconds{count}, seconds{0}, longest_retry_after);
  const auto until = http::parse_http_date(*text), from = http::date_of(response);
  if (!until || !from) return {};
  return std::clamp(ceil<seconds>(*until - *from), seconds{0}, longest_retry_after);
}

Outcome outcome_of(const http::Response& response, std::string_view word) {
  const int status = response.status;
  if (status >= 200 && status < 300) return {};
  const std::string said =
      fmt::format("it was answered with {}{}", status, word.empty() ? "" : fmt::format(" ({})", word));
  if (status == 408 || status == 425 || status == 429 || status >= 500) return later(said, retry_after_of(response));
  if (status >= 300 && status < 400) return never(said + ": a redirect, which is not followed");
  return never(said);
}

/// Slack says what is wrong in a word or two: "invalid_payload", "no_service".
std::string slacks_word(const http::Response& response) {
  const bool is_word = !response.body.empty() && response.body.size() <= 40 &&
                       std::ranges::all_of(response.body, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return is_word ? response.body : std::string{};
}

/// An error of the HTTP client names host and port: with some services these alone let somebody in.
std::string without_address(std::string text, const std::string& url) {
  const std::string address = http::host_and_port(url);
  for (const std::string& shown : {'"' + address + '"', address})
    for (std::size_t at = 0; (at = text.find(shown, at)) != std::string::npos;)
      text.replace(at, shown.size(), "its address");
  return text;
}

/// "https://h/p?q" and "/start": "https://h/p/start?q".
std::string appended(std::string_view url, std::string_view part) {
  const std::size_t end = std::min(url.find_first_of("?#"), url.size());
  std::string_view path = url.substr(0, end);
  while (path.ends_with('/')) path.remove_suffix(1);
  return fmt::format("{}{}{}", path, part, url.substr(end));
}

}  // namespace

struct Notifier::Inside {
  Settings settings{};
  std::map<std::string, std::unique_ptr<http::Client>> clients{};  ///< By CA file.
  mutable std::mutex mutex{};
  std::map<std::string, Steady> next{};     ///< By channel: not before.
  std::map<std::string, Steady> blocked{};  ///< By channel: it has asked to be left alone until then.

  Outcome post(const std::string& channel, const std::string& ca_file, const std::string& url,
               const std::vector<http::Header>& headers, std::string_view body, const Patience& patience,
               bool is_slack = false) {
    const auto response = clients.at(ca_file)->send({.method = "POST",
                                                     .url = url,
                                                     .headers = headers,
                                                     .body = body,
                                                     .body_limit = 1 << 20,
                                                     .stall_timeout = seconds{20},
                                                     .whole_timeout = std::min(patience.longest, milliseconds{30'000}),
                                                     .give_up = patience.give_up});
    if (!response) return later(without_address(response.error().message, url));
    Outcome outcome = outcome_of(*response, is_slack ? slacks_word(*response) : std::string{});
    if (outcome.retry_after) {
      const std::lock_guard lock(mutex);
      blocked[channel] = steady_clock::now() + *outcome.retry_after;
    }
    return outcome;
  }

  std::optional<seconds> blocked_for(const std::string& channel) const {
    const std::lock_guard lock(mutex);
    const auto found = blocked.find(channel);
    const auto now = steady_clock::now();
    if (found == blocked.end() || found->second <= now) return {};
    return ceil<seconds>(found->second - now);
  }

  Outcome ping(const std::string& job, const Message& message, const Patience& patience) {
    const auto found = settings.pings.find(job);
    if (found == settings.pings.end()) return never(fmt::format("{} has no ping any more", printable(job)));
    const std::string& url = found->second.reveal();
    if (const std::string fault = fault_of_url(url); !fault.empty())
      return never("its address cannot be used: " + fault);
    const std::string_view part = message.topic == "ping-start"  ? "/start"
                                  : message.topic == "ping-fail" ? "/fail"
                                                                 : "";
    const std::string body = message.topic == "ping-start" ? std::string{} : ping_body(message);
    return post(ping_channel(job), "", part.empty() ? url : appended(url, part),
                {{"Content-Type", "text/plain; charset=utf-8"}, {"Steward-Delivery", message.id}}, body, patience);
  }

  Outcome slack(const Channel& channel, const Slack& how, const Message& message, const Patience& patience) {
    {
      const std::lock_guard lock(mutex);
      next[channel.name] = steady_clock::now() + slack_pace;
    }
    return post(channel.name, channel.ca_file, how.url.reveal(), {{"Content-Type", "application/json; charset=utf-8"}},
                slack_body(message), patience, true);
  }

  Outcome webhook(const Channel& channel, const Webhook& how, const Message& message, const Patience& patience) {
    const std::string body = webhook_body(message);
    std::vector<http::Header> headers{
        {"Content-Type", "application/json"}, {"Steward-Delivery", message.id}, {"Steward-Event", message.topic}};
    // Of the moment of sending, so that a receiver can refuse what somebody sends again later.
    if (!how.key.empty())
      headers.emplace_back("Steward-Signature", signature(how.key.reveal(), body, SystemClock{}.now()));
    return post(channel.name, channel.ca_file, how.url.reveal(), headers, body, patience);
  }

  Outcome email(const Channel& channel, const Email& how, const Message& message, const Patience& patience) {
    return send_mail(how, channel.ca_file, mail_text(message, {.from = how.from, .to = how.to}, SystemClock{}.now()),
                     patience);
  }
};

Notifier::Notifier(Settings settings) : inside_(std::make_unique<Inside>()) {
  inside_->settings = std::move(settings);
  inside_->clients[""] = std::make_unique<http::Client>();
  for (const Channel& channel : inside_->settings.channels)
    if (!inside_->clients.contains(channel.ca_file))
      inside_->clients[channel.ca_file] =
          std::make_unique<http::Client>(http::ClientSettings{.ca_file = channel.ca_file});
}
Notifier::~Notifier() = default;

const Settings& Notifier::settings() const { return inside_->settings; }

Outcome Notifier::send(const ledger::Delivery& delivery, const Patience& patience) {
  const auto message = message_from_json(delivery.message);
  if (!message) return never(message.error().message);
  if (const auto left = inside_->blocked_for(delivery.channel))
    return later(fmt::format("it has asked to be left alone for {} more", format_span(*left)), left);
  if (delivery.channel.starts_with(ping_prefix))
    return inside_->ping(delivery.channel.substr(ping_prefix.size()), *message, patience);
  const Channel* channel = inside_->settings.channel(delivery.channel);
  if (channel == nullptr) return never(fmt::format("there is no channel {} any more", printable(delivery.channel)));
  if (!channel->unusable.empty()) return never(channel->unusable);
  if (const auto* slack = std::get_if<Slack>(&channel->how))
    return inside_->slack(*channel, *slack, *message, patience);
  if (const auto* webhook = std::get_if<Webhook>(&channel->how))
    return inside_->webhook(*channel, *webhook, *message, patience);
  return inside_->email(*channel, std::get<Email>(channel->how), *message, patience);
}

milliseconds Notifier::pause_before(const ledger::Delivery& delivery) const {
  const std::lock_guard lock(inside_->mutex);
  const auto found = inside_->next.find(delivery.channel);
  if (found == inside_->next.end()) return milliseconds{0};
  return std::max(milliseconds{0}, ceil<milliseconds>(found->second - steady_clock::now()));
}

Result<ledger::Delivery> Notifier::test_delivery(std::string_view channel, std::string_view who, Instant now) const {
  const Settings& settings = inside_->settings;
  if (settings.channel(channel) == nullptr) {
    std::vector<std::string> names;
    for (const Channel& one : settings.channels) names.push_back(one.name);
    std::string hint = did_you_mean(channel, names);
    if (hint.empty())
      hint = names.empty() ? "Set SLACK_WEBHOOK_URL, or write notifications into the configuration."
                           : fmt::format("The channels are {}.", join_and(names));
    return fail(Kind::not_found, fmt::format("there is no channel \"{}\"", printable(channel)), std::move(hint));
  }
  Message message =
      words_of_test({.environment = settings.environment, .public_url = settings.public_url}, channel, who, now);
  message.id = "n-" + random_hex(12);  // each test is another
  return ledger::Delivery{.channel = std::string(channel),
                          .topic = message.topic,
                          .message = to_json_text(message),
                          .made = now,
                          .due = now};
}

std::optional<Instant> next_try(const ledger::Delivery& delivery, const Outcome& outcome, Instant now) {
  if (outcome.kind == Outcome::Kind::never || delivery.topic == "ping-start") return {};
  constexpr seconds first{15}, longest{hours{1}};
  seconds delay = first;
  for (int i = 0; i < delivery.attempts && delay < longest; ++i) delay *= 2;
  delay = std::min(delay, longest);
  // From three quarters to five, by a hash: what failed together does not come back together.
  const Sha256Bytes hash = sha256(fmt::format("{} {}", delivery.id, delivery.attempts));
  delay = delay * 3 / 4 + delay * hash[0] / 510;
  if (outcome.retry_after) delay = std::max(delay, *outcome.retry_after);
  // What is old says of a job that is well that it is not, and the other way round.
  const auto life = delivery.topic.starts_with("ping-") ? hours{1} : hours{72};
  if (now + delay > delivery.made + life) return {};
  return now + delay;
}

}  // namespace steward::notify
