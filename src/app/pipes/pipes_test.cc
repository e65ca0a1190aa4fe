#include "app/pipes/pipes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/pipes/captured_output.h"

namespace steward::pipes {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

json plain_context() {
  return {{"asset_keys", nullptr},
          {"code_version_by_asset_key", nullptr},
          {"provenance_by_asset_key", nullptr},
          {"partition_key", nullptr},
          {"partition_key_range", nullptr},
          {"partition_time_window", nullptr},
          {"run_id", "8c1f0a2b"},
          {"job_name", "cleanup_job"},
          {"retry_number", 0},
          {"extras", json::object()}};
}

json context_of(const std::vector<std::string>& assets) {
  json out = plain_context();
  out["asset_keys"] = assets;
  return out;
}

/// Buckets in memory, which may be told to fail, and waited for.
class Buckets final : public Objects {
 public:
  Result<std::string> get(const std::string& bucket, const std::string& key) override {
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(bucket + "/" + key);
    if (found == objects_.end()) return fail(Kind::not_found, "no such object");
    return found->second;
  }
  Result<void> put(const std::string& bucket, const std::string& key, const std::string& content) override {
    const std::scoped_lock lock(mutex_);
    if (failures_ > 0) {
      --failures_;
      return fail(Kind::unavailable, "no answer");
    }
    objects_[bucket + "/" + key] = content;
    changed_.notify_all();
    return {};
  }
  void fail_next(int times) { failures_ = times; }
  void wait_for(const std::string& name) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return objects_.contains(name); });
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& [name, content] : objects_) out.push_back(name);
    return out;
  }

 private:
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::map<std::string, std::string> objects_{};
  int failures_ = 0;
};

std::vector<json> messages_in(const std::string& text) {
  std::vector<json> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
  return out;
}

class Pipes : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pipes-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "messages").string(); }
  std::string text() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<json> messages() const { return messages_in(text()); }

  Bootstrap bootstrap(const json& context, json messages = {}) const {
    if (messages.is_null()) messages = {{"path", path()}};
    return {.context = encode({{"data", context}}), .messages = encode(messages)};
  }
  Result<std::unique_ptr<Session>> opened(const json& context, json messages = {}) const {
    return Session::open({.bootstrap = bootstrap(context, std::move(messages))});
  }

  fs::path folder_{};
};

TEST_F(Pipes, WithoutDagsterTheSessionIsThereAndDoesNothing) {
  const auto session = Session::open({});
  ASSERT_TRUE(session);
  EXPECT_FALSE((*session)->is_active());
  EXPECT_FALSE((*session)->context());
  EXPECT_TRUE((*session)->log(LogLevel::info, "x"));
  EXPECT_TRUE((*session)->report_materialization({}));
  EXPECT_TRUE((*session)->report_check({}));
  EXPECT_TRUE((*session)->report_custom_message(1));
  EXPECT_TRUE((*session)->close());
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(Pipes, ParametersComeBackAsTheyWereEncoded) {
  const json value{{"data", {{"n", 1}, {"text", "\xc3\xa4\n"}}}};
  const auto back = decode(encode(value));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, value);
}

TEST_F(Pipes, WhatDagsterEncodedIsDecodedAndWhatWasCutIsNot) {
  // dagster_pipes.encode_param({"path": "/tmp/x", "include_stdio_in_messages": False})
  const std::string given = "eJyrVipILMlQslJQ0i/JLdCvUNJRUMrMS84pTUmNLy5JycyPz8yLz00tLk5MTy0GKktLzClOrQUA77oS9w==";
  const auto value = decode(given);
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(*value, (json{{"path", "/tmp/x"}, {"include_stdio_in_messages", false}}));
  const auto cut = decode(given.substr(0, 40));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().kind, Kind::bad_input);
}

