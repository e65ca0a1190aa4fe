// The section `notifications` of a configuration file, read into settings.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/age.h"
#include "core/text.h"
#include "core/url.h"
#include "engine/notify/settings.h"

namespace steward::notify {
namespace {
using namespace std::chrono;

constexpr std::array names{"failed",  "recovered",   "missed",  "late", "running-too-long", "waiting",       "reminder",
                           "expired", "break-glass", "refused", "done", "backup-stale",     "secret-rotated"};
static_assert(names.size() == topics.size());

std::vector<std::string> topic_names() { return {names.begin(), names.end()}; }

Shape email_shape() {
  const Shape text = scalar(Scalar::text);
  return record(
      "email",
      {{.key = "to",
        .what = "who gets it",
        .shape = list_of(text),
        .required = true,
        .example = "[oncall@example.com]"},
       {.key = "from", .what = "whom it is from", .shape = text, .required = true, .example = "steward@example.com"},
       {.key = "server",
        .what = "the mail server: smtp://host:587, or smtps://host:465",
        .shape = scalar(Scalar::url),
        .required = true,
        .example = "smtp://mail.example.com:587"},
       {.key = "user", .what = "the name to log in with", .shape = text, .fallback = "no login", .example = "steward"},
       {.key = "password",
        .what = "and its password",
        .shape = scalar(Scalar::secret),
        .example = "${file:/run/secrets/smtp}"},
       {.key = "tls",
        .what = "starttls: nothing is sent before the connection is encrypted; tls: from the first byte; none",
        .shape = choice({"starttls", "tls", "none"}),
        .fallback = "starttls; tls for smtps://",
        .example = "tls"}});
}

Shape channel_shape() {
  const Shape secret = scalar(Scalar::secret);
  return record("channel", {{.key = "slack",
                             .what = "the URL of an incoming webhook of Slack, Mattermost or Rocket.Chat",
                             .shape = secret,
                             .example = "${SLACK_WEBHOOK_URL}"},
                            {.key = "webhook",
                             .what = "a URL that JSON is posted to",
                             .shape = secret,
                             .example = "https://audit.example.com/steward"},
                            {.key = "secret",
                             .what = "of a webhook: the key that its posts are signed with (HMAC-SHA256)",
                             .shape = secret,
                             .fallback = "not signed",
                             .example = "${file:/run/secrets/audit}"},
                            {.key = "email", .what = "mail, by SMTP", .shape = email_shape()},
                            {.key = "ca_bundle",
                             .what = "certificates (PEM) of a private authority, for a webhook or a mail server",
                             .shape = scalar(Scalar::text),
                             .fallback = "the system's",
                             .example = "/etc/ssl/private-ca.pem"}});
}

bool is_local(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

/// "anna@example.com": what goes between < and > of a mail's envelope.
bool is_mail_address(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         std::ranges::none_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '<' || c == '>'; });
}

class Reader {
 public:
  Reader(std::span<const std::string> jobs, const std::function<std::string(const Node&)>& path,
         std::vector<Error>& errors)
      : jobs_(jobs), path_(path), errors_(errors) {}

  Settings read(const Node& section) {
    if (const Node* channels = section.find("channels"))
      for (const Member& member : channels->members) channel(member);
    if (const Node* rules = section.find("rules"))
      for (const Node& node : rules->items) rule(node);
    else
      settings_.rules.push_back({.topics = default_topics()});
    if (const Node* repeat = section.find("repeat")) {
      const auto age = parse_age(repeat->text);  // its shape says that it is one
      if (const auto* span = age ? std::get_if<microseconds>(&age->span) : nullptr)
        settings_.repeat = ceil<seconds>(*span);
      else
        wrong(*repeat, "repeat is a span of time, not calendar months", "Write it like 12h or 7 days.");
    }
    return std::move(settings_);
  }

 private:
  void wrong(const Node& node, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(node.at, why, std::move(hint)));
  }

