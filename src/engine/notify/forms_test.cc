#include "engine/notify/forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr Instant night = sys_days{2026y / 11 / 23} + 3h;

Message message(std::string title, std::vector<std::string> lines = {}) {
  return {.id = "n-1", .topic = "failed", .at = night, .title = std::move(title), .lines = std::move(lines)};
}

TEST(NotifyForms, SlacksTextCannotMentionAnybodyNorHideALink) {
  Message evil = message("<!channel> a & b", {"<https://evil|click>", "*bold* > quote"});
  evil.verbatim = "``` <@U123>";
  evil.facts = {{"Host", "<!here>"}};
  const json body = json::parse(slack_body(evil));
  for (const json& block : body["blocks"]) {
    if (block["type"] != "section") continue;
    const std::string text = block["text"]["text"];
    EXPECT_THAT(text, Not(HasSubstr("<!"))) << text;
    EXPECT_THAT(text, Not(HasSubstr("<@"))) << text;
    EXPECT_THAT(text, Not(HasSubstr("<https"))) << text;
  }
  EXPECT_EQ(body["text"], "&lt;!channel&gt; a &amp; b: ``` &lt;@U123&gt;");
  // Plain text of a header is not markup, and is not escaped.
  EXPECT_EQ(body["blocks"][0]["text"]["text"], "<!channel> a & b");
  EXPECT_EQ(body["blocks"][2]["text"]["text"], "```\n''' &lt;@U123&gt;\n```");
  EXPECT_EQ(body["blocks"][3]["elements"][0]["text"], "Host: &lt;!here&gt;");
}

TEST(NotifyForms, SlacksLimitsAreKeptWhateverTheLength) {
  for (const char* filling : {"x", "&", "ü", "💥", "`"}) {
    std::string lengthy;
    while (lengthy.size() < 20'000) lengthy += filling;
    Message big = message(lengthy, std::vector<std::string>(100, lengthy));
    big.verbatim = lengthy;
    big.command = lengthy;
    big.link = "https://ops.example.com/";
    big.facts = {{"Run", lengthy}};
    const std::string text = slack_body(big);
    EXPECT_TRUE(is_utf8(text));
    const json body = json::parse(text);
    EXPECT_LE(body["blocks"].size(), 50U);
    EXPECT_LE(body["text"].get<std::string>().size(), 4000U);
    for (const json& block : body["blocks"]) {
      const std::string inside = block.contains("text") ? block["text"]["text"] : block["elements"][0]["text"];
      EXPECT_LE(inside.size(), block["type"] == "header" ? 150U : 3000U);
      // What there is room for is used, and no entity is cut in half.
      if (!inside.starts_with('<')) {
        EXPECT_GE(inside.size(), block["type"] == "header" ? 140U : 2980U);
      }
      if (*filling == '&' && block["type"] == "section" && !inside.starts_with('<')) {
        const std::size_t end = inside.find("…");
        EXPECT_EQ(inside.substr(end - 5, 5), "&amp;");
      }
    }
  }
}

TEST(NotifyForms, ATitleThatIsCutIsThereWholeBelow) {
  const std::string title(200, 'x');
  const json body = json::parse(slack_body(message(title)));
  EXPECT_EQ(body["blocks"][1]["text"]["text"], title);
}

TEST(NotifyForms, TextIsCutBetweenCharacters) {
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("abcdef", 5), "ab…");
  EXPECT_EQ(cut("aüüü", 6), "aü…");
  EXPECT_EQ(cut("aüüü", 5), "a…");
  EXPECT_EQ(cut("abcdef", 2), "");
}

TEST(NotifyForms, APingKeepsTheEndOfALongLog) {
  Message long_log = message("failed");
  long_log.verbatim = std::string(20'000, 'x') + "\nthe end";
  const std::string body = ping_body(long_log);
  EXPECT_LE(body.size(), 10'000U);
  EXPECT_TRUE(body.starts_with("…"));
  EXPECT_THAT(body, HasSubstr("the end"));
}

TEST(NotifyForms, AMailHasItsHeadersAndLinesOfAtMost76) {
  Message umlaut = message("production: größe = 5 failed", {std::string(200, 'y'), "trailing space ", ".dot", "a=b"});
  const std::string mail =
      mail_text(umlaut, {.from = "steward@example.com", .to = {"a@example.com", "b@example.com"}}, night);
  EXPECT_TRUE(
      mail.starts_with("From: steward@example.com\r\n"
                       "To: a@example.com,\r\n b@example.com\r\n"
                       "Subject: =?UTF-8?B?cHJvZHVjdGlvbjogZ3LDtsOfZSA9IDUgZmFpbGVk?=\r\n"
                       "Date: Mon, 23 Nov 2026 03:00:00 +0000\r\n"
                       "Message-ID: <n-1@example.com>\r\n"
                       "Auto-Submitted: auto-generated\r\n"
                       "MIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                       "production: gr=C3=B6=C3=9Fe =3D 5 failed\r\n"))
      << mail;
  EXPECT_THAT(mail, HasSubstr("\r\ntrailing space=20\r\n.dot\r\na=3Db\r\n"));
  for (const std::string& line : split(mail, '\n')) EXPECT_LE(line.size(), 77U) << line;  // with its CR
}

TEST(NotifyForms, ASubjectCannotBringAHeaderOfItsOwn) {
  const std::string mail = mail_text(message("a\r\nBcc: evil@example.com"), {.from = "s@x", .to = {"a@x"}}, night);
  EXPECT_THAT(mail, HasSubstr("\r\nSubject: a  Bcc: evil@example.com\r\n"));
}

TEST(NotifyForms, ALongSubjectIsEncodedInWordsOfWholeCharacters) {
  std::string title;
  for (int i = 0; i < 60; ++i) title += "ü";
  const std::string mail = mail_text(message(title), {.from = "s@x", .to = {"a@x"}}, night);
  const std::string subject =
      mail.substr(mail.find("Subject: ") + 9, mail.find("\r\nDate") - mail.find("Subject: ") - 9);
  std::string decoded;
  for (const std::string& word : split(subject, '\n')) {
    const std::size_t begin = word.find("?B?") + 3;
    EXPECT_LE(word.size(), 77U);
    const auto part = from_base64(word.substr(begin, word.find("?=", begin) - begin));
    ASSERT_TRUE(part) << word;
    EXPECT_TRUE(is_utf8(*part));
    decoded += *part;
  }
  EXPECT_EQ(decoded, title);
}

TEST(NotifyForms, ASignatureIsOverTheTimeAndTheBody) {
  // echo -n '1795402800.{"a":1}' | openssl dgst -sha256 -hmac key
  EXPECT_EQ(signature("key", "{\"a\":1}", night),
            "t=1795402800,v1=544ce3a5a0d6939b1b5ea8738eea53e65fd7506bd1b56870c9f70c8570b11828");
}

}  // namespace
}  // namespace steward::notify