struct BrokenParameter {
  std::string name, text, why;
};
class BrokenParameters : public testing::TestWithParam<BrokenParameter> {};
TEST_P(BrokenParameters, AreRefusedWithWhatIsWrongOfThem) {
  const auto session = Session::open({.bootstrap = {.context = GetParam().text, .messages = encode(json::object())}});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().kind, Kind::bad_input);
  EXPECT_EQ(session.error().message, GetParam().why);
}
INSTANTIATE_TEST_SUITE_P(
    Pipes, BrokenParameters,
    testing::Values(
        BrokenParameter{"not_base64", "?", "DAGSTER_PIPES_CONTEXT: it is not base64"},
        BrokenParameter{"not_zlib", "eA==", "DAGSTER_PIPES_CONTEXT: it is not whole, or not zlib's"},
        BrokenParameter{"no_object", encode(json(1)), "Dagster's parameters for the context are not an object"},
        BrokenParameter{"elsewhere", encode(json{{"volume", "x"}}),
                        "Dagster's context is in a place that is not known here"},
        BrokenParameter{"no_run", encode(json{{"data", json::object()}}), "Dagster's context names no run"}),
    [](const auto& each) { return each.param.name; });

TEST_F(Pipes, ArgumentsComeBeforeVariablesAndBothAreTakenAway) {
  ::setenv("DAGSTER_PIPES_CONTEXT", "variable", 1);
  ::setenv("DAGSTER_PIPES_MESSAGES", "variable", 1);
  ::setenv("DAGSTER_PIPES_LATER", "variable", 1);
  std::vector<std::string> arguments{"run", "--dagster-pipes-context", "flag", "cleanup", "--json"};
  const Bootstrap taken = take_bootstrap(arguments);
  EXPECT_EQ(taken.context, "flag");
  EXPECT_EQ(taken.messages, "variable");
  EXPECT_EQ(arguments, (std::vector<std::string>{"run", "cleanup", "--json"}));
  for (const char* name : {"DAGSTER_PIPES_CONTEXT", "DAGSTER_PIPES_MESSAGES", "DAGSTER_PIPES_LATER"})
    EXPECT_EQ(std::getenv(name), nullptr) << name;
}

TEST_F(Pipes, TheContextIsReadFromAFileFromTheParameterAndFromABucket) {
  const json document = context_of({"steward/cleanup/purge-logs"});
  std::ofstream(folder_ / "context.json") << document.dump();
  Buckets buckets;
  ASSERT_TRUE(buckets.put("runs", "1/context.json", document.dump()));
  for (const json& place : {json{{"path", (folder_ / "context.json").string()}}, json{{"data", document}},
                            json{{"bucket", "runs"}, {"key", "1/context.json"}}}) {
    const auto session = Session::open(
        {.bootstrap = {.context = encode(place), .messages = encode({{"path", path()}})}, .objects = &buckets});
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_EQ((*session)->context()->run_id, "8c1f0a2b");
    EXPECT_EQ((*session)->context()->asset_keys, std::vector<std::string>{"steward/cleanup/purge-logs"});
  }
}

TEST_F(Pipes, AContextThatIsNotThereIsAnErrorThatNamesIt) {
  const auto session =
      Session::open({.bootstrap = {.context = encode({{"path", "/nowhere/context"}}), .messages = encode({})}});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().kind, Kind::not_found);
  EXPECT_EQ(session.error().message, "cannot read Dagster's context /nowhere/context: No such file or directory");
}

TEST_F(Pipes, TheContextHasAllThatDagsterSays) {
  json document = context_of({"a/b", "c"});
  document["code_version_by_asset_key"] = {{"a/b", "v1"}, {"c", nullptr}};
  document["provenance_by_asset_key"] = {
      {"a/b", {{"code_version", "v0"}, {"input_data_versions", {{"c", "d1"}}}, {"is_user_provided", true}}},
      {"c", nullptr}};
  document["partition_key"] = "2026-11-29";
  document["partition_key_range"] = {{"start", "2026-11-29"}, {"end", "2026-11-30"}};
  document["partition_time_window"] = {{"start", "2026-11-29T00:00:00+00:00"}, {"end", "2026-11-30T00:00:00+00:00"}};
  document["retry_number"] = 2;
  document["extras"] = {{"n", {1, 2}}};
  document["of_later_versions"] = 1;
  const auto context = context_from(document);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->code_versions.at("a/b"), "v1");
  EXPECT_FALSE(context->code_versions.at("c"));
  EXPECT_EQ(context->provenance.at("a/b")->input_data_versions.at("c"), "d1");
  EXPECT_TRUE(context->provenance.at("a/b")->is_user_provided);
  EXPECT_FALSE(context->provenance.at("c"));
  EXPECT_EQ(context->partition_key, "2026-11-29");
  EXPECT_EQ(context->partition_key_range->end, "2026-11-30");
  EXPECT_EQ(context->partition_time_window->start, "2026-11-29T00:00:00+00:00");
  EXPECT_EQ(context->retry_number, 2);
  EXPECT_EQ(json::parse(context->extras), (json{{"n", {1, 2}}}));
}

