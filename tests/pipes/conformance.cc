// build/pipes_tests: what the conformance suite of Dagster's community asks of an implementation of Pipes, over the
// library in src/app/pipes. The suite starts it with a test's name and files that say what to report; it looks at what
// comes out.
//
//   pipes_tests --test-name NAME [--job-name NAME] [--extras FILE] [--custom-payload FILE]
//               [--report-asset-materialization FILE] [--report-asset-check FILE]
//               [--context-loader KIND] [--message-writer KIND]
//
// Exit code 1 where the context is not what the flags say it should be; 2 where a flag or a file is none.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/pipes/pipes.h"
#include "app/pipes/stored_objects.h"
#include "io/object/profile.h"

namespace {
using nlohmann::json;
using namespace steward;

using Flags = std::map<std::string, std::string>;

[[noreturn]] void leave(int code, const std::string& why) {
  std::fprintf(stderr, "pipes_tests: %s\n", why.c_str());
  std::exit(code);
}

Flags read_flags(const std::vector<std::string>& arguments) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    if (!arguments[i].starts_with("--") || i + 1 == arguments.size()) leave(2, "what is " + arguments[i] + "?");
    flags[arguments[i].substr(2)] = arguments[i + 1];
  }
  return flags;
}

json document_in(const std::string& path) {
  std::ifstream file(path);
  json document = json::parse(std::string(std::istreambuf_iterator<char>(file), {}), nullptr, false);
  if (document.is_discarded()) leave(2, path + " is not JSON");
  return document;
}

void check(bool holds, const std::string& what) {
  if (!holds) leave(1, what);
}

template <class T>
void require(const Result<T>& result) {
  if (!result) leave(1, result.error().message);
}

std::string asset_in(const json& document) { return document.value("assetKey", std::string{}); }

pipes::Metadata every_type() {
  pipes::Metadata all;
  all.boolean("bool_true", true).boolean("bool_false", false).number("float", 0.1).integer("int", 1);
  all.url("url", "https://dagster.io").path("path", "/dev/null").null("null").markdown("md", "**markdown**");
  all.json("json",
           {{"quux", {{"a", 1}, {"b", 2}}}, {"corge", nullptr}, {"qux", {1, 2, 3}}, {"foo", "bar"}, {"baz", 1}});
  all.text("text", "hello").asset("asset", "foo/bar").notebook("notebook", "notebook.ipynb");
  all.dagster_run("dagster_run", "db892d7f-0031-4747-973d-22e8b9095d9d");
  return all;
}

void report_materialization(pipes::Session& session, const json& wanted) {
  pipes::Materialization materialization{.asset_key = asset_in(wanted), .metadata = every_type()};
  if (wanted.contains("dataVersion")) materialization.data_version = wanted.at("dataVersion").get<std::string>();
  require(session.report_materialization(materialization));
}

void report_check(pipes::Session& session, const json& wanted) {
  require(session.report_check(
      {.asset_key = asset_in(wanted),
       .name = wanted.at("checkName").get<std::string>(),
       .passed = wanted.at("passed").get<bool>(),
       .severity = wanted.at("severity") == "WARN" ? pipes::Severity::warn : pipes::Severity::error,
       .metadata = every_type()}));
}

void log_each_level(pipes::Session& session) {
  using enum pipes::LogLevel;
  require(session.log(debug, "Debug message"));
  require(session.log(info, "Info message"));
  require(session.log(warning, "Warning message"));
  require(session.log(error, "Error message"));
  require(session.log(critical, "Critical message"));
}

void compare_context(const pipes::Context& context, const Flags& flags) {
  if (const auto job = flags.find("job-name"); job != flags.end())
    check(context.job_name == job->second, "the context has another job");
  if (const auto extras = flags.find("extras"); extras != flags.end())
    check(json::parse(context.extras) == document_in(extras->second), "the context has other extras");
}

int run(std::vector<std::string> arguments) {
  const pipes::Bootstrap bootstrap = pipes::take_bootstrap(arguments);
  const Flags flags = read_flags(arguments);
  const auto s3 = object::s3_settings_from([](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  require(s3);
  const auto objects = pipes::stored_objects(*s3);
  const auto opened = pipes::Session::open({.bootstrap = bootstrap, .objects = objects.get()});
  require(opened);
  pipes::Session& session = **opened;
  check(session.is_active(), "Dagster has not started this");
  compare_context(*session.context(), flags);

  const std::string test = flags.contains("test-name") ? flags.at("test-name") : "";
  if (test == "test_components") require(session.report_custom_message("Hello from external process!"));
  if (test == "test_message_log") log_each_level(session);
  if (flags.contains("custom-payload"))
    require(session.report_custom_message(document_in(flags.at("custom-payload")).at("payload")));
  if (flags.contains("report-asset-materialization"))
    report_materialization(session, document_in(flags.at("report-asset-materialization")));
  if (flags.contains("report-asset-check")) report_check(session, document_in(flags.at("report-asset-check")));
  if (test == "test_error_reporting") {
    const pipes::Exception first{.name = "Cause", .message = "the cause of it", .stack = {"in work\n"}};
    require(session.close(pipes::Exception{.name = "Error",
                                           .message = "Very bad error has happened!",
                                           .stack = {"in run\n", "in main\n"},
                                           .cause = std::make_shared<const pipes::Exception>(first)}));
    return 1;
  }
  require(session.close());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    leave(2, error.what());
  }
}