  /// What was written out is a mistake to be corrected; what came from outside makes the channel unusable.
  void url_fault(const Node& node, std::string_view what, Channel& channel) {
    const std::string fault = fault_of_url(node.text);
    if (fault.empty()) return;
    if (node.from.empty())
      wrong(node, fmt::format("{}: {}", what, fault), "Write it like https://host/path.");
    else
      channel.unusable = fmt::format("{} ({}): {}", what, node.from, fault);
  }

  void channel(const Member& member) {
    const Node& node = member.value;
    Channel channel{.name = member.key, .origin = text_of(member.at)};
    const bool good_name = !member.key.empty() && std::ranges::all_of(member.key, [](unsigned char c) {
      return std::isalnum(c) || c == '-' || c == '_' || c == '.';
    });
    if (!good_name)
      errors_.push_back(error_at(member.at, fmt::format("\"{}\" cannot be a channel's name", printable(member.key)),
                                 "Use letters, digits and -, as in on-call."));
    const auto written = [&](std::string_view key) {
      return std::ranges::any_of(node.members, [&](const Member& one) { return one.key == key; });
    };
    const int kinds = int{written("slack")} + int{written("webhook")} + int{written("email")};
    if (kinds != 1)
      return wrong(node,
                   fmt::format("channel \"{}\" has to have one of slack, webhook and email, and has {}",
                               printable(member.key), kinds == 0 ? "none" : "several"),
                   "For example: ops: {slack: \"${SLACK_WEBHOOK_URL}\"}");
    if (const Node* secret = node.find("secret"); secret != nullptr && !written("webhook"))
      wrong(*secret, "secret is for a webhook", "Remove it.");
    if (const Node* ca = node.find("ca_bundle")) channel.ca_file = path_(*ca);
    if (written("slack"))
      slack(node, channel);
    else if (written("webhook"))
      webhook(node, channel);
    else
      email(node, channel);
    settings_.channels.push_back(std::move(channel));
  }

  void slack(const Node& node, Channel& channel) {
    const Node* url = node.find("slack");
    channel.how = Slack{.url = Secret(url == nullptr ? "" : url->text)};
    if (url == nullptr)
      channel.unusable = "slack is empty: there is no address to post to";
    else
      url_fault(*url, "slack", channel);
  }

  void webhook(const Node& node, Channel& channel) {
    const Node* url = node.find("webhook");
    channel.how = Webhook{.url = Secret(url == nullptr ? "" : url->text), .key = Secret(node.text_at("secret"))};
    if (url == nullptr)
      channel.unusable = "webhook is empty: there is no address to post to";
    else
      url_fault(*url, "webhook", channel);
    // What was to be signed and would not be is not sent.
    const bool keyless =
        std::ranges::any_of(node.members, [](const Member& one) { return one.key == "secret" && one.value.empty(); });
    if (keyless && channel.unusable.empty()) channel.unusable = "secret is empty: nothing could be signed";
  }

  void email(const Node& node, Channel& channel) {
    const Node* section = node.find("email");
    if (section == nullptr) return wrong(node, "email is empty", "Write to, from and server below it.");
    Email email{.to = section->find("to")->texts(),
                .from = section->text_at("from"),
                .user = section->text_at("user"),
                .password = Secret(section->text_at("password"))};
    for (const Node& to : section->find("to")->items) address(to);
    address(*section->find("from"));
    server(*section, email);
    channel.how = std::move(email);
  }

  void address(const Node& node) {
    if (!is_mail_address(node.text))
      wrong(node, fmt::format("\"{}\" is no mail address", node.from.empty() ? printable(node.text) : "…"),
            "Write it like oncall@example.com.");
  }