TEST_F(Pipes, EachMessageHasTheKeysThatDagsterReadsAndNoOthers) {
  auto session = opened(context_of({"steward/a"}));
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_TRUE((*session)->log(LogLevel::critical, "m"));
  EXPECT_TRUE((*session)->report_materialization({.data_version = "7", .metadata = Metadata().integer("rows", 3)}));
  EXPECT_TRUE((*session)->report_check({.name = "plan", .passed = false, .severity = Severity::warn}));
  EXPECT_TRUE((*session)->report_custom_message({{"run", "r"}}));
  EXPECT_TRUE((*session)->log_external_stream("stderr", "half a li"));
  EXPECT_TRUE((*session)->close());
  const auto message = [](std::string_view method, const json& params) {
    return json{{"__dagster_pipes_version", "0.1"}, {"method", method}, {"params", params}};
  };
  const std::vector<json> expected{
      message("opened", {{"extras", json::object()}}),
      message("log", {{"message", "m"}, {"level", "CRITICAL"}}),
      message("report_asset_materialization", {{"asset_key", "steward/a"},
                                               {"data_version", "7"},
                                               {"metadata", {{"rows", {{"raw_value", 3}, {"type", "int"}}}}}}),
      message("report_asset_check", {{"asset_key", "steward/a"},
                                     {"check_name", "plan"},
                                     {"passed", false},
                                     {"severity", "WARN"},
                                     {"metadata", nullptr}}),
      message("report_custom_message", {{"payload", {{"run", "r"}}}}),
      message("log_external_stream", {{"stream", "stderr"}, {"text", "half a li"}, {"extras", json::object()}}),
      message("closed", json::object())};
  EXPECT_EQ(messages(), expected);
}

TEST_F(Pipes, AnExceptionIsToldWithItsCausesAndAllFiveKeysOfEach) {
  auto session = opened(plain_context());
  ASSERT_TRUE(session);
  const Exception first{.name = "Unavailable", .message = "no answer", .stack = {"in connect\n"}};
  EXPECT_TRUE((*session)->close(
      Exception{.name = "Failed", .message = "the run failed", .cause = std::make_shared<const Exception>(first)}));
  EXPECT_EQ(messages().back().at("params"), (json{{"exception",
                                                   {{"message", "the run failed"},
                                                    {"stack", json::array()},
                                                    {"name", "Failed"},
                                                    {"context", nullptr},
                                                    {"cause",
                                                     {{"message", "no answer"},
                                                      {"stack", {"in connect\n"}},
                                                      {"name", "Unavailable"},
                                                      {"context", nullptr},
                                                      {"cause", nullptr}}}}}}));
}

TEST_F(Pipes, WhoLeavesWithoutAWordIsClosedAndNothingComesAfterThat) {
  {
    auto session = opened(plain_context());
    ASSERT_TRUE(session);
    EXPECT_TRUE((*session)->close());
    EXPECT_TRUE((*session)->close(Exception{.message = "late"}));
    EXPECT_TRUE((*session)->log(LogLevel::info, "late"));
  }
  ASSERT_EQ(messages().size(), 2U);
  EXPECT_EQ(messages().back().at("params"), json::object());
  {
    auto session = opened(plain_context());
  }
  EXPECT_EQ(messages().back().at("method"), "closed");
}

