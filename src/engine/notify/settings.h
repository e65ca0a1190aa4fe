/// Who is told of what: the section `notifications` of a configuration file, and `ping` of its jobs, as values.
///
///   notifications:
///     channels:
///       ops: {slack: "${SLACK_WEBHOOK_URL}"}
///       audit: {webhook: "https://audit.example.com/steward", secret: "${file:/run/secrets/audit}"}
///       oncall: {email: {to: [a@example.com], from: steward@example.com, server: "smtp://mail.example.com:587"}}
///     rules:
///       - {events: [failed, recovered], jobs: [backup], channels: [oncall]}
///     repeat: 12h
///
/// Promises  - With no file, or a file without this section, SLACK_WEBHOOK_URL makes one channel, `slack`, that is told
///             of everything but `done`.
///           - Addresses, passwords and keys are Secrets: no message, list or error shows them.
///           - An address out of a variable or a file that cannot be used makes its channel unusable, and nothing else:
///             a wrong SLACK_WEBHOOK_URL keeps no job from running.
#pragma once
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/document.h"
#include "core/result.h"
#include "core/schema.h"
#include "core/secret.h"

namespace steward::notify {

/// What people are told of. Its name is the word of the configuration, of `Delivery::topic` and of webhooks.
enum class Topic {
  failed,            ///< A run failed, wholly or in part, or its process died; after its last retry.
  recovered,         ///< The job has succeeded after a failure or a refusal that was told.
  missed,            ///< Ticks that did not fire because nothing ran; several are told of in one.
  late,              ///< A start that came later than `start_grace`.
  running_too_long,  ///< A run that is still under way when it should have ended.
  waiting,           ///< A run asks for an approval.
  reminder,          ///< It has been waiting for a day, and another.
  expired,           ///< Nobody has answered in time.
  break_glass,       ///< An administrator has approved against the rule of four eyes.
  refused,           ///< A safeguard (a brake, a freeze, a clock) has refused a run, and nothing failed.
  done,              ///< A run has succeeded. Only where a rule asks for it by name.
  backup_stale,      ///< The newest backup is too old.
  secret_rotated,
};
inline constexpr std::array topics{Topic::failed,           Topic::recovered, Topic::missed,   Topic::late,
                                   Topic::running_too_long, Topic::waiting,   Topic::reminder, Topic::expired,
                                   Topic::break_glass,      Topic::refused,   Topic::done,     Topic::backup_stale,
                                   Topic::secret_rotated};
std::string_view name_of(Topic topic);  ///< "running-too-long"
std::optional<Topic> topic_named(std::string_view name);

/// An incoming webhook of Slack (or of what speaks as Slack does: Mattermost, Rocket.Chat).
struct Slack {
  Secret url{};
};

/// A POST of JSON; signed where there is a key.
struct Webhook {
  Secret url{};
  Secret key{};
};

enum class Tls {
  starttls,  ///< The connection begins in clear, and goes no further unless it can be encrypted.
  tls,       ///< From the first byte ("smtps").
  none
};
struct Email {
  std::vector<std::string> to{};
  std::string from{};
  std::string host{}, port{};
  Tls tls = Tls::starttls;
  std::string user{};
  Secret password{};
};

struct Channel {
  std::string name{};
  std::variant<Slack, Webhook, Email> how{};
  std::string ca_file{};   ///< Certificates (PEM) of a private authority; empty: the system's.
  std::string unusable{};  ///< Why nothing can be sent through it; empty where it can.
  std::string origin{};    ///< "SLACK_WEBHOOK_URL", or its place in a file.
};
/// "slack", "webhook", "email".
std::string_view kind_of(const Channel& channel);

/// Each channel of `channels` is told of `topics` of `jobs`. Several rules may send one thing to a channel: it comes
/// once.
struct Rule {
  std::set<Topic> topics{};
  std::set<std::string> jobs{};      ///< Empty: all.
  std::set<std::string> channels{};  ///< Empty: all.
};

struct Settings {
  std::vector<Channel> channels{};
  std::vector<Rule> rules{};
  /// A failure after another of the same job is told of again after so long. Less than a day, so that a nightly job
  /// that fails every night says so every night.
  std::chrono::seconds repeat{std::chrono::hours{12}};
  std::map<std::string, Secret> pings{};  ///< By job: the URL of a dead-man service.
  std::string environment{};              ///< Where it is told from: "production".
  std::string public_url{};               ///< Of the dashboard, for links; empty: none.

  const Channel* channel(std::string_view name) const;
  bool wants(const Channel& channel, Topic topic, const std::string& job) const;
  /// One line for each channel or ping that cannot be used, and why: for `config check` and `doctor`.
  std::vector<std::string> complaints() const;
};

/// Everything but `done`.
std::set<Topic> default_topics();

/// What the section `notifications` looks like.
Shape notifications_shape();
/// Reads a section that fits it. What is wrong beyond its shape is added to `errors`, each with its place. `jobs`: the
/// names that there are. `path`: makes a path in the file absolute.
Settings read_notifications(const Node& section, std::span<const std::string> jobs,
                            const std::function<std::string(const Node&)>& path, std::vector<Error>& errors);
/// The settings that SLACK_WEBHOOK_URL makes alone.
Settings notifications_of_variable(const std::string& slack_webhook_url);

/// The field `ping` of a job.
Field ping_field();
/// Reads `ping` of each job of a section `jobs`.
std::map<std::string, Secret> read_pings(const Node& jobs, std::vector<Error>& errors);

/// Why `url` is none that something can be posted to; empty where it is. Never holds any of it.
std::string fault_of_url(std::string_view url);

}  // namespace steward::notify