  void server(const Node& section, Email& email) {
    const Node& node = *section.find("server");
    const auto url = parse_url(node.text);
    const bool smtps = url && url->scheme == "smtps";
    if (!url || (!smtps && url->scheme != "smtp") || url->host.empty() || !url->path.empty() || !url->query.empty())
      return wrong(node, "server is no address of a mail server",
                   "Write it like smtp://mail.example.com:587 or smtps://mail.example.com:465.");
    if (!url->user.empty() || !url->password.empty())
      return wrong(node, "server holds a login", "Write it into user and password.");
    const std::string tls = section.text_at("tls", smtps ? "tls" : "starttls");
    email.tls = tls == "none" ? Tls::none : tls == "tls" ? Tls::tls : Tls::starttls;
    if (smtps && email.tls != Tls::tls)
      return wrong(*section.find("tls"), fmt::format("smtps:// is encrypted from the first byte, tls says {}", tls),
                   "Write smtp:// for starttls.");
    email.host = url->host;
    email.port = !url->port.empty() ? url->port : email.tls == Tls::tls ? "465" : "587";
    const Node* password = section.find("password");
    if (password != nullptr && email.user.empty()) wrong(*password, "there is a password and no user");
    if (password == nullptr && !email.user.empty()) wrong(*section.find("user"), "there is a user and no password");
    if (email.tls == Tls::none && password != nullptr && !is_local(email.host))
      wrong(*password, "with tls: none the password would go out in clear", "Use starttls, or no login.");
  }

  void rule(const Node& node) {
    Rule rule;
    if (const Node* events = node.find("events"))
      for (const std::string& name : events->texts())
        if (const auto topic = topic_named(name)) rule.topics.insert(*topic);
    if (rule.topics.empty()) rule.topics = default_topics();
    known(node.find("jobs"), jobs_, "job", rule.jobs);
    std::vector<std::string> channels;
    for (const Channel& channel : settings_.channels) channels.push_back(channel.name);
    known(node.find("channels"), channels, "channel", rule.channels);
    settings_.rules.push_back(std::move(rule));
  }

  void known(const Node* list, std::span<const std::string> there_are, std::string_view what,
             std::set<std::string>& into) {
    if (list == nullptr) return;
    for (const Node& node : list->items) {
      into.insert(node.text);
      if (std::ranges::find(there_are, node.text) != there_are.end()) continue;
      std::string hint = did_you_mean(node.text, there_are);
      if (hint.empty() && !there_are.empty()) hint = fmt::format("The {}s are {}.", what, join_and(there_are));
      wrong(node, fmt::format("there is no {} \"{}\"", what, printable(node.text)), std::move(hint));
    }
  }

  std::span<const std::string> jobs_;
  const std::function<std::string(const Node&)>& path_;
  std::vector<Error>& errors_;
  Settings settings_{};
};

}  // namespace

std::string_view name_of(Topic topic) { return names.at(static_cast<std::size_t>(topic)); }

std::optional<Topic> topic_named(std::string_view name) {
  for (const Topic topic : topics)
    if (name_of(topic) == name) return topic;
  return std::nullopt;
}

std::string_view kind_of(const Channel& channel) {
  constexpr std::array kinds{"slack", "webhook", "email"};
  return kinds.at(channel.how.index());
}

std::set<Topic> default_topics() {
  std::set<Topic> out(topics.begin(), topics.end());
  out.erase(Topic::done);
  return out;
}

const Channel* Settings::channel(std::string_view name) const {
  const auto found = std::ranges::find(channels, name, &Channel::name);
  return found == channels.end() ? nullptr : &*found;
}

bool Settings::wants(const Channel& channel, Topic topic, const std::string& job) const {
  return std::ranges::any_of(rules, [&](const Rule& rule) {
    return rule.topics.contains(topic) && (rule.jobs.empty() || rule.jobs.contains(job)) &&
           (rule.channels.empty() || rule.channels.contains(channel.name));
  });
}