TEST_F(Pipes, WhatDagsterWouldNotTakeIsNotSent) {
  auto session = opened(context_of({"a", "b"}));
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->report_materialization({}).error().message,
            "a materialization names no asset, and the step has 2 of them");
  EXPECT_EQ((*session)->report_check({.asset_key = "c", .name = "n"}).error().message,
            "a check is of c, which is no asset of the step");
  EXPECT_TRUE((*session)->report_materialization({.asset_key = "a"}));
  EXPECT_EQ((*session)->report_materialization({.asset_key = "a"}).error().message, "a was materialized already");
  EXPECT_FALSE((*session)->log_external_stream("stdin", "x"));
  EXPECT_TRUE((*session)->close());
  EXPECT_EQ(messages().size(), 3U);
}

TEST_F(Pipes, AStepWithoutAssetsMayNameAny) {
  auto session = opened(plain_context());
  ASSERT_TRUE(session);
  EXPECT_FALSE((*session)->report_materialization({}));
  EXPECT_TRUE((*session)->report_materialization({.asset_key = "x/y"}));
}

TEST_F(Pipes, MetadataHasTheTypesOfDagsterAndWhatIsNoNumberIsNull) {
  Metadata all;
  all.text("text", "t").url("url", "u").path("path", "p").notebook("notebook", "n").markdown("md", "m");
  all.dagster_run("run", "r").asset("asset", "a/b").integer("int", -1).number("float", 0.5).boolean("bool", true);
  all.null("null").timestamp("timestamp", 1.5).json("json", {{"a", 1}}).infer("infer", {1});
  all.number("nan", std::nan("")).integer("int", 2);
  const json document = all.document();
  const auto type_of = [&](const char* key) { return document.at(key).at("type").get<std::string>(); };
  for (const char* key :
       {"text", "url", "path", "notebook", "md", "asset", "int", "float", "bool", "null", "timestamp", "json"})
    EXPECT_EQ(type_of(key), key);
  EXPECT_EQ(type_of("run"), "dagster_run");
  EXPECT_EQ(type_of("infer"), "__infer__");
  EXPECT_EQ(type_of("nan"), "null");
  EXPECT_EQ(document.at("int").at("raw_value"), 2) << "the last one counts";
}

TEST_F(Pipes, BytesThatAreNotUtf8AreReplacedSoThatTheLineCanBeRead) {
  auto session = opened(plain_context());
  ASSERT_TRUE(session);
  EXPECT_TRUE((*session)->log(LogLevel::info,
                              "a\xff"
                              "b\nc"));
  EXPECT_TRUE((*session)->report_custom_message("\xc3"));
  EXPECT_TRUE((*session)->close());
  EXPECT_EQ(messages().at(1).at("params").at("message"),
            "a\xef\xbf\xbd"
            "b\nc");
}

TEST_F(Pipes, LinesOfManyThreadsAreWholeAndNoneIsMissing) {
  auto session = opened(plain_context());
  ASSERT_TRUE(session);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread)
      threads.emplace_back([&session, thread] {
        for (int i = 0; i < 200; ++i)
          EXPECT_TRUE((*session)->log(LogLevel::debug, fmt::format("{} {} {}", thread, i, std::string(5000, 'x'))));
      });
  }
  EXPECT_TRUE((*session)->close());
  EXPECT_EQ(messages().size(), 1602U);
}

TEST_F(Pipes, AMessageThatCannotBeWrittenIsAnErrorAndNotTheEnd) {
  auto session = opened(plain_context(), {{"path", "/dev/full"}});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().message, "cannot write to /dev/full: No space left on device");
}

TEST_F(Pipes, ChunksInABucketAreNumberedFromOneWithoutGapsAlsoWhereTheStoreFailedMeanwhile) {
  Buckets buckets;
  auto session = Session::open({.bootstrap = bootstrap(plain_context(), {{"bucket", "b"}, {"key_prefix", "runs/7"}}),
                                .objects = &buckets,
                                .upload_every = std::chrono::milliseconds(5)});
  ASSERT_TRUE(session);
  buckets.wait_for("b/runs/7/1.json");
  buckets.fail_next(2);
  EXPECT_TRUE((*session)->log(LogLevel::info, "later"));
  buckets.wait_for("b/runs/7/2.json");
  EXPECT_TRUE((*session)->close());
  EXPECT_EQ(buckets.names(), (std::vector<std::string>{"b/runs/7/1.json", "b/runs/7/2.json", "b/runs/7/3.json"}));
  std::string all;
  for (int i = 1; i <= 3; ++i) all += *buckets.get("b", fmt::format("runs/7/{}.json", i)) + "\n";
  const std::vector<json> told = messages_in(all);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told.at(1).at("params").at("message"), "later");
}

