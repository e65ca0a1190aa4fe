#include "app/documents/documents.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "engine/notify/message.h"
#include "jobs/backup/manifest.h"
#include "jobs/retention/conditions.h"

namespace steward::app {
namespace {
using nlohmann::json;

json text_or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(printable(text)); }

/// A document that another part has written.
json document_in(const std::string& text) {
  json document = json::parse(text, nullptr, false);
  return document.is_discarded() ? json(nullptr) : document;
}

}  // namespace

json or_null(const std::optional<Instant>& instant) { return instant ? json(format_instant(*instant)) : json(nullptr); }

std::string dagster_run_of(const ledger::Run& run) {
  return run.trigger == "dagster" && run.actor.starts_with(dagster_actor) ? run.actor.substr(dagster_actor.size()) : "";
}

json document_of(const ledger::Run& run) {
  return {{"run", run.id},
          {"job", run.job},
          {"scope", run.scope.empty() ? json(nullptr) : json(split(run.scope, ','))},
          {"shard", run.shard == 0 ? json(nullptr) : json(run.shard)},
          {"status", ledger::name_of(run.status)},
          {"started", format_instant(run.started)},
          {"ended", or_null(run.ended)},
          {"trigger", run.trigger},
          {"actor", run.actor},
          {"dagster_run", text_or_null(dagster_run_of(run))},
          {"host", run.process.host},
          {"version", run.version},
          {"environment", run.environment},
          {"plan", run.plan_digest},
          {"error", run.error.empty() ? json(nullptr) : document_in(run.error)}};
}

json document_of(const ledger::Approval& approval) {
  return {{"run", approval.run},
          {"job", approval.job},
          {"digest", approval.digest},
          {"tasks", approval.tasks},
          {"reasons", document_in(approval.reasons)},
          {"state", ledger::name_of(approval.state)},
          {"asked", format_instant(approval.asked)},
          {"asked_by", printable(approval.asked_by)},
          {"expires", format_instant(approval.expires)},
          {"four_eyes", approval.four_eyes},
          {"decided", or_null(approval.decided)},
          {"decided_by", printable(approval.decided_by)},
          {"reason", printable(approval.decision)},
          {"break_glass", approval.break_glass},
          {"used", or_null(approval.used)}};
}

json document_of(const ledger::Tick& tick) {
  return {{"job", tick.job},
          {"tick", format_instant(tick.due)},
          {"outcome", tick.outcome},
          {"reason", printable(tick.reason)},
          {"since", or_null(tick.since)},
          {"run", text_or_null(tick.run)},
          {"decided", format_instant(tick.decided)},
          {"daemon", tick.daemon}};
}

json document_of(const ledger::Pause& pause) {
  return {{"id", pause.id},
          {"job", pause.job},
          {"reason", printable(pause.reason)},
          {"who", pause.who},
          {"made", format_instant(pause.made)},
          {"until", or_null(pause.until)},
          {"lifted", or_null(pause.lifted)}};
}

json document_of(const ledger::Freeze& freeze) {
  return {{"id", freeze.id},
          {"reason", printable(freeze.reason)},
          {"who", freeze.who},
          {"made", format_instant(freeze.made)},
          {"until", or_null(freeze.until)},
          {"lifted", or_null(freeze.lifted)}};
}

std::vector<std::string> conditions_of(const ledger::Hold& hold) {
  std::vector<std::string> texts;
  if (hold.kind != "row" || hold.condition.empty()) return texts;
  const auto conditions = retention::conditions_from_json(hold.condition);
  if (!conditions) return {hold.condition};
  for (const retention::Where& where : *conditions) texts.push_back(retention::text_of(where));
  return texts;
}

json document_of(const ledger::Hold& hold) {
  return {{"id", hold.id},
          {"kind", hold.kind},
          {"target", hold.target},
          {"key", printable(hold.key)},
          {"prefix", hold.prefix},
          {"where", conditions_of(hold)},
          {"glob", hold.kind == "row" ? json(nullptr) : text_or_null(hold.condition)},
          {"reason", printable(hold.reason)},
          {"who", hold.who},
          {"made", format_instant(hold.made)},
          {"until", or_null(hold.until)},
          {"released", or_null(hold.released)}};
}

