// What a configuration may say about notifications, and what is said of each mistake.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/config/settings.h"
#include "core/random.h"

namespace steward::app {
namespace {

using notify::Topic;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A folder with a steward.yaml and the environment of a process.
struct Notifications : testing::Test {
  std::string folder = "/tmp/steward-notifications-" + random_hex(6);
  std::map<std::string, std::string> variables{{"STEWARD_STATE_DIR", "/tmp/steward-config-state"}};
  CheckedSettings checked{};

  Notifications() { std::filesystem::create_directories(folder); }
  ~Notifications() override { std::filesystem::remove_all(folder); }

  const notify::Settings& read() {
    checked = check_settings(
        [this](const std::string& name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          return found == variables.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
        },
        folder);
    // No line of `config show`, no note and no error may hold what is secret in these tests.
    for (const Shown& shown : checked.settings.shown) EXPECT_THAT(shown.value, testing::Not(HasSubstr("hush")));
    for (const std::string& note : checked.settings.notes) EXPECT_THAT(note, testing::Not(HasSubstr("hush")));
    for (const Error& error : checked.errors) {
      EXPECT_THAT(error.message, testing::Not(HasSubstr("hush")));
      EXPECT_THAT(error.hint, testing::Not(HasSubstr("hush")));
    }
    return checked.settings.notifications;
  }
  const notify::Settings& read(const std::string& text) {
    std::ofstream(folder + "/steward.yaml") << text;
    variables["STEWARD_CONFIG"] = folder + "/steward.yaml";
    return read();
  }
  /// Without the folder's name.
  std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const Error& error : checked.errors)
      out.push_back(error.message.starts_with(folder) ? error.message.substr(folder.size() + 1) : error.message);
    return out;
  }
  std::string shown(std::string_view name) const {
    for (const Shown& line : checked.settings.shown)
      if (line.name == name) return line.value;
    return "-";
  }
};

TEST_F(Notifications, WithSlackWebhookUrlAloneOneChannelIsToldOfEverythingButDone) {
  variables["SLACK_WEBHOOK_URL"] = "https://hooks.slack.com/services/T0/B0/hush";
  variables["STEWARD_ENV"] = "production";
  variables["STEWARD_PUBLIC_URL"] = "https://ops.example.com/steward";
  const notify::Settings& settings = read();
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_EQ(settings.channels.size(), 1U);
  const notify::Channel& slack = settings.channels[0];
  EXPECT_EQ(slack.name, "slack");
  EXPECT_EQ(slack.unusable, "");
  EXPECT_EQ(std::get<notify::Slack>(slack.how).url.reveal(), "https://hooks.slack.com/services/T0/B0/hush");
  for (const Topic topic : notify::topics)
    EXPECT_EQ(settings.wants(slack, topic, "cleanup"), topic != Topic::done) << notify::name_of(topic);
  EXPECT_EQ(settings.environment, "production");
  EXPECT_EQ(settings.public_url, "https://ops.example.com/steward");
  EXPECT_EQ(shown("SLACK_WEBHOOK_URL"), "***");
}

TEST_F(Notifications, WithoutItThereIsNoChannel) {
  EXPECT_THAT(read().channels, IsEmpty());
  EXPECT_EQ(shown("SLACK_WEBHOOK_URL"), "");
}

TEST_F(Notifications, AFileWithoutTheSectionLeavesItsChannel) {
  variables["SLACK_WEBHOOK_URL"] = "https://hooks.slack.com/services/T0/B0/hush";
  EXPECT_EQ(read("version: 1\n").channels.size(), 1U);
}

TEST_F(Notifications, ASectionInTheFileReplacesIt) {
  variables["SLACK_WEBHOOK_URL"] = "https://hooks.slack.com/services/T0/B0/hush";
  EXPECT_THAT(read("notifications: {repeat: 4h}\n").channels, IsEmpty());
}

