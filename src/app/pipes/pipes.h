/// Dagster Pipes, the protocol by which a process tells Dagster what it does, for C++.
///
///   auto session = TRY(pipes::Session::open({.bootstrap = pipes::take_bootstrap(arguments)}));
///   session->log(pipes::LogLevel::info, "began");
///   session->report_materialization({.asset_key = "steward/cleanup/purge-logs",
///                                    .metadata = pipes::Metadata().integer("files", 17)});
///   session->close();                               // or close(exception)
///
/// Where Dagster has not started the process, the session is there and all of it does nothing.
///
/// Protocol  0.1, as dagster_pipes has it. Context by environment or command line, and from there by `data`, `path` or
///           an object in a bucket (`bucket`, `key`). Messages to a file (`path`), to a stream as they come (`stdio`)
///           or at the end (`buffered_stdio`), or into a bucket in chunks KEY_PREFIX/1.json, 2.json, …
///           (`bucket`, `key_prefix`); with `include_stdio_in_messages`, what the process and its children print goes
///           along.
/// Promises  - A message is one line and one write(2), with O_APPEND on files: a reader never sees a part of one, and
///             lines of several writers never mix. After a line that could only be written in part nothing more is.
///           - `opened` is the first message and `closed` the last one; what comes after that is dropped.
///           - What is not UTF-8 is replaced, never sent: Dagster's reader ends at a line that it cannot read.
///           - Dagster's variables are taken out of the environment, so that no child takes itself for Dagster's.
///           - A reader that is gone does not stop the work: a message that cannot be sent is an error to look at or
///             not, and `close` says whether all were sent.
/// Does not  - end the process, or set its exit code, which is what fails a step in Dagster: `closed` with an exception
///             only tells why.
/// Threads   Any, at any time. Opening is for the beginning of the program, before there are any: it changes the
///           environment.
/// Errors    bad_input: parameters that are no such, or of a kind that this library does not have. not_found,
///           permission, unavailable: the context could not be read, or a message not written.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace steward::pipes {

/// What Dagster gives a process: where its context is, and where messages go. Base64 of zlib of JSON, as they came.
struct Bootstrap {
  std::optional<std::string> context{}, messages{};
};

/// Takes both out of the environment (every variable that begins with DAGSTER_PIPES_) and out of `arguments`
/// (--dagster-pipes-context VALUE, --dagster-pipes-messages VALUE, with a blank or `=` between); an argument counts
/// before a variable.
Bootstrap take_bootstrap(std::vector<std::string>& arguments);

/// How parameters travel. `decode` gives bad_input where `text` is not that.
std::string encode(const nlohmann::json& value);
Result<nlohmann::json> decode(std::string_view text);

/// The parts of an asset's key in one text, as Pipes has it: slashes between them, those inside escaped.
std::string asset_key(const std::vector<std::string>& parts);

/// Objects in buckets, for who speaks by them. Implemented over a store of steward's in stored_objects.h.
struct Objects {
  virtual ~Objects() = default;
  virtual Result<std::string> get(const std::string& bucket, const std::string& key) = 0;
  virtual Result<void> put(const std::string& bucket, const std::string& key, const std::string& content) = 0;
};

struct KeyRange {
  std::string start{}, end{};
};
/// RFC 3339.
struct TimeWindow {
  std::string start{}, end{};
};
struct Provenance {
  std::string code_version{};
  std::map<std::string, std::string> input_data_versions{};
  bool is_user_provided = false;
};

/// What Dagster says of the step that this process carries out. Of a step without assets, or without partitions, these
/// are empty.
struct Context {
  std::string run_id{};
  std::optional<std::string> job_name{};
  std::int64_t retry_number = 0;
  std::vector<std::string> asset_keys{};
  std::map<std::string, std::optional<std::string>> code_versions{};  ///< By asset key.
  std::map<std::string, std::optional<Provenance>> provenance{};      ///< By asset key.
  std::optional<std::string> partition_key{};
  std::optional<KeyRange> partition_key_range{};
  std::optional<TimeWindow> partition_time_window{};
  std::string extras{"{}"};  ///< JSON: what the step's author has added.
};
/// Reads a context's document; what it has beyond the above is passed over.
Result<Context> context_from(const nlohmann::json& document);

enum class LogLevel { debug, info, warning, error, critical };
enum class Severity { warn, error };

