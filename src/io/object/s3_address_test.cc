#include "io/object/s3_address.h"

#include <gtest/gtest.h>

namespace steward::object {
namespace {

struct AddressCase {
  const char* name;
  std::string url;
  S3Settings settings;
  std::string expected;  ///< Of the key "a b/../c" below the root.
};
struct S3AddressOf : testing::TestWithParam<AddressCase> {};
TEST_P(S3AddressOf, Is) {
  const auto address = s3_address(GetParam().url, GetParam().settings);
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->scheme + "://" + address->host + address->path_of(address->root + "a b/../c"),
            GetParam().expected);
}
const AddressCase cases[] = {
    {"aws", "s3://shots", {.region = "eu-west-1"}, "https://shots.s3.eu-west-1.amazonaws.com/a%20b/../c"},
    {"aws_without_a_region", "s3://shots", {}, "https://shots.s3.us-east-1.amazonaws.com/a%20b/../c"},
    {"aws_in_china", "s3://shots", {.region = "cn-north-1"}, "https://shots.s3.cn-north-1.amazonaws.com.cn/a%20b/../c"},
    {"aws_with_a_dot", "s3://my.shots", {}, "https://s3.us-east-1.amazonaws.com/my.shots/a%20b/../c"},
    {"path_style", "s3://shots", {.endpoint = "http://127.0.0.1:9000"}, "http://127.0.0.1:9000/shots/a%20b/../c"},
    {"virtual_host",
     "s3://shots",
     {.endpoint = "https://s3.example.net", .virtual_host = true},
     "https://shots.s3.example.net/a%20b/../c"},
    {"own_port", "s3://shots", {.endpoint = "https://s3.example.net:443/"}, "https://s3.example.net/shots/a%20b/../c"},
    {"other_port",
     "s3://shots",
     {.endpoint = "https://s3.example.net:80"},
     "https://s3.example.net:80/shots/a%20b/../c"},
    {"ipv6", "s3://shots", {.endpoint = "http://[::1]:9000"}, "http://[::1]:9000/shots/a%20b/../c"},
    {"endpoint_with_a_path", "s3://shots", {.endpoint = "http://h/s3/"}, "http://h/s3/shots/a%20b/../c"},
    {"prefix", "s3://shots/cold", {.endpoint = "http://h"}, "http://h/shots/cold/a%20b/../c"},
    {"prefix_with_a_slash", "s3://shots/cold/", {.endpoint = "http://h"}, "http://h/shots/cold/a%20b/../c"},
    {"prefix_that_begins_with_a_slash",
     "s3://shots//cold",
     {.endpoint = "http://h"},
     "http://h/shots//cold/a%20b/../c"},
};
INSTANTIATE_TEST_SUITE_P(Object, S3AddressOf, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(S3Address, OfTheBucketItselfHasNoKey) {
  EXPECT_EQ(s3_address("s3://shots", {.endpoint = "http://h"})->path_of(""), "/shots");
  EXPECT_EQ(s3_address("s3://shots", {})->path_of(""), "/");
}

TEST(S3Address, OneBucketHasOneIdentityHoweverItIsAddressed) {
  const auto identity = [](const char* url, const S3Settings& settings) { return s3_address(url, settings)->identity; };
  EXPECT_EQ(identity("s3://shots/cold", {.endpoint = "http://h:9000"}), "h:9000/shots/cold/");
  EXPECT_EQ(identity("s3://shots/cold/", {.endpoint = "http://h:9000", .virtual_host = true}), "h:9000/shots/cold/");
  EXPECT_EQ(identity("s3://shots", {.region = "eu-west-1"}), "aws/shots/");
  EXPECT_EQ(identity("s3://shots", {.endpoint = "https://s3.eu-west-2.amazonaws.com"}), "aws/shots/");
}

TEST(S3Address, WhatIsNoBucketIsBadInputInOneLine) {
  EXPECT_EQ(s3_address("s3://a", {}).error(),
            (Error{Kind::bad_input, "\"a\" is not the name of a bucket",
                   "Buckets have three characters or more: letters, digits, dots and hyphens."}));
  for (const char* url : {"s3://", "s3:///key", "s3://sh ots", "s3://user:secret@shots", "s3://shots?x=1",
                          "s3://shots:80", "http://shots"}) {
    const auto address = s3_address(url, {});
    ASSERT_FALSE(address) << url;
    EXPECT_EQ(address.error().kind, Kind::bad_input);
    EXPECT_FALSE(address.error().message.contains("secret"));
  }
}

TEST(S3Address, WhatIsNoEndpointIsBadInputAndShowsNoPassword) {
  for (const char* endpoint : {"127.0.0.1:9000", "ftp://h", "http://", "http://AK:secret@h", "http://h?secret=1"}) {
    const auto address = s3_address("s3://shots", {.endpoint = endpoint});
    ASSERT_FALSE(address) << endpoint;
    EXPECT_EQ(address.error().kind, Kind::bad_input);
    EXPECT_EQ(address.error().hint, "Write AWS_ENDPOINT_URL like https://s3.example.net or http://127.0.0.1:9000.");
    EXPECT_FALSE(address.error().message.contains("AK:secret"));
  }
}

}  // namespace
}  // namespace steward::object
