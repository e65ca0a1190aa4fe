#include "app/pipes/pipes.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "app/pipes/captured_output.h"
#include "app/pipes/channel.h"
#include "core/text.h"

namespace steward::pipes {
namespace {
using nlohmann::json;

constexpr std::string_view variables = "DAGSTER_PIPES_", protocol = "0.1";
/// Parameters are short; a context may be as long as its extras. What unpacks to more is not Dagster's.
constexpr std::size_t most_unpacked = std::size_t{256} << 20;

std::string dump(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

/// The value of the flag, which is taken out of `arguments`.
std::optional<std::string> take_flag(std::vector<std::string>& arguments, const std::string& flag) {
  for (auto at = arguments.begin(); at != arguments.end(); ++at) {
    if (at->starts_with(flag + "=")) {
      std::string value = at->substr(flag.size() + 1);
      arguments.erase(at);
      return value;
    }
    if (*at == flag && std::next(at) != arguments.end()) {
      std::string value = *std::next(at);
      arguments.erase(at, at + 2);
      return value;
    }
  }
  return {};
}

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void forget_variables() {
  std::vector<std::string> names;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with(variables)) names.emplace_back(text.substr(0, text.find('=')));
  }
  for (const std::string& name : names) ::unsetenv(name.c_str());
}

Result<std::string> unpack(const std::string& packed) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return fail(Kind::unavailable, "there is no memory to unpack Dagster's parameters");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 65536> buffer{};
  int state = Z_OK;
  while (state == Z_OK && out.size() < most_unpacked) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return fail(Kind::bad_input, "it is not whole, or not zlib's");
  return out;
}