/// What is said of a materialisation or a check, each value with its type. A key that comes twice has the last value.
class Metadata {
 public:
  Metadata& text(std::string_view key, std::string_view value) { return add(key, "text", value); }
  Metadata& url(std::string_view key, std::string_view value) { return add(key, "url", value); }
  Metadata& path(std::string_view key, std::string_view value) { return add(key, "path", value); }
  Metadata& notebook(std::string_view key, std::string_view value) { return add(key, "notebook", value); }
  Metadata& markdown(std::string_view key, std::string_view value) { return add(key, "md", value); }
  Metadata& dagster_run(std::string_view key, std::string_view run) { return add(key, "dagster_run", run); }
  Metadata& asset(std::string_view key, std::string_view other) { return add(key, "asset", other); }
  Metadata& integer(std::string_view key, std::int64_t value);
  Metadata& number(std::string_view key, double value);  ///< Not a number, infinite: as null.
  Metadata& boolean(std::string_view key, bool value);
  Metadata& null(std::string_view key);
  /// Seconds since 1970.
  Metadata& timestamp(std::string_view key, double value);
  Metadata& json(std::string_view key, const nlohmann::json& value);
  /// {"records": [{…}…], "schema": [{"name", "type"}…]}
  Metadata& table(std::string_view key, const nlohmann::json& value);
  /// {"columns": [{"name", "type"}…]}
  Metadata& table_schema(std::string_view key, const nlohmann::json& value);
  Metadata& table_column_lineage(std::string_view key, const nlohmann::json& value);
  /// Dagster guesses the type.
  Metadata& infer(std::string_view key, const nlohmann::json& value);

  bool empty() const { return entries_.empty(); }
  /// {KEY: {"raw_value", "type"}…}, or null where there is nothing.
  nlohmann::json document() const;

 private:
  struct Entry {
    std::string type{};
    std::string raw{};  ///< JSON.
  };
  Metadata& add(std::string_view key, std::string_view type, std::string_view text);
  Metadata& add_document(std::string_view key, std::string_view type, const nlohmann::json& value);
  std::map<std::string, Entry, std::less<>> entries_{};
};

struct Materialization {
  /// Empty: the only asset of the step.
  std::string asset_key{};
  std::optional<std::string> data_version{};
  Metadata metadata{};
};

struct Check {
  std::string asset_key{};  ///< As above.
  std::string name{};
  bool passed = false;
  Severity severity = Severity::error;
  Metadata metadata{};
};

/// Why the work has failed, as Dagster shows it.
struct Exception {
  std::string name{};     ///< The kind of it: "Refused".
  std::string message{};  ///< Without the name.
  std::vector<std::string> stack{};
  std::shared_ptr<const Exception> cause{};    ///< What has led to it,
  std::shared_ptr<const Exception> context{};  ///< and what was being handled when it came.
};

struct Options {
  Bootstrap bootstrap{};
  Objects* objects = nullptr;                      ///< For parameters that name a bucket; lives as long as the session.
  std::chrono::milliseconds upload_every{10'000};  ///< Chunks of messages in buckets.
};

class Session {
 public:
  /// One that does nothing where `bootstrap` has no context.
  static Result<std::unique_ptr<Session>> open(Options options);
  /// Closes it, without an exception.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Whether Dagster listens.
  bool is_active() const;
  /// None where it does not.
  const std::optional<Context>& context() const;

  Result<void> log(LogLevel level, std::string_view message);
  /// bad_input where the key is empty and the step has not exactly one asset, where it has some and this is none of
  /// them, and where the asset was materialised before: Dagster would take none of these.
  Result<void> report_materialization(const Materialization& materialization);
  /// bad_input likewise, but for the second time.
  Result<void> report_check(const Check& check);
  Result<void> report_custom_message(const nlohmann::json& payload);
  /// What another process has said, on "stdout" or "stderr".
  Result<void> log_external_stream(std::string_view stream, std::string_view text);

  /// Sends what is left, and `closed`. Once; later calls do nothing. An error where a message was lost.
  Result<void> close(const std::optional<Exception>& exception = {});

 private:
  struct Inside;
  explicit Session(std::unique_ptr<Inside> inside);
  Result<std::string> resolved(const std::string& asset_key, std::string_view what) const;
  std::unique_ptr<Inside> inside_;
};

}  // namespace steward::pipes
