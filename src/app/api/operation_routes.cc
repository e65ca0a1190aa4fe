// plans, the archive and backups: what a process of its own does for a person

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/api/result_schema.h"
#include "core/text.h"
#include "run/plan.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

/// Larger files are for a restore, and not for a look.
constexpr std::uint64_t most_shown = std::uint64_t{8} << 20;

Result<Response> make_plan(const Context& context, const Call& call) {
  const auto job = call.body["job"].get<std::string>();
  TRY(check_job(context, job));
  std::vector<std::string> tasks;
  for (const json& task : call.body.value("tasks", json::array())) tasks.push_back(task.get<std::string>());
  const std::string what = tasks.empty() ? job : fmt::format("{}/{}", job, fmt::join(tasks, ","));
  return answer(TRY(context.operations.start("plan", {"plan", what}, call.who.name)), 202);
}

Result<Response> restore(const Context& context, const Call& call) {
  std::vector<std::string> words{"archive", "restore"};
  for (const char* name : {"run", "table"})
    if (call.body.contains(name)) words.push_back(fmt::format("--{}={}", name, call.body[name].get<std::string>()));
  for (const json& key : call.body.value("keys", json::array()))
    words.push_back(fmt::format("--key={}", key.get<std::string>()));
  if (words.size() == 2)
    return fail(Kind::bad_input, "nothing was named to restore", "Give run, or table with keys for single rows.");
  return answer(TRY(context.operations.start("restore", std::move(words), call.who.name)), 202);
}

Result<Response> show_archive(const Context& context, const Call& call) {
  std::vector<std::string> words{"archive", "show"};
  for (const char* name : {"run", "table", "key", "match", "after"})
    if (call.body.contains(name)) words.push_back(fmt::format("--{}={}", name, call.body[name].get<std::string>()));
  if (call.body.contains("limit")) words.push_back(fmt::format("--limit={}", call.body["limit"].get<int>()));
  return answer(TRY(context.operations.start("archive-show", std::move(words), call.who.name)), 202);
}

/// What a browser shows as a picture, by its first bytes; else bytes to keep. Whatever a customer has named a page or a
/// script is never one here.
std::string_view type_of(std::string_view bytes) {
  using std::string_view_literals::operator""sv;
  if (bytes.starts_with("\x89PNG\r\n\x1A\n"sv)) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF"sv)) return "image/jpeg";
  if (bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) return "image/gif";
  if (bytes.starts_with("RIFF"sv) && bytes.substr(0, 12).ends_with("WEBP"sv)) return "image/webp";
  if (bytes.substr(0, 12).ends_with("ftypavif"sv)) return "image/avif";
  return "application/octet-stream";
}

/// A copy in the archive, for a browser to show: by another process, since a store may take its time.
Response archived_file(const Context& context, const Call& call) {
  std::vector<std::string> words{"archive", "file", fmt::format("--most={}", most_shown)};
  for (const char* name : {"archive", "copy", "sha256"})
    words.push_back(fmt::format("--{}={}", name, call.query[name].get<std::string>()));
  return {.later = [&operations = context.operations, words = std::move(words),
                    who = call.who.name](const std::stop_token& stop) -> Response {
    auto bytes = operations.output_of(words, who, {.stop = stop});
    if (!bytes) return server::problem(bytes.error());
    const std::string_view type = type_of(*bytes);
    Response response{.headers = {{"Content-Type", std::string(type)},
                                  // The address names the hash: what it answers never changes.
                                  {"Cache-Control", "private, max-age=31536000, immutable"},
                                  {"Content-Security-Policy", "sandbox; default-src 'none'"}},
                      .body = *std::move(bytes)};
    if (!type.starts_with("image/")) response.headers.emplace_back("Content-Disposition", "attachment");
    return response;
  }};
}

}  // namespace