/// The key's value where it is there and not null.
const json* given(const json& document, const char* key) {
  const auto found = document.find(key);
  return found == document.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> text_at(const json& document, const char* key) {
  const json* found = given(document, key);
  return found != nullptr && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

/// The two ends of a range or window.
template <class Span>
std::optional<Span> span_at(const json& document, const char* key) {
  const json* found = given(document, key);
  if (found == nullptr || !found->is_object()) return {};
  return Span{.start = text_at(*found, "start").value_or(""), .end = text_at(*found, "end").value_or("")};
}

Provenance provenance_of(const json& document) {
  Provenance out{.code_version = text_at(document, "code_version").value_or("")};
  if (const json* versions = given(document, "input_data_versions"); versions != nullptr && versions->is_object())
    for (const auto& [asset, version] : versions->items())
      if (version.is_string()) out.input_data_versions[asset] = version.get<std::string>();
  if (const json* by_user = given(document, "is_user_provided"); by_user != nullptr && by_user->is_boolean())
    out.is_user_provided = by_user->get<bool>();
  return out;
}

Result<std::string> slurp(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (file.is_open() && !file.bad()) return content;
  const int why = errno;
  return fail(why == EACCES   ? Kind::permission
              : why == ENOENT ? Kind::not_found
                              : Kind::unavailable,
              fmt::format("cannot read Dagster's context {}: {}", path, std::strerror(why)));
}

Result<json> parsed(const std::string& text) {
  json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(Kind::bad_input, "Dagster's context is not JSON");
  return document;
}

Result<Context> load_context(const json& parameters, Objects* objects) {
  if (!parameters.is_object()) return fail(Kind::bad_input, "Dagster's parameters for the context are not an object");
  if (const auto path = text_at(parameters, "path")) {
    const std::string text = TRY(slurp(*path));
    const json document = TRY(parsed(text));
    return context_from(document);
  }
  if (const json* data = given(parameters, "data")) return context_from(*data);
  const auto bucket = text_at(parameters, "bucket"), key = text_at(parameters, "key");
  if (bucket && key) {
    if (objects == nullptr)
      return fail(Kind::bad_input, "Dagster's context is in a bucket, and there is no store here to read from");
    const std::string text = TRY(objects->get(*bucket, *key));
    const json document = TRY(parsed(text));
    return context_from(document);
  }
  return fail(Kind::bad_input, "Dagster's context is in a place that is not known here",
              "Known are path, data, and bucket with key.");
}

std::string_view name_of(LogLevel level) {
  constexpr std::array names{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
  return names[static_cast<std::size_t>(level)];
}

/// All five keys are always there: Dagster's reader asks for each.
json document_of(const Exception& exception) {
  return {{"message", exception.message},
          {"stack", exception.stack},
          {"name", exception.name.empty() ? json(nullptr) : json(exception.name)},
          {"cause", exception.cause ? document_of(*exception.cause) : json(nullptr)},
          {"context", exception.context ? document_of(*exception.context) : json(nullptr)}};
}

}  // namespace

Bootstrap take_bootstrap(std::vector<std::string>& arguments) {
  Bootstrap out{.context = take_flag(arguments, "--dagster-pipes-context"),
                .messages = take_flag(arguments, "--dagster-pipes-messages")};
  if (!out.context) out.context = variable("DAGSTER_PIPES_CONTEXT");
  if (!out.messages) out.messages = variable("DAGSTER_PIPES_MESSAGES");
  forget_variables();
  return out;
}

std::string encode(const json& value) {
  const std::string text = dump(value);
  uLongf size = compressBound(static_cast<uLong>(text.size()));
  std::string packed(size, '\0');
  // Fails only where the buffer is too small or memory is out.
  if (compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
               static_cast<uLong>(text.size())) != Z_OK)
    throw std::bad_alloc();
  packed.resize(size);
  return base64(packed);
}

Result<json> decode(std::string_view text) {
  const auto packed = from_base64(text);
  if (!packed) return fail(Kind::bad_input, "it is not base64");
  const std::string unpacked = TRY(unpack(*packed));
  json document = json::parse(unpacked, nullptr, false);
  if (document.is_discarded()) return fail(Kind::bad_input, "it is not JSON");
  return document;
}

std::string asset_key(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) out += '/';
    for (const char c : part) {
      if (c == '/' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

Result<Context> context_from(const json& document) {
  if (!document.is_object()) return fail(Kind::bad_input, "Dagster's context is not an object");
  const auto run = text_at(document, "run_id");
  if (!run) return fail(Kind::bad_input, "Dagster's context names no run");
  Context out{.run_id = *run, .job_name = text_at(document, "job_name")};
  if (const json* retry = given(document, "retry_number"); retry != nullptr && retry->is_number_integer())
    out.retry_number = retry->get<std::int64_t>();
  if (const json* keys = given(document, "asset_keys"); keys != nullptr && keys->is_array())
    for (const json& key : *keys)
      if (key.is_string()) out.asset_keys.push_back(key.get<std::string>());
  if (const json* versions = given(document, "code_version_by_asset_key"); versions != nullptr && versions->is_object())
    for (const auto& [asset, version] : versions->items())
      out.code_versions[asset] = version.is_string() ? std::optional(version.get<std::string>()) : std::nullopt;
  if (const json* all = given(document, "provenance_by_asset_key"); all != nullptr && all->is_object())
    for (const auto& [asset, one] : all->items())
      out.provenance[asset] = one.is_object() ? std::optional(provenance_of(one)) : std::nullopt;
  out.partition_key = text_at(document, "partition_key");
  out.partition_key_range = span_at<KeyRange>(document, "partition_key_range");
  out.partition_time_window = span_at<TimeWindow>(document, "partition_time_window");
  if (const json* extras = given(document, "extras")) out.extras = dump(*extras);
  return out;
}

// --- metadata ---------------------------------------------------------------------------------------------------

Metadata& Metadata::add_document(std::string_view key, std::string_view type, const nlohmann::json& value) {
  entries_.insert_or_assign(std::string(key), Entry{.type = std::string(type), .raw = dump(value)});
  return *this;
}
Metadata& Metadata::add(std::string_view key, std::string_view type, std::string_view text) {
  return add_document(key, type, nlohmann::json(text));
}
Metadata& Metadata::integer(std::string_view key, std::int64_t value) { return add_document(key, "int", value); }
Metadata& Metadata::number(std::string_view key, double value) {
  return std::isfinite(value) ? add_document(key, "float", value) : null(key);
}
Metadata& Metadata::boolean(std::string_view key, bool value) { return add_document(key, "bool", value); }
Metadata& Metadata::null(std::string_view key) { return add_document(key, "null", nullptr); }
Metadata& Metadata::timestamp(std::string_view key, double value) {
  return std::isfinite(value) ? add_document(key, "timestamp", value) : null(key);
}
Metadata& Metadata::json(std::string_view key, const nlohmann::json& value) { return add_document(key, "json", value); }
Metadata& Metadata::table(std::string_view key, const nlohmann::json& value) {
  return add_document(key, "table", value);
}
Metadata& Metadata::table_schema(std::string_view key, const nlohmann::json& value) {
  return add_document(key, "table_schema", value);
}
Metadata& Metadata::table_column_lineage(std::string_view key, const nlohmann::json& value) {
  return add_document(key, "table_column_lineage", value);
}
Metadata& Metadata::infer(std::string_view key, const nlohmann::json& value) {
  return add_document(key, "__infer__", value);
}

nlohmann::json Metadata::document() const {
  nlohmann::json out = nullptr;
  for (const auto& [key, entry] : entries_)
    out[key] = {{"raw_value", nlohmann::json::parse(entry.raw)}, {"type", entry.type}};
  return out;
}

// --- the session ------------------------------------------------------------------------------------------------

struct Session::Inside {
  std::optional<Context> context{};
  std::mutex mutex{};  ///< Of all below.
  std::unique_ptr<Channel> channel{};
  std::set<std::string> materialized{};
  bool closed = false;
  std::optional<Error> lost{};  ///< The first message that could not be sent.
  std::unique_ptr<CapturedOutput> output{};

  /// With the mutex held.
  Result<void> send(std::string_view method, const json& params) {
    if (!channel || closed) return {};
    auto sent =
        channel->write(dump({{"__dagster_pipes_version", protocol}, {"method", method}, {"params", params}}) + '\n');
    if (!sent && !lost) lost = sent.error();
    return sent;
  }
  Result<void> send_locked(std::string_view method, const json& params) {
    const std::scoped_lock lock(mutex);
    return send(method, params);
  }
};

Session::Session(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Session::~Session() { (void)close(); }

bool Session::is_active() const { return inside_->context.has_value(); }
const std::optional<Context>& Session::context() const { return inside_->context; }

Result<std::unique_ptr<Session>> Session::open(Options options) {
  auto inside = std::make_unique<Inside>();
  Inside& in = *inside;
  std::unique_ptr<Session> session(new Session(std::move(inside)));
  if (!options.bootstrap.context) return session;
  const auto context = decode(*options.bootstrap.context);
  if (!context) return fail_while("DAGSTER_PIPES_CONTEXT", context.error());
  if (!options.bootstrap.messages)
    return fail(Kind::bad_input, "Dagster gave a context, but no place for messages (DAGSTER_PIPES_MESSAGES)");
  const auto messages = decode(*options.bootstrap.messages);
  if (!messages) return fail_while("DAGSTER_PIPES_MESSAGES", messages.error());
  Context loaded = TRY(load_context(*context, options.objects));
  in.channel = TRY(open_channel(*messages, options));
  in.context = std::move(loaded);
  TRY(in.send_locked("opened", {{"extras", json::object()}}));
  const auto with_output = messages->find("include_stdio_in_messages");
  if (with_output != messages->end() && *with_output == true)
    in.output = TRY(CapturedOutput::start([&in](std::string_view stream, std::string_view text) {
      (void)in.send_locked("log_external_stream", {{"stream", stream}, {"text", text}, {"extras", json::object()}});
    }));
  return session;
}

Result<void> Session::log(LogLevel level, std::string_view message) {
  return inside_->send_locked("log", {{"message", message}, {"level", name_of(level)}});
}

Result<std::string> Session::resolved(const std::string& asset_key, std::string_view what) const {
  const std::vector<std::string>& known = inside_->context->asset_keys;
  if (asset_key.empty() && known.size() == 1) return known.front();
  if (asset_key.empty())
    return fail(Kind::bad_input, fmt::format("{} names no asset, and the step has {} of them", what, known.size()));
  if (!known.empty() && std::ranges::find(known, asset_key) == known.end())
    return fail(Kind::bad_input, fmt::format("{} is of {}, which is no asset of the step", what, asset_key));
  return asset_key;
}

Result<void> Session::report_materialization(const Materialization& materialization) {
  if (!is_active()) return {};
  const std::string key = TRY(resolved(materialization.asset_key, "a materialization"));
  const std::scoped_lock lock(inside_->mutex);
  if (!inside_->materialized.insert(key).second)
    return fail(Kind::bad_input, fmt::format("{} was materialized already", key));
  return inside_->send(
      "report_asset_materialization",
      {{"asset_key", key},
       {"data_version", materialization.data_version ? json(*materialization.data_version) : json(nullptr)},
       {"metadata", materialization.metadata.document()}});
}

Result<void> Session::report_check(const Check& check) {
  if (!is_active()) return {};
  const std::string key = TRY(resolved(check.asset_key, "a check"));
  return inside_->send_locked("report_asset_check", {{"asset_key", key},
                                                     {"check_name", check.name},
                                                     {"passed", check.passed},
                                                     {"severity", check.severity == Severity::warn ? "WARN" : "ERROR"},
                                                     {"metadata", check.metadata.document()}});
}

Result<void> Session::report_custom_message(const json& payload) {
  return inside_->send_locked("report_custom_message", {{"payload", payload}});
}

Result<void> Session::log_external_stream(std::string_view stream, std::string_view text) {
  if (stream != "stdout" && stream != "stderr")
    return fail(Kind::bad_input, fmt::format("\"{}\" is no stream: expected stdout or stderr", printable(stream)));
  return inside_->send_locked("log_external_stream", {{"stream", stream}, {"text", text}, {"extras", json::object()}});
}

Result<void> Session::close(const std::optional<Exception>& exception) {
  if (!is_active()) return {};
  // Without the mutex: what was printed is still to be sent.
  if (inside_->output) inside_->output->stop();
  const std::scoped_lock lock(inside_->mutex);
  if (inside_->closed) return {};
  json params = json::object();
  if (exception) params["exception"] = document_of(*exception);
  (void)inside_->send("closed", params);
  inside_->closed = true;
  if (auto closed = inside_->channel->close(); !closed && !inside_->lost) inside_->lost = closed.error();
  if (inside_->lost) return fail_while("not all messages came to Dagster", *inside_->lost);
  return {};
}

}  // namespace steward::pipes