TEST_F(Notifications, AWrongSlackWebhookUrlMakesAnUnusableChannelAndNoError) {
  for (const char* wrong :
       {"hush", "hooks.slack.com/hush", "ftp://hush", "https://", "https:///hush", "https://h/hu sh"}) {
    variables["SLACK_WEBHOOK_URL"] = wrong;
    const notify::Settings& settings = read();
    EXPECT_THAT(messages(), IsEmpty()) << wrong;
    ASSERT_EQ(settings.channels.size(), 1U);
    EXPECT_THAT(settings.channels[0].unusable, HasSubstr("SLACK_WEBHOOK_URL: it ")) << wrong;
    EXPECT_THAT(checked.settings.notes,
                ElementsAre(HasSubstr("notifications: channel slack is unusable: SLACK_WEBHOOK_URL: it ")));
  }
}

TEST_F(Notifications, InAFileAWrongOneOutOfAVariableIsNoErrorEither) {
  variables["SLACK_WEBHOOK_URL"] = "hush";
  const notify::Settings& settings = read("notifications: {channels: {ops: {slack: \"${SLACK_WEBHOOK_URL}\"}}}\n");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(settings.channels.at(0).unusable,
            "slack (variable SLACK_WEBHOOK_URL): it does not begin with https:// or http://");
}

TEST_F(Notifications, AnAddressThatIsEmptyOrAKeyThatIsMakesItsChannelUnusable) {
  const notify::Settings& settings = read(R"(
notifications:
  channels:
    ops: {slack: "${SLACK_WEBHOOK_URL:-}"}
    audit: {webhook: "https://audit.example.com", secret: "${AUDIT_KEY:-}"}
)");
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_EQ(settings.channels.size(), 2U);
  EXPECT_EQ(settings.channels[0].unusable, "slack is empty: there is no address to post to");
  EXPECT_EQ(settings.channels[1].unusable, "secret is empty: nothing could be signed");
}

TEST_F(Notifications, EachKindOfChannelIsReadWithItsDefaults) {
  variables["KEY"] = "hush";
  std::ofstream(folder + "/password") << "hush\n";
  const notify::Settings& settings = read(R"(
notifications:
  channels:
    audit: {webhook: "https://audit.example.com/hush", secret: "${KEY}", ca_bundle: ca.pem}
    oncall:
      email: {to: oncall@example.com, from: steward@example.com, server: "smtp://mail.example.com", user: steward, password: "${file:)" +
                                          folder + R"(/password}"}
    plain: {email: {to: [a@x, b@x], from: s@x, server: "smtp://127.0.0.1:2525", tls: none}}
    tls: {email: {to: [a@x], from: s@x, server: "smtps://mail"}}
  repeat: 4h
jobs: {cleanup: {ping: "https://hc-ping.com/hush"}}
)");
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_EQ(settings.channels.size(), 4U);
  const auto& audit = std::get<notify::Webhook>(settings.channels[0].how);
  EXPECT_EQ(audit.url.reveal() + ' ' + audit.key.reveal(), "https://audit.example.com/hush hush");
  EXPECT_EQ(settings.channels[0].ca_file, folder + "/ca.pem");
  const auto& oncall = std::get<notify::Email>(settings.channels[1].how);
  EXPECT_EQ(oncall.host + ':' + oncall.port, "mail.example.com:587");
  EXPECT_EQ(oncall.tls, notify::Tls::starttls);
  EXPECT_EQ(oncall.user + ' ' + oncall.password.reveal(), "steward hush");
  const auto& plain = std::get<notify::Email>(settings.channels[2].how);
  EXPECT_THAT(plain.to, ElementsAre("a@x", "b@x"));
  EXPECT_EQ(plain.tls, notify::Tls::none);
  const auto& tls = std::get<notify::Email>(settings.channels[3].how);
  EXPECT_EQ(tls.port, "465");
  EXPECT_EQ(tls.tls, notify::Tls::tls);
  EXPECT_EQ(settings.repeat, std::chrono::hours{4});
  EXPECT_EQ(settings.pings.at("cleanup").reveal(), "https://hc-ping.com/hush");
  EXPECT_EQ(shown("notifications.channels.audit.webhook"), "***");
  EXPECT_EQ(shown("jobs.cleanup.ping"), "***");
}