json document_of(const ledger::AuditLine& line) {
  return {{"number", line.number},
          {"at", format_instant(line.at)},
          {"actor", printable(line.actor)},
          {"act", line.act},
          {"subject", printable(line.subject)},
          {"detail", line.detail.empty() ? json(nullptr) : document_in(line.detail)},
          {"hash", line.hash}};
}

json document_of(const ledger::User& user) {
  return {{"user", user.name},
          {"role", ledger::name_of(user.role)},
          {"disabled", user.disabled},
          {"made", format_instant(user.made)},
          {"signed_in", or_null(user.signed_in)}};
}

json document_of(const ledger::Token& token) {
  return {{"id", token.id},
          {"name", printable(token.name)},
          {"role", ledger::name_of(token.role)},
          {"owner", text_or_null(token.owner)},
          {"made", format_instant(token.made)},
          {"made_by", token.made_by},
          {"expires", or_null(token.expires)},
          {"used", or_null(token.used)},
          {"revoked", or_null(token.revoked)}};
}

json document_of(const ledger::Delivery& delivery) {
  const auto message = notify::message_from_json(delivery.message);
  const char* state = delivery.sent            ? "sent"
                      : delivery.given_up      ? "given up"
                      : delivery.attempts == 0 ? "waits"
                                               : "tried";
  return {{"delivery", delivery.id},
          {"channel", printable(delivery.channel)},
          {"topic", delivery.topic},
          {"job", printable(delivery.job)},
          {"title", message ? text_or_null(message->title) : json(nullptr)},
          {"run", message ? text_or_null(message->run) : json(nullptr)},
          {"state", state},
          {"made", format_instant(delivery.made)},
          {"due", format_instant(delivery.due)},
          {"attempts", delivery.attempts},
          {"error", text_or_null(delivery.error)},
          {"sent", or_null(delivery.sent)},
          {"given_up", or_null(delivery.given_up)}};
}

json document_of(const engine::Outlook& outlook) {
  return {{"job", outlook.job},
          {"schedule", outlook.schedule},
          {"words", outlook.words},
          {"time_zone", outlook.zone.name()},
          {"standing", engine::name_of(outlook.standing)},
          {"reason", text_or_null(outlook.reason)},
          {"next", or_null(outlook.next)},
          {"fires", or_null(outlook.fires)},
          {"fires_local", outlook.fires ? json(format_local(*outlook.fires, outlook.zone)) : json(nullptr)},
          {"starts", or_null(outlook.starts)},
          {"kept", outlook.kept},
          {"last_tick", outlook.last ? document_of(*outlook.last) : json(nullptr)}};
}

json document_of(const std::vector<engine::Keeper>& keepers) {
  json all = json::array();
  bool alive = false;
  for (const engine::Keeper& keeper : keepers) {
    alive |= keeper.decides;
    all.push_back({{"daemon", text_or_null(keeper.daemon)},
                   {"jobs", keeper.jobs.empty() ? json(nullptr) : json(keeper.jobs)},
                   {"here", keeper.here},
                   {"decides", keeper.decides},
                   {"since", or_null(keeper.since)},
                   {"until", or_null(keeper.until)},
                   {"url", text_or_null(keeper.url)}});
  }
  return {{"alive", alive}, {"daemons", all}};
}

json document_of(const engine::Freshness& freshness, Instant now) {
  const auto age = [&](const std::optional<Instant>& at) {
    return at ? json(std::chrono::floor<std::chrono::seconds>(now - *at).count()) : json(nullptr);
  };
  return {{"job", freshness.job},
          {"task", freshness.task},
          {"newest", or_null(freshness.newest)},
          {"age_seconds", age(freshness.newest)},
          {"proved", or_null(freshness.proved)},
          {"proof_age_seconds", age(freshness.proved)},
          {"proof_seconds",
           freshness.proof_took ? json(static_cast<double>(freshness.proof_took->count()) / 1e6) : json(nullptr)},
          {"stale", freshness.is_stale(now)}};
}

json document_of(const backup::Backup& one, std::string_view task, std::string_view store) {
  json out = backup::to_json(one.manifest);
  out["task"] = task;
  out["store"] = store;
  out["bytes"] = one.manifest.size().count;
  out["standing"] = one.standing();
  json proofs = json::array();
  for (const backup::Proof& proof : one.proofs)
    proofs.push_back(
        {{"depth", backup::text_of(proof.depth)}, {"at", format_instant(proof.at)}, {"faults", proof.faults}});
  out["proofs"] = proofs;
  return out;
}

}  // namespace steward::app
