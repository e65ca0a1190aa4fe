#include "app/api/documents_schema.h"

#include <nlohmann/json.hpp>

#include "app/api/result_schema.h"

namespace steward::api {
namespace {

std::vector<Member> run_members() {
  return {{"run", text()},
          {"job", text()},
          {"scope", or_null(list_of(text()))},
          {"shard", or_null(integer(1))},
          {"status", one_of({"queued", "running", "succeeded", "failed", "partial", "refused", "cancelled", "waiting",
                             "interrupted"})},
          {"started", instant()},
          {"ended", or_null(instant())},
          {"trigger", text()},
          {"actor", text()},
          {"dagster_run", or_null(text())},
          {"host", text()},
          {"version", text()},
          {"environment", text()},
          {"plan", text()},
          {"error", or_null(failure_schema())}};
}

std::vector<Member> approval_members() {
  return {{"run", text()},
          {"job", text()},
          {"digest", text()},
          {"tasks", list_of(text())},
          {"reasons", anything()},
          {"state", one_of({"waiting", "approved", "used", "rejected", "expired", "withdrawn"})},
          {"asked", instant()},
          {"asked_by", text()},
          {"expires", instant()},
          {"four_eyes", flag()},
          {"decided", or_null(instant())},
          {"decided_by", text()},
          {"reason", text()},
          {"break_glass", flag()},
          {"used", or_null(instant())}};
}

Schema with(std::vector<Member> members, std::vector<Member> more) {
  members.insert(members.end(), more.begin(), more.end());
  return object(members);
}

Schema role() { return one_of({"viewer", "operator", "approver", "administrator"}); }

std::vector<Member> token_members() {
  return {{"id", text()},
          {"name", text()},
          {"role", role()},
          {"owner", or_null(text())},
          {"made", instant()},
          {"made_by", text()},
          {"expires", or_null(instant())},
          {"used", or_null(instant())},
          {"revoked", or_null(instant())}};
}

}  // namespace

Schema run_schema() { return object(run_members()); }
Schema run_detail_schema() {
  return with(run_members(), {{"tasks", list_of(task_result_schema())},
                              {"dagster_url", or_null(text())},
                              {"progress", or_null(progress_schema())}});
}
Schema approval_schema() { return object(approval_members()); }
Schema approval_detail_schema() { return with(approval_members(), {{"plan", or_null(plan_schema())}}); }

Schema tick_schema() {
  return object({{"job", text()},
                 {"tick", instant()},
                 {"outcome", text()},
                 {"reason", text()},
                 {"since", or_null(instant())},
                 {"run", or_null(text())},
                 {"decided", instant()},
                 {"daemon", text()}});
}

Schema outlook_schema(const std::vector<Member>& more) {
  return with({{"job", text()},
               {"schedule", text()},
               {"words", text()},
               {"time_zone", text()},
               {"standing", one_of({"scheduled", "paused", "frozen", "blackout", "waiting", "unkept", "off", "left",
                                    "not-configured"})},
               {"reason", or_null(text())},
               {"next", or_null(instant())},
               {"fires", or_null(instant())},
               {"fires_local", or_null(instant())},
               {"starts", or_null(instant())},
               {"kept", flag()},
               {"last_tick", or_null(tick_schema())}},
              more);
}

Schema pause_schema() {
  return object({{"id", text()},
                 {"job", text()},
                 {"reason", text()},
                 {"who", text()},
                 {"made", instant()},
                 {"until", or_null(instant())},
                 {"lifted", or_null(instant())}});
}

Schema freeze_schema() {
  return object({{"id", text()},
                 {"reason", text()},
                 {"who", text()},
                 {"made", instant()},
                 {"until", or_null(instant())},
                 {"lifted", or_null(instant())}});
}

Schema hold_schema() {
  return object({{"id", text()},
                 {"kind", one_of({"row", "file", "object"})},
                 {"target", text()},
                 {"key", text()},
                 {"prefix", flag()},
                 {"where", list_of(text())},
                 {"glob", or_null(text())},
                 {"reason", text()},
                 {"who", text()},
                 {"made", instant()},
                 {"until", or_null(instant())},
                 {"released", or_null(instant())}});
}

Schema audit_schema() {
  return object({{"number", integer(1)},
                 {"at", instant()},
                 {"actor", text()},
                 {"act", text()},
                 {"subject", text()},
                 {"detail", anything()},
                 {"hash", text()}});
}

Schema user_schema() {
  return object({{"user", text()},
                 {"role", role()},
                 {"disabled", flag()},
                 {"made", instant()},
                 {"signed_in", or_null(instant())}});
}

Schema token_schema() { return object(token_members()); }
Schema token_schema_with_secret() { return with(token_members(), {{"token", text()}}); }

Schema delivery_schema() {
  return object({{"delivery", integer(1)},
                 {"channel", text()},
                 {"topic", text()},
                 {"job", text()},
                 {"title", or_null(text())},
                 {"run", or_null(text())},
                 {"state", one_of({"waits", "tried", "sent", "given up"})},
                 {"made", instant()},
                 {"due", instant()},
                 {"attempts", integer(0)},
                 {"error", or_null(text())},
                 {"sent", or_null(instant())},
                 {"given_up", or_null(instant())}});
}

Schema operation_schema() {
  return object({{"id", text()},
                 {"kind", text()},
                 {"state", one_of({"queued", "running", "succeeded", "failed"})},
                 {"who", text()},
                 {"asked", instant()},
                 {"ended", or_null(instant())},
                 {"error", or_null(failure_schema())},
                 {"result", anything(), optional}});
}

Schema list_document(const std::string& name, const Schema& element) { return object({{name, list_of(element)}}); }
Schema page_document(const std::string& name, const Schema& element) {
  return object({{name, list_of(element)}, {"next", or_null(text())}});
}

}  // namespace steward::api
