#include "run/state.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/url.h"
#include "io/files/copy.h"

namespace steward {
namespace {

constexpr Bytes largest_plan = 64_MiB;
constexpr std::size_t write_buffer = 1 << 18;
constexpr std::size_t longest_line = 64U << 20;

std::string items_path(std::string_view sha256) { return fmt::format("plans/items-{}.jsonl", sha256); }

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

}  // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path) {
  auto folder = files::Folder::create(path);
  if (!folder) {
    Error error = std::move(folder).error();
    if (error.hint.empty()) error.hint = "Set STEWARD_STATE_DIR to a folder that this user can write.";
    return fail_while("opening the state directory", std::move(error));
  }
  for (const char* room : {"plans", "manifests", "runs"}) TRY(folder->make_folders(room));
  return StateDirectory(*std::move(folder));
}

std::string StateDirectory::ledger_url() const {
  return "sqlite:///" + percent_encode(folder_.path() + "/ledger.db", true);
}

Result<std::string> StateDirectory::save(const Plan& plan) const {
  std::string digest = digest_of(plan);
  nlohmann::json document = to_json(plan);
  document["digest"] = digest;
  TRY(files::replace_file(folder_, fmt::format("plans/{}.json", digest), document.dump(1) + '\n'));
  return digest;
}

Result<Plan> StateDirectory::load_plan(std::string_view prefix) const {
  if (prefix.size() < 8 || prefix.size() > 64 || !is_hex(prefix))
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a plan's digest", prefix),
                "Give at least its first eight hexadecimal digits, as `steward plan` prints them.");
  const files::Folder plans = TRY(folder_.subfolder("plans"));
  std::vector<std::string> found;
  TRY(plans.walk({.max_depth = 0}, [&](const files::Found& file) -> Result<bool> {
    if (file.path.starts_with(prefix) && file.path.ends_with(".json")) found.push_back(file.path);
    return true;
  }));
  if (found.empty())
    return fail(Kind::not_found, fmt::format("no saved plan begins with {}", prefix), "Make one with `steward plan`.");
  if (found.size() > 1)
    return fail(Kind::bad_input, fmt::format("{} saved plans begin with {}", found.size(), prefix),
                "Give more digits.");
  const std::string text = TRY(files::read_file(plans, found.front(), largest_plan));
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded())
    return fail(Kind::corrupt, fmt::format("the saved plan {} is not JSON", found.front()),
                "Make a fresh one with `steward plan`.");
  Plan plan = TRY(plan_from_json(document));
  if (!digest_of(plan).starts_with(prefix))
    return fail(Kind::corrupt, fmt::format("the saved plan {} has been changed since it was made", found.front()),
                "Make a fresh one with `steward plan`.");
  return plan;
}

Result<LineListWriter> LineListWriter::create(const StateDirectory& state) {
  return LineListWriter(state, TRY(state.folder().temporary_beside("plans/items")));
}

LineListWriter::~LineListWriter() {
  if (temporary_.handle.valid()) (void)state_->folder().unlink(temporary_.path);
}

Result<void> LineListWriter::add(std::string_view line) {
  buffer_ += line;
  buffer_ += '\n';
  return buffer_.size() >= write_buffer ? flush() : Result<void>{};
}

Result<void> LineListWriter::flush() {
  hash_.update(buffer_);
  files::FileSink sink(temporary_.handle.fd());
  TRY(sink.write(std::as_bytes(std::span(buffer_))));
  buffer_.clear();
  return {};
}

Result<std::string> LineListWriter::finish() {
  TRY(flush());
  std::string sha256 = hash_.finish_hex();
  TRY(files::sync_file(temporary_.handle.fd()));
  TRY(state_->folder().rename(temporary_.path, items_path(sha256), true));
  temporary_.handle = {};
  return sha256;
}

Result<void> each_line(Source& source, const std::function<Result<bool>(std::string_view)>& take, bool* torn) {
  std::vector<std::byte> buffer(write_buffer);
  std::string rest;
  if (torn != nullptr) *torn = false;
  while (true) {
    const std::size_t n = TRY(source.read(buffer));
    if (n == 0) break;
    rest.append(reinterpret_cast<const char*>(buffer.data()), n);
    std::size_t begin = 0;
    for (std::size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (!TRY(take(std::string_view(rest).substr(begin, end - begin)))) return {};
    rest.erase(0, begin);
    if (rest.size() > longest_line)
      return fail(Kind::corrupt, "a line is longer than 64 MiB", "This file was not written by steward.");
  }
  if (torn != nullptr) *torn = !rest.empty();
  return {};
}

Result<void> each_item(const StateDirectory& state, std::string_view sha256,
                       const std::function<Result<bool>(std::string_view)>& take) {
  const std::string path = items_path(sha256);
  const files::Handle handle = TRY(state.folder().open_for_reading(path));
  files::FileSource whole(handle.fd());
  const files::Copied read = TRY(files::hash(whole));
  if (read.sha256 != sha256)
    return fail(Kind::corrupt, fmt::format("{} is not what was written", path),
                "Make a fresh plan with `steward plan`.");
  const files::Handle again = TRY(state.folder().open_for_reading(path));
  files::FileSource source(again.fd());
  return each_line(source, take);
}

}  // namespace steward