void add_operations(Routes& routes, const Context& context) {
  const std::string base(root);
  const auto starts = [&](std::string id, const std::string& path, std::string summary, Access access,
                          std::vector<std::string> words, std::string result_name, Schema result) {
    const std::string group = words.at(0), kind = group + '-' + words.at(1);
    routes.add({.id = std::move(id),
                .method = "POST",
                .path = base + path,
                .group = group == "backup" ? "backups" : group,
                .summary = std::move(summary),
                .access = access,
                .status = 202,
                .answer = operation_schema(),
                .result = std::move(result),
                .result_name = std::move(result_name)},
               [&context, kind, words = std::move(words)](const Call& call) -> Result<Response> {
                 return answer(TRY(context.operations.start(kind, words, call.who.name)), 202);
               });
  };
  routes.add({.id = "makePlan",
              .method = "POST",
              .path = base + "/plans",
              .group = "plans",
              .summary = "Look at what a run would do now; the operation's result is the plan with its digest",
              .body = object({{"job", text(1, 64)}, {"tasks", list_of(text(1, 100), 50), optional}}),
              .status = 202,
              .answer = operation_schema(),
              .result = plan_schema(),
              .result_name = "Plan"},
             [&context](const Call& call) { return make_plan(context, call); });
  routes.add({.id = "getPlan",
              .method = "GET",
              .path = base + "/plans/{digest}",
              .group = "plans",
              .summary = "A plan that was made on this machine, by its digest",
              .answer = plan_schema()},
             [&context](const Call& call) -> Result<Response> {
               return answer(to_json(TRY(context.state.load_plan(call.parameter("digest")))));
             });
  starts("listArchive", "/archive/list", "What is in the archive: the operation's result", Access::view,
         {"archive", "list"}, "ArchiveList", archive_list_schema());
  routes.add({.id = "showArchive",
              .method = "POST",
              .path = base + "/archive/show",
              .group = "archive",
              .summary = "Rows in the archive, a page of them, newest first: the operation's result",
              .access = Access::operate,
              .body = object({{"run", text(1, 64), optional},
                              {"table", text(1, 200), optional},
                              {"key", text(1, 1000), optional},
                              {"match", text(1, 200), optional},
                              {"after", text(1, 4000), optional},
                              {"limit", integer(1, 500), optional}}),
              .status = 202,
              .answer = operation_schema(),
              .result = archive_page_schema(),
              .result_name = "ArchivePage"},
             [&context](const Call& call) { return show_archive(context, call); });
  routes.add({.id = "getArchivedFile",
              .method = "GET",
              .path = base + "/archive/file",
              .group = "archive",
              .summary = "The bytes of an archived file, of at most 8 MiB, checked against the hash",
              .access = Access::operate,
              .query = {{"archive", text(1, 500), "The archive, as the rows name it", true},
                        {"copy", text(1, 500), "The copy's name there", true},
                        {"sha256", text(64, 64), "And its hash", true}},
              .answer = text(),
              .type = "*/*"},
             [&context](const Call& call) -> Result<Response> { return archived_file(context, call); });
  starts("verifyArchive", "/archive/verify", "Read every copy in the archive and check its hash", Access::operate,
         {"archive", "verify"}, "ArchiveVerdict", archive_verdict_schema());
  starts("listBackups", "/backups/list", "What backups there are, and which are proved: the operation's result",
         Access::view, {"backup", "list"}, "BackupList", backup_list_schema());
  routes.add({.id = "restore",
              .method = "POST",
              .path = base + "/archive/restore",
              .group = "archive",
              .summary = "Bring back what was archived, by a run, a table, or single rows",
              .access = Access::administer,
              .body = object({{"run", text(1, 64), optional},
                              {"table", text(1, 200), optional},
                              {"keys", list_of(text(1, 1000), 1000), optional}}),
              .status = 202,
              .answer = operation_schema(),
              .result = run_result_schema(),
              .result_name = "RunResult"},
             [&context](const Call& call) { return restore(context, call); });
  routes.add(
      {.id = "listOperations",
       .method = "GET",
       .path = base + "/operations",
       .group = "operations",
       .summary = "What this daemon has done for people lately, without the results",
       .answer = list_document("operations", operation_schema())},
      [&context](const Call&) -> Result<Response> { return answer({{"operations", context.operations.list()}}); });
  routes.add({.id = "getOperation",
              .method = "GET",
              .path = base + "/operations/{operation}",
              .group = "operations",
              .summary = "One of them, with its result once it is there",
              .answer = operation_schema()},
             [&context](const Call& call) -> Result<Response> {
               return answer(TRY(context.operations.get(call.parameter("operation"))));
             });
}

}  // namespace steward::api