TEST_F(Notifications, RulesSayWhoIsToldOfWhat) {
  const notify::Settings& settings = read(R"(
notifications:
  channels: {ops: {slack: "https://slack/x"}, oncall: {webhook: "https://x"}}
  rules:
    - {events: [failed, done], jobs: cleanup, channels: oncall}
    - {channels: ops}
)");
  EXPECT_THAT(messages(), IsEmpty());
  const notify::Channel &ops = settings.channels.at(0), &oncall = settings.channels.at(1);
  EXPECT_TRUE(settings.wants(oncall, Topic::failed, "cleanup"));
  EXPECT_TRUE(settings.wants(oncall, Topic::done, "cleanup"));
  EXPECT_FALSE(settings.wants(oncall, Topic::failed, "backup"));
  EXPECT_FALSE(settings.wants(oncall, Topic::late, "cleanup"));
  EXPECT_TRUE(settings.wants(ops, Topic::failed, "backup"));
  EXPECT_FALSE(settings.wants(ops, Topic::done, "cleanup"));
}

/// A mistake below `notifications:` (or a whole text), and the line that a person gets for it.
struct Mistake {
  const char* name;
  const char* text;
  const char* message;
  const char* hint;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

struct WrongNotifications : Notifications, testing::WithParamInterface<Mistake> {};

TEST_P(WrongNotifications, AreToldWithTheirPlace) {
  read(GetParam().text);
  ASSERT_EQ(checked.errors.size(), 1U) << fmt::format("{}", fmt::join(messages(), "\n"));
  EXPECT_EQ(messages()[0], GetParam().message);
  EXPECT_EQ(checked.errors[0].hint, GetParam().hint);
}

const Mistake mistakes[] = {
    {"no_url", "notifications: {channels: {ops: {slack: hush}}}",
     "steward.yaml:1:41: slack: it does not begin with https:// or http://", "Write it like https://host/path."},
    {"no_kind", "notifications: {channels: {ops: {ca_bundle: x}}}",
     "steward.yaml:1:33: channel \"ops\" has to have one of slack, webhook and email, and has none",
     "For example: ops: {slack: \"${SLACK_WEBHOOK_URL}\"}"},
    {"two_kinds", "notifications: {channels: {ops: {slack: \"https://h\", webhook: \"https://h\"}}}",
     "steward.yaml:1:33: channel \"ops\" has to have one of slack, webhook and email, and has several",
     "For example: ops: {slack: \"${SLACK_WEBHOOK_URL}\"}"},
    {"unknown_key", "notifications: {channels: {ops: {slak: \"https://h\"}}}",
     "steward.yaml:1:34: unknown key \"slak\" in channel \"ops\"; expected slack, webhook, secret, email or ca_bundle",
     "Did you mean \"slack\"? For example: slack: ${SLACK_WEBHOOK_URL}"},
    {"a_channels_name", "notifications: {channels: {\"ops team\": {slack: \"https://h\"}}}",
     "steward.yaml:1:28: \"ops team\" cannot be a channel's name", "Use letters, digits and -, as in on-call."},
    {"unknown_event", "notifications: {rules: [{events: [fail]}]}",
     "steward.yaml:1:35: an entry of events is \"fail\": expected failed, recovered, missed, late, running-too-long, "
     "waiting, reminder, expired, break-glass, refused, done, backup-stale or secret-rotated",
     ""},
    {"unknown_job", "notifications: {rules: [{jobs: [clenup]}]}", "steward.yaml:1:33: there is no job \"clenup\"",
     "Did you mean \"cleanup\"?"},
    {"unknown_channel", "notifications: {channels: {ops: {slack: \"https://h\"}}, rules: [{channels: [oops]}]}",
     "steward.yaml:1:76: there is no channel \"oops\"", "Did you mean \"ops\"?"},
    {"repeat_in_months", "notifications: {repeat: 1 month}",
     "steward.yaml:1:25: repeat is a span of time, not calendar months", "Write it like 12h or 7 days."},
    {"a_key_without_a_webhook", "notifications: {channels: {ops: {slack: \"https://h\", secret: hush}}}",
     "steward.yaml:1:62: secret is for a webhook", "Remove it."},
    {"no_mail_server", "notifications: {channels: {ops: {email: {to: [a@x], from: s@x, server: \"https://mail\"}}}}",
     "steward.yaml:1:72: server is no address of a mail server",
     "Write it like smtp://mail.example.com:587 or smtps://mail.example.com:465."},
    {"a_login_in_the_server",
     "notifications: {channels: {ops: {email: {to: [a@x], from: s@x, server: \"smtp://u:hush@mail\"}}}}",
     "steward.yaml:1:72: server holds a login", "Write it into user and password."},
    {"a_password_in_clear",
     "notifications: {channels: {ops: {email: {to: [a@x], from: s@x, server: \"smtp://mail\", user: u, password: hush, "
     "tls: none}}}}",
     "steward.yaml:1:106: with tls: none the password would go out in clear", "Use starttls, or no login."},
    {"half_a_login",
     "notifications: {channels: {ops: {email: {to: [a@x], from: s@x, server: \"smtp://mail\", user: u}}}}",
     "steward.yaml:1:93: there is a user and no password", ""},
    {"smtps_with_starttls",
     "notifications: {channels: {ops: {email: {to: [a@x], from: s@x, server: \"smtps://mail\", tls: starttls}}}}",
     "steward.yaml:1:93: smtps:// is encrypted from the first byte, tls says starttls", "Write smtp:// for starttls."},
    {"no_address", "notifications: {channels: {ops: {email: {to: [anna], from: s@x, server: \"smtp://mail\"}}}}",
     "steward.yaml:1:47: \"anna\" is no mail address", "Write it like oncall@example.com."},
    {"an_address_with_a_line_of_its_own",
     "notifications: {channels: {ops: {email: {to: [\"a@x\\r\\nRCPT TO:<b@x>\"], from: s@x, server: "
     "\"smtp://mail\"}}}}",
     "steward.yaml:1:47: \"a@x\\x0d\\x0aRCPT TO:<b@x>\" is no mail address", "Write it like oncall@example.com."},
    {"no_sender", "notifications: {channels: {ops: {email: {to: [a@x], server: \"smtp://mail\"}}}}",
     "steward.yaml:1:41: email has no from: whom it is from", "For example: from: steward@example.com"},
    {"a_ping_that_is_none", "jobs: {cleanup: {ping: hush}}",
     "steward.yaml:1:24: ping: it does not begin with https:// or http://", "Write it like https://host/path."},
};
INSTANTIATE_TEST_SUITE_P(Config, WrongNotifications, testing::ValuesIn(mistakes),
                         [](const auto& one) { return one.param.name; });

TEST_F(Notifications, TheExampleIsRight) {
  for (const char* name : {"SLACK_WEBHOOK_URL", "AUDIT_WEBHOOK_URL", "PING_CLEANUP_URL"})
    variables[name] = "https://example.com/hush";
  variables["AUDIT_WEBHOOK_SECRET"] = variables["SMTP_PASSWORD"] = "hush";
  std::ifstream example(std::string(STEWARD_SOURCES) + "/examples/config/notifications.yaml");
  const std::string text{std::istreambuf_iterator<char>(example), {}};
  ASSERT_FALSE(text.empty());
  const notify::Settings& settings = read(text);
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_THAT(settings.complaints(), IsEmpty());
  EXPECT_EQ(settings.channels.size(), 3U);
}

TEST_F(Notifications, WithoutAFileTheVariablesOfTheServerCount) {
  variables["STEWARD_LISTEN"] = "off";
  read();
  EXPECT_EQ(checked.settings.serve.listen, "off");
}

}  // namespace
}  // namespace steward::app