std::vector<std::string> Settings::complaints() const {
  std::vector<std::string> out;
  for (const Channel& channel : channels)
    if (!channel.unusable.empty())
      out.push_back(fmt::format("channel {} is unusable: {}", channel.name, channel.unusable));
  for (const auto& [job, url] : pings)
    if (const std::string fault = fault_of_url(url.reveal()); !fault.empty())
      out.push_back(fmt::format("the ping of {} is unusable: {}", job, fault));
  return out;
}

Shape notifications_shape() {
  const Shape text = scalar(Scalar::text);
  const Shape rule = record(
      "rule",
      {{.key = "events",
        .what = "what is told of",
        .shape = list_of(choice(topic_names())),
        .fallback = "everything but done",
        .example = "[failed, recovered]"},
       {.key = "jobs", .what = "of these jobs", .shape = list_of(text), .fallback = "all", .example = "[backup]"},
       {.key = "channels",
        .what = "through these channels",
        .shape = list_of(text),
        .fallback = "all",
        .example = "[oncall]"}});
  return record("notifications section",
                {{.key = "channels",
                  .what = "where messages go, by a name of yours",
                  .shape = map_of(channel_shape()),
                  .fallback = "with SLACK_WEBHOOK_URL: slack",
                  .example = "{ops: {slack: \"${SLACK_WEBHOOK_URL}\"}}"},
                 {.key = "rules",
                  .what = "who is told of what; what several rules send to a channel comes once",
                  .shape = list_of(rule),
                  .fallback = "every channel of everything but done",
                  .example = "[{events: [failed], channels: [oncall]}]"},
                 {.key = "repeat",
                  .what = "a failure that follows others of its job is told of after so long again, with their number",
                  .shape = scalar(Scalar::age),
                  .fallback = "12h",
                  .example = "4h"}});
}

Settings read_notifications(const Node& section, std::span<const std::string> jobs,
                            const std::function<std::string(const Node&)>& path, std::vector<Error>& errors) {
  return Reader(jobs, path, errors).read(section);
}

Settings notifications_of_variable(const std::string& slack_webhook_url) {
  Settings settings;
  Channel channel{.name = "slack", .how = Slack{.url = Secret(slack_webhook_url)}, .origin = "SLACK_WEBHOOK_URL"};
  if (const std::string fault = fault_of_url(slack_webhook_url); !fault.empty())
    channel.unusable = fmt::format("SLACK_WEBHOOK_URL: {}", fault);
  settings.channels.push_back(std::move(channel));
  settings.rules.push_back({.topics = default_topics()});
  return settings;
}

Field ping_field() {
  return {.key = "ping",
          .what =
              "the URL of a dead-man service: asked for as it is when a run has succeeded, with /start when it "
              "begins, with /fail and the end of its log when it fails",
          .shape = scalar(Scalar::secret),
          .fallback = "none",
          .example = "${file:/run/secrets/ping-backup}"};
}

std::map<std::string, Secret> read_pings(const Node& jobs, std::vector<Error>& errors) {
  std::map<std::string, Secret> out;
  for (const Member& job : jobs.members) {
    const Node* ping = job.value.find("ping");
    if (ping == nullptr) continue;
    if (const std::string fault = fault_of_url(ping->text); !fault.empty() && ping->from.empty())
      errors.push_back(error_at(ping->at, fmt::format("ping: {}", fault), "Write it like https://host/path."));
    out[job.key] = Secret(ping->text);
  }
  return out;
}

std::string fault_of_url(std::string_view url) {
  const std::size_t host = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (host == 0) return "it does not begin with https:// or http://";
  if (std::ranges::any_of(url, [](unsigned char c) { return c <= ' ' || c >= 0x7f; }))
    return "it has a space, or a character that no URL has";
  if (url.size() == host || std::string_view("/:?#@").find(url[host]) != std::string_view::npos)
    return "it names no host";
  if (!parse_url(url)) return "it is not a URL";
  return {};
}

}  // namespace steward::notify
