#include "app/config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace steward::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Yaml : testing::Test {
  std::map<std::string, std::string> variables{{"NAME", "value"}, {"EMPTY", ""}};
  std::vector<Error> errors{};

  Node read(const std::string& text) {
    return parse_yaml(
        text, "steward.yaml",
        [this](const std::string& name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          return found == variables.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
        },
        errors);
  }
  std::string value(const std::string& scalar) { return read("key: " + scalar).text_at("key"); }
  std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const Error& error : errors) out.push_back(error.message);
    return out;
  }
};

TEST_F(Yaml, ValuesHaveTheirPlaces) {
  const Node node = read("one: 1\ntwo:\n  three: x\n");
  EXPECT_EQ(text_of(node.find("one")->at), "steward.yaml:1:6");
  EXPECT_EQ(text_of(node.find("two")->find("three")->at), "steward.yaml:3:10");
  EXPECT_EQ(text_of(node.members[1].at), "steward.yaml:2:1");
}

TEST_F(Yaml, VariablesStandForValues) {
  EXPECT_EQ(value("a-${NAME}-b"), "a-value-b");
  EXPECT_EQ(value("\"${NAME}\""), "value");
  EXPECT_EQ(value("${ABSENT:-fallback}"), "fallback");
  EXPECT_EQ(value("${EMPTY:-fallback}"), "fallback");
  EXPECT_EQ(value("${NAME:-fallback}"), "value");
  EXPECT_EQ(value("costs $$5 ${NAME}"), "costs $5 value");
  EXPECT_EQ(value("a $ alone"), "a $ alone");
  EXPECT_TRUE(errors.empty());
}

TEST_F(Yaml, AVariableOfAnEmptyDefaultLeavesTheKeyUnset) {
  EXPECT_EQ(read("key: ${ABSENT:-}").find("key"), nullptr);
  EXPECT_TRUE(errors.empty());
}

TEST_F(Yaml, AValueOfAVariableIsNotReadAsYaml) {
  variables["NAME"] = "a: {b: ${OTHER}}";
  EXPECT_EQ(value("${NAME}"), "a: {b: ${OTHER}}");
}

TEST_F(Yaml, WhatIsNotSetIsAnErrorWithItsPlace) {
  read("a: 1\nb: ${ABSENT}\nc: ${EMPTY}\nd: ${1X}\ne: ${NAME\n");
  EXPECT_THAT(
      messages(),
      ElementsAre("steward.yaml:2:4: the variable ABSENT is not set", "steward.yaml:3:4: the variable EMPTY is not set",
                  "steward.yaml:4:4: ${1X} names no variable", "steward.yaml:5:4: \"${\" has no \"}\""));
}

TEST_F(Yaml, AFilesContentStandsForAValueWithoutItsLastNewline) {
  const std::string file = std::filesystem::temp_directory_path() / "steward-yaml-secret";
  std::ofstream(file) << "p@ss: word\n";
  EXPECT_EQ(value("${file:" + file + "}"), "p@ss: word");
  std::filesystem::remove(file);
  value("${file:" + file + "}");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("No such file or directory")));
}

TEST_F(Yaml, AKeyThatIsThereTwiceIsAnError) {
  read("a: 1\nb: 2\na: 3\n");
  EXPECT_THAT(messages(), ElementsAre("steward.yaml:3:1: the key \"a\" is there twice, first at steward.yaml:1:1"));
}

TEST_F(Yaml, AnchorsAreTakenOverAndTheirPlaceIsLeftOut) {
  const Node node =
      read("x-defaults: &d {age: 30 days, kind: rows}\na:\n  <<: *d\n  age: 60 days\nb: {<<: *d, table: t}\n");
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(node.find("x-defaults"), nullptr);
  EXPECT_EQ(node.find("a")->text_at("age"), "60 days");
  EXPECT_EQ(node.find("a")->text_at("kind"), "rows");
  EXPECT_EQ(node.find("b")->text_at("age"), "30 days");
}

TEST_F(Yaml, ADocumentThatGrowsOutOfAliasesIsRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int n = 0; n < 9; ++n) text += ", " + before;
    text += "]\n";
  }
  read(text);
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("the document is too large")));
}

TEST_F(Yaml, WhatIsNoYamlIsOneErrorWithItsPlace) {
  read("a: 1\nb: [1, 2\nc: 3\n");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0].message, StartsWith("steward.yaml:3:"));
  EXPECT_THAT(errors[0].message, HasSubstr("this is not YAML"));
}

TEST_F(Yaml, AQuotedTextIsKnownFromANumber) {
  const Node node = read("a: 1\nb: \"1\"\nc: '1'\n");
  EXPECT_FALSE(node.find("a")->quoted);
  EXPECT_TRUE(node.find("b")->quoted);
  EXPECT_TRUE(node.find("c")->quoted);
}

}  // namespace
}  // namespace steward::app
