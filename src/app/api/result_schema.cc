#include "app/api/result_schema.h"

#include "app/api/documents_schema.h"

namespace steward::api {
namespace {

Schema skips() { return list_of(object({{"reason", text()}, {"items", integer(0)}, {"examples", list_of(text())}})); }
Schema rate() { return or_null(object({{"items", number()}, {"bytes", or_null(number())}})); }
Schema bytes() { return integer(0); }

std::vector<Member> forecast_members() {
  return {{"trend", one_of({"unknown", "keeping_up", "catching_up", "standing_still", "losing_ground"})},
          {"backlog", amount_schema()},
          {"come_a_night", rate()},
          {"go_a_night", rate()},
          {"nights", or_null(integer(0))},
          {"reason", text()}};
}

Schema step_schema() {
  return object(
      {{"task", text()},
       {"status", one_of({"ready", "not_configured", "off", "failed"})},
       {"target", text()},
       {"identity", text()},
       {"age", text()},
       {"strategy", text()},
       {"filter", text()},
       {"reason", text()},
       {"cutoff", or_null(instant())},
       {"final", flag()},
       {"planned", amount_schema()},
       {"population", or_null(integer(0))},
       {"oldest", or_null(instant())},
       {"newest", or_null(instant())},
       {"samples", list_of(object({{"item", text()}, {"at", or_null(instant())}, {"bytes", or_null(bytes())}}))},
       {"skipped", skips()},
       {"notes", list_of(text())},
       {"needs", list_of(text())},
       {"items", text()},
       {"error", or_null(failure_schema())},
       {"forecast", object(forecast_members()), optional},
       {"brake", failure_schema(), optional},
       {"consequences",
        list_of(
            object({{"target", text()}, {"what", text()}, {"rows", integer(0)}, {"population", integer(0), optional}})),
        optional}});
}

Schema freshness_schema() {
  return object({{"job", text()},
                 {"task", text()},
                 {"newest", or_null(instant())},
                 {"age_seconds", or_null(integer())},
                 {"proved", or_null(instant())},
                 {"proof_age_seconds", or_null(integer())},
                 {"proof_seconds", or_null(number())},
                 {"stale", flag()}});
}

Schema keepers_schema() {
  return object({{"alive", flag()},
                 {"daemons", list_of(object({{"daemon", or_null(text())},
                                             {"jobs", or_null(list_of(text()))},
                                             {"here", flag()},
                                             {"decides", flag()},
                                             {"since", or_null(instant())},
                                             {"until", or_null(instant())},
                                             {"url", or_null(text())}}))}});
}

}  // namespace

Schema amount_schema() { return object({{"items", integer(0)}, {"bytes", or_null(bytes())}}); }

Schema failure_schema() {
  return object({{"kind", text()},
                 {"message", text()},
                 {"hint", text()},
                 {"code", text(), optional},
                 {"page", text(), optional}});
}

Schema plan_schema() {
  return object({{"format", integer(1)},
                 {"job", text()},
                 {"made", instant()},
                 {"environment", text()},
                 {"digest", text(), optional},
                 {"tasks", list_of(step_schema())}});
}

Schema task_result_schema() {
  return object({{"task", text()},
                 {"status", text()},
                 {"needs", list_of(text())},
                 {"planned", amount_schema()},
                 {"done", amount_schema()},
                 {"skipped", skips()},
                 {"notes", list_of(text())},
                 {"error", or_null(failure_schema())},
                 {"seconds", number(), optional}});
}

Schema progress_schema() { return object({{"task", text()}, {"done", amount_schema()}, {"planned", amount_schema()}}); }

Schema overview_schema() {
  std::vector<Member> forecast{{"job", text()}, {"task", text()}};
  for (const Member& member : forecast_members()) forecast.push_back(member);
  return object({{"jobs", list_of(object({{"job", text()},
                                          {"last", or_null(run_schema())},
                                          {"last_success", or_null(instant())},
                                          {"parts", list_of(run_schema())}}))},
                 {"forecasts", list_of(object(forecast))},
                 {"schedules", list_of(outlook_schema({}))},
                 {"backups", list_of(freshness_schema())},
                 {"daemon", keepers_schema()},
                 {"holds", integer(0)},
                 {"freezes", list_of(text())},
                 {"attention", list_of(text())},
                 {"ledger", text()},
                 {"state", object({{"folder", text()},
                                   {"ledger", bytes()},
                                   {"run_logs", bytes()},
                                   {"plans", bytes()},
                                   {"removal_lists", bytes()},
                                   {"other", bytes()}})}});
}

Schema archive_list_schema() {
  return object({{"archives", list_of(text())},
                 {"runs", list_of(object({{"run", text()},
                                          {"archive", text()},
                                          {"task", text()},
                                          {"table", text()},
                                          {"items", integer(0)},
                                          {"bytes", bytes()},
                                          {"began", instant()},
                                          {"finished", flag()}}))}});
}

Schema archive_page_schema() {
  const Schema file = object({{"copy", text()}, {"source", text()}, {"sha256", text()}, {"bytes", bytes()}});
  const Schema referring = object({{"table", text()},
                                   {"key_columns", list_of(text())},
                                   {"columns", list_of(text())},
                                   {"row", members()},
                                   {"went", flag(), optional}});
  const Schema row = object({{"archive", text()},
                             {"run", text()},
                             {"task", text()},
                             {"table", text()},
                             {"key", text()},
                             {"archived", instant()},
                             {"row", members()},
                             {"file", or_null(file)},
                             {"file_missing", flag()},
                             {"referring", list_of(referring)}});
  return object({{"rows", list_of(row)}, {"looked_at", integer(0)}, {"next", or_null(text())}});
}

Schema archive_verdict_schema() {
  return object(
      {{"archives", list_of(text())}, {"copies", integer(0)}, {"bytes", bytes()}, {"faults", list_of(text())}});
}

Schema run_result_schema() {
  return object({{"run", text()},
                 {"job", text()},
                 {"status", text()},
                 {"plan", text()},
                 {"tasks", list_of(task_result_schema())}});
}

Schema backup_list_schema() {
  const Schema stored = object({{"key", text()}, {"bytes", bytes()}, {"uncompressed", bytes()}, {"sha256", text()}});
  const Schema proof =
      object({{"depth", one_of({"bytes", "restore"})}, {"at", instant()}, {"faults", list_of(text())}});
  const Schema backup = object({{"format", integer(1)},
                                {"kind", text()},
                                {"id", text()},
                                {"name", text()},
                                {"run", text()},
                                {"database", text()},
                                {"identity", text()},
                                {"server", text()},
                                {"client", text()},
                                {"encoding", text()},
                                {"database_size", bytes()},
                                {"snapshot", text()},
                                {"lsn", text()},
                                {"begun", instant()},
                                {"ended", instant()},
                                {"objects", list_of(stored)},
                                {"tables", integer(0)},
                                {"rows", integer(0)},
                                {"large_objects", integer(0)},
                                {"steward", text()},
                                {"by_hand", list_of(text())},
                                {"task", text()},
                                {"store", text()},
                                {"bytes", bytes()},
                                {"standing", one_of({"restored", "read", "not proved", "bad"})},
                                {"proofs", list_of(proof)}});
  return object({{"stores", list_of(text())}, {"backups", list_of(backup)}, {"copies", list_of(backup)}});
}

Schema channel_test_schema() { return object({{"channel", text()}, {"arrived", flag()}, {"error", or_null(text())}}); }

}  // namespace steward::api