TEST_F(Pipes, MessagesThatCouldNotBeStoredAreToldOfAtTheEnd) {
  Buckets buckets;
  auto session = Session::open(
      {.bootstrap = bootstrap(plain_context(), {{"bucket", "b"}, {"key_prefix", nullptr}}), .objects = &buckets});
  ASSERT_TRUE(session);
  buckets.fail_next(1);
  const auto closed = (*session)->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message, "not all messages came to Dagster: no answer");
}

/// Standard output is a file while it lives.
class OutputInto {
 public:
  explicit OutputInto(const fs::path& file) : before_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    std::FILE* opened = std::fopen(file.c_str(), "w");
    ::dup2(::fileno(opened), STDOUT_FILENO);
    std::fclose(opened);
  }
  OutputInto(const OutputInto&) = delete;
  OutputInto& operator=(const OutputInto&) = delete;
  ~OutputInto() {
    std::fflush(stdout);
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }

 private:
  int before_;
};

TEST_F(Pipes, AStreamGetsMessagesAsTheyComeAndABufferedOneAtTheEnd) {
  for (const bool buffered : {false, true}) {
    const OutputInto output(path());
    auto session = opened(plain_context(), {{buffered ? "buffered_stdio" : "stdio", "stdout"}});
    ASSERT_TRUE(session);
    EXPECT_EQ(messages().size(), buffered ? 0U : 1U);
    EXPECT_TRUE((*session)->close());
    EXPECT_EQ(messages().size(), 2U);
  }
  const auto elsewhere = opened(plain_context(), {{"stdio", "stdin"}});
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().message, "Dagster asks for messages on \"stdin\": expected stdout or stderr");
}

TEST_F(Pipes, WhatIsPrintedIsSentAlongAndStillGoesWhereItWent) {
  const fs::path printed = folder_ / "printed";
  {
    const OutputInto output(printed);
    auto session = opened(plain_context(), {{"path", path()}, {"include_stdio_in_messages", true}});
    ASSERT_TRUE(session);
    std::puts("from here");
    std::fflush(stdout);
    ASSERT_EQ(std::system("printf 'from a child'"), 0);  // NOLINT(cert-env33-c)
    EXPECT_TRUE((*session)->close());
    std::puts("after");
  }
  std::ifstream file(printed);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "from here\nfrom a childafter\n");
  std::string heard;
  for (const json& message : messages())
    if (message.at("method") == "log_external_stream") {
      EXPECT_EQ(message.at("params").at("stream"), "stdout");
      heard += message.at("params").at("text").get<std::string>();
    }
  EXPECT_EQ(heard, "from here\nfrom a child");
  EXPECT_EQ(messages().back().at("method"), "closed");
}

TEST_F(Pipes, PiecesOfOutputEndWithLinesOrBetweenCharacters) {
  EXPECT_EQ(whole_part("a\nb"), 2U);
  EXPECT_EQ(whole_part("abc"), 0U);
  const std::string long_line(70'000, 'x');
  EXPECT_EQ(whole_part(long_line), long_line.size());
  EXPECT_EQ(whole_part(long_line + "\xc3"), long_line.size());
  EXPECT_EQ(whole_part(long_line + "\xf0\x9f\x98"), long_line.size());
  EXPECT_EQ(whole_part(long_line + "\xc3\xa4"), long_line.size() + 2);
}

TEST_F(Pipes, KeysOfAssetsKeepSlashesApart) {
  EXPECT_EQ(asset_key({"steward", "cleanup", "purge-logs"}), "steward/cleanup/purge-logs");
  EXPECT_EQ(asset_key({"a/b", "c\\d"}), "a\\/b/c\\\\d");
}

}  // namespace
}  // namespace steward::pipes
