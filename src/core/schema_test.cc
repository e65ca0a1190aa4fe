#include "core/schema.h"

#include <gtest/gtest.h>

#include "core/document.h"

namespace steward {
namespace {

Node text(std::string value) { return {.kind = Node::Kind::scalar, .text = std::move(value)}; }
Node map(std::vector<std::pair<std::string, Node>> entries) {
  Node node{.kind = Node::Kind::map};
  for (auto& [key, value] : entries) node.members.push_back({.key = key, .at = {}, .value = std::move(value)});
  return node;
}
std::string shown(const Node& node) {
  if (node.kind == Node::Kind::scalar) return node.text;
  std::string out = "{";
  for (const Member& member : node.members) out += member.key + ":" + shown(member.value) + " ";
  for (const Node& item : node.items) out += shown(item) + " ";
  return out + "}";
}

TEST(Merged, LaysMapsOverMapsKeyByKeyAndReplacesTheRest) {
  const Node under = map({{"a", text("1")}, {"b", map({{"x", text("2")}, {"y", text("3")}})}});
  const Node over = map({{"b", map({{"y", text("4")}, {"z", text("5")}})}, {"c", text("6")}});
  EXPECT_EQ(shown(merged(under, over)), "{a:1 b:{x:2 y:4 z:5 } c:6 }");
  EXPECT_EQ(shown(merged(under, Node{})), shown(under));
  EXPECT_EQ(shown(merged(under, map({{"b", text("gone")}}))), "{a:1 b:gone }");
}

TEST(ParseShare, ReadsPercentAndFractionsAboveZeroUpToOne) {
  EXPECT_EQ(parse_share("90 %"), 0.9);
  EXPECT_EQ(parse_share("90%"), 0.9);
  EXPECT_EQ(parse_share("0.25"), 0.25);
  EXPECT_EQ(parse_share("1"), 1.0);
  for (const char* wrong : {"0", "0 %", "-1 %", "101 %", "1.5", "", "%", "ninety", "nan", "5 % of it"})
    EXPECT_FALSE(parse_share(wrong)) << wrong;
}

TEST(Check, WritesShorthandsOut) {
  const Shape shape = record("thing",
                             {{.key = "url", .what = "", .shape = scalar(Scalar::text), .required = true},
                              {.key = "many", .what = "", .shape = list_of(scalar(Scalar::text))}},
                             "url");
  std::vector<Error> errors;
  Node one = text("s3://x");
  check(one, shape, "thing", errors);
  EXPECT_EQ(shown(one), "{url:s3://x }");
  Node two = map({{"url", text("a")}, {"many", text("b")}});
  check(two, shape, "thing", errors);
  EXPECT_EQ(shown(two), "{url:a many:{b } }") << "a single one stands for a list of one";
  EXPECT_TRUE(errors.empty());
}

}  // namespace
}  // namespace steward
