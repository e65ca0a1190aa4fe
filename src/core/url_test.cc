#include "core/url.h"

#include <gtest/gtest.h>

namespace steward {
namespace {
using Query = std::vector<std::pair<std::string, std::string>>;

struct Case {
  std::string text;
  std::string scheme{}, user{}, password{}, host{}, port{}, path{};
  Query query{};
};
const Case cases[] = {
    {"postgresql://app@db/shop", "postgresql", "app", "", "db", "", "shop"},
    {"postgresql://app:pw@db.example:5433/shop?sslmode=require",
     "postgresql",
     "app",
     "pw",
     "db.example",
     "5433",
     "shop",
     {{"sslmode", "require"}}},
    {"PostgreSQL+asyncpg://h/app", "postgresql+asyncpg", "", "", "h", "", "app"},
    {"postgres://h", "postgres", "", "", "h", "", ""},
    {"postgres://h/", "postgres", "", "", "h", "", ""},
    {"postgres:///app?host=/run/postgresql", "postgres", "", "", "", "", "/app", {{"host", "/run/postgresql"}}},
    {"postgres://u:p%40ss%2Fw%3Ard%25@h/d", "postgres", "u", "p@ss/w:rd%", "h", "", "d"},
    {"postgres://u:p@ss@h/d", "postgres", "u", "p@ss", "h", "", "d"},
    {"postgres://u:a:b@h/d", "postgres", "u", "a:b", "h", "", "d"},
    {"postgres://u:@h/d", "postgres", "u", "", "h", "", "d"},
    {"postgres://@h/d", "postgres", "", "", "h", "", "d"},
    {"postgres://[::1]:5432/d", "postgres", "", "", "::1", "5432", "d"},
    {"postgres://[::1]/d", "postgres", "", "", "::1", "", "d"},
    {"postgres://%2Frun%2Fpostgresql/d", "postgres", "", "", "/run/postgresql", "", "d"},
    {"postgres://h:/d", "postgres", "", "", "h", "", "d"},
    {"file:///var/x", "file", "", "", "", "", "/var/x"},
    {"file:///", "file", "", "", "", "", "/"},
    {"sqlite:///app.db", "sqlite", "", "", "", "", "/app.db"},
    {"sqlite:////var/app.db", "sqlite", "", "", "", "", "//var/app.db"},
    {"s3://bucket/pre/fix/", "s3", "", "", "bucket", "", "pre/fix/"},
    {"s3://bucket/a%20b", "s3", "", "", "bucket", "", "a b"},
    {"x://h/p?a&b=&c=1=2&&a=%26", "x", "", "", "h", "", "p", {{"a", ""}, {"b", ""}, {"c", "1=2"}, {"a", "&"}}},
    {"x://h?a=b", "x", "", "", "h", "", "", {{"a", "b"}}},
};
TEST(Url, IsReadIntoItsParts) {
  for (const Case& row : cases) {
    const auto url = parse_url(row.text);
    ASSERT_TRUE(url) << row.text << ": " << url.error().message;
    EXPECT_EQ(url->scheme, row.scheme) << row.text;
    EXPECT_EQ(url->user, row.user) << row.text;
    EXPECT_EQ(url->password.reveal(), row.password) << row.text;
    EXPECT_EQ(url->host, row.host) << row.text;
    EXPECT_EQ(url->port, row.port) << row.text;
    EXPECT_EQ(url->path, row.path) << row.text;
    EXPECT_EQ(url->query, row.query) << row.text;
  }
}

struct WrongCase {
  std::string text, message;
};
TEST(Url, WhatIsNoneSaysWhyWithoutThePassword) {
  const WrongCase table[] = {
      {"", "\"\" is not a URL: it has no scheme"},
      {"shop", "\"shop\" is not a URL: it has no scheme"},
      {"/var/x", "\"/var/x\" is not a URL: it has no scheme"},
      {"://h", "\"://h\" is not a URL: it has no scheme"},
      {"post gres://h", "\"post gres://h\" is not a URL: its scheme has a character that none may have"},
      {"p://u:hunter2@h:port/d", "\"p://u:***@h:port/d\" is not a URL: its port is not a number up to 65535"},
      {"p://u:hunter2@h:99999/d", "\"p://u:***@h:99999/d\" is not a URL: its port is not a number up to 65535"},
      {"p://u:hunter2%@h/d",
       "\"p://u:***@h/d\" is not a URL: a percent sign is not followed by two hexadecimal digits"},
      {"p://h/%zz", "\"p://h/%zz\" is not a URL: a percent sign is not followed by two hexadecimal digits"},
      {"p://[::1/d", "\"p://[::1/d\" is not a URL: its [ is not closed"},
      {"p://[::1]5432/d", "\"p://[::1]5432/d\" is not a URL: something other than a port follows its ]"},
      {"p://u:hunter/2@h/d", "\"p://u:***@h/d\" is not a URL: its port is not a number up to 65535"},
  };
  for (const WrongCase& row : table) {
    const auto url = parse_url(row.text);
    ASSERT_FALSE(url) << row.text;
    EXPECT_EQ(url.error().kind, Kind::bad_input);
    EXPECT_EQ(url.error().message, row.message);
    EXPECT_EQ(url.error().hint.find("hunter"), std::string::npos);
  }
}

TEST(Masked, ShowsThePasswordNowhereAndTheRestAsItWas) {
  const WrongCase table[] = {
      {"postgres://u:pw@h:1/d?x=1", "postgres://u:***@h:1/d?x=1"},
      {"postgres://u@h/d", "postgres://u@h/d"},
      {"postgres://h:5432/d", "postgres://h:5432/d"},
      {"postgres://u:@h/d", "postgres://u:***@h/d"},
      {"u:pw@h/d", "u:***@h/d"},
      {"x://h/p?password=pw&a=1", "x://h/p?password=***&a=1"},
      {"x://h/p?a=1&sslpassword=pw", "x://h/p?a=1&sslpassword=***"},
      {"x://h?X-Amz-Signature=abc&X-Amz-Credential=id", "x://h?X-Amz-Signature=***&X-Amz-Credential=***"},
      {"x://h?TOKEN=abc", "x://h?TOKEN=***"},
      {"x://h:1/d?user=a@b&password=pw", "x://h:***@b&password=***"},
      {"x://h:1/d?a@password=pw&a=1", "x://h:***@password=***&a=1"},
      {"jdbc:x://h/d?user=a@b&password=pw", "jdbc:***@b&password=***"},
      {"x://u:p?a=b@h/d?password=pw", "x://u:***@h/d?password=***"},
      {"s3://bucket/a@b", "s3://bucket/a@b"},
      {"x://h:1/d?mail=a@b", "x://h:***@b"},  // too much, to be safe
      {"", ""},
  };
  for (const WrongCase& row : table) EXPECT_EQ(masked(row.text), row.message);
}

TEST(Masked, NoShapeOfAUrlLetsThePasswordThrough) {
  const std::string secrets[] = {"hunter2",  "hun/ter2", "hun?ter2",   "hun#ter2", "hun@ter2", "hun:ter2", "hun%ter2",
                                 "hun&ter2", "hun=ter2", "@hunter2",   "/hunter2", "?hunter2", "#hunter2", "hunter2@",
                                 "hunter2/", "hunter2?", "a/b@c?d#e&", "//hunter", "hun ter2", "[hunter]", "://hunter"};
  const std::pair<std::string, std::string> around[] = {
      {"postgres://u:", "@h/d"},
      {"postgres://u:", "@h:5432/d?sslmode=require"},
      {"postgres://u:", "@h"},
      {"postgresql+asyncpg://u:", "@h/d"},
      {"postgres://:", "@h/d"},
      {"postgres://u:", "@[::1]:1/d"},
      {"POSTGRES://u:", "@h/d"},
      {"postgres://u%40x:", "@h/d?a=b@c"},
      {"u:", "@h/d"},
      {"postgres:/u:", "@h/d"},
      {"postgres:u:", "@h/d"},
      {"//u:", "@h/d"},
  };
  for (const auto& [front, back] : around)
    for (const std::string& secret : secrets) {
      if (front == "u:" && secret.starts_with("//")) continue;  // "u://hunter@h": a URL without a password
      const std::string shown = masked(front + secret + back);
      // No run of four of its characters is left.
      for (std::size_t at = 0; at + 4 <= secret.size(); ++at)
        EXPECT_EQ(shown.find(secret.substr(at, 4)), std::string::npos) << front + secret + back << " -> " << shown;
    }
  for (const std::string name : {"password", "PASSWORD", "secret", "token", "key", "sslpassword", "pass%77ord", "pwd"})
    EXPECT_EQ(masked("x://h/d?" + name + "=hunter2"), "x://h/d?" + name + "=***");
}

TEST(Percent, DecodesAndEncodes) {
  EXPECT_EQ(percent_decode("a%20b%2Fc%2f%00").value(), std::string("a b/c/\0", 7));
  EXPECT_EQ(percent_decode("a+b").value(), "a+b");
  for (const std::string bad : {"%", "%1", "a%", "%zz", "%1g", "%%20"}) EXPECT_FALSE(percent_decode(bad)) << bad;
  EXPECT_EQ(percent_encode("a b/c~._-é+*", false), "a%20b%2Fc~._-%C3%A9%2B%2A");
  EXPECT_EQ(percent_encode("a b/c", true), "a%20b/c");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decode(percent_encode(all, false)).value(), all);
}

}  // namespace
}  // namespace steward
