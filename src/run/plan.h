/// Plans: what a job would do now, as values. Printed, saved, hashed, approved, sent elsewhere; never half-executed by
/// being looked at.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"

namespace steward {

/// How much: rows, files or objects (two rows that share a file are two), and their bytes where they are known.
struct Amount {
  std::uint64_t items = 0;
  std::optional<Bytes> bytes{};
  void add(std::uint64_t n, std::optional<Bytes> size = {});
  bool operator==(const Amount&) const = default;
};

/// One of the items, to look at.
struct Sample {
  std::string item{};  ///< Printable.
  std::optional<Instant> at{};
  std::optional<Bytes> size{};
};

/// Rows of another table that change because the planned items go.
struct Consequence {
  std::string target{};  ///< Which rows: "public.listings (mockup_id)".
  std::string what{};    ///< What becomes of them: "set-null", "archive-too".
  std::uint64_t rows = 0;
  std::optional<std::uint64_t> population{};  ///< All rows of that table, where these are deleted and were many.
};

/// Items that stay although they are old, by reason.
struct Skip {
  std::string reason{};  ///< "held", "referenced by listings", "no file", …
  std::uint64_t items = 0;
  std::vector<std::string> examples{};  ///< A few, printable.
};

/// Counts skips by reason, in the order in which reasons first came up.
class Skips {
 public:
  void add(std::string_view reason, std::string_view example = {}, std::uint64_t items = 1);
  const std::vector<Skip>& list() const { return list_; }

 private:
  std::vector<Skip> list_{};
};

/// How much in a night of 24 hours.
struct Rate {
  double items = 0;
  std::optional<double> bytes{};
};

/// Where a task's backlog is heading.
enum class Trend {
  unknown,         ///< Its earlier runs do not tell.
  keeping_up,      ///< Its last run left nothing.
  catching_up,     ///< Less is left from run to run.
  standing_still,  ///< As much is left from run to run.
  losing_ground,   ///< More is left from run to run.
};

/// What becomes of a task's backlog if it goes on as in its last runs; see run/forecast.h.
struct Forecast {
  Trend trend = Trend::unknown;
  Amount backlog{};                       ///< What waits now.
  std::optional<Rate> come{}, go{};       ///< In a night; absent where the runs do not tell.
  std::optional<std::uint64_t> nights{};  ///< Until nothing waits; absent where that is never, or not known.
  std::string reason{};                   ///< One line, for people.
};

enum class Readiness {
  ready,           ///< It was planned.
  not_configured,  ///< `needs` says what to set.
  off,             ///< Left off by a person: `reason` says where.
  failed,          ///< It could not be planned: `error`.
};

/// One line of a plan: what a task would do now.
struct Step {
  std::string task{};
  Readiness readiness = Readiness::ready;
  std::string target{};    ///< Absolute, without secrets: "postgresql://app@db/app table public.signals".
  std::string identity{};  ///< Names the database or the store itself, whatever it is called; empty where nothing does.
  std::string age{};       ///< Of the policy, for people: "30 days".
  std::string strategy{};  ///< How: "delete in batches of 10,000 by ctid".
  std::string filter{};    ///< Which items, exactly: "timestamp < cutoff; not referenced; not held".
  std::string reason{};    ///< Why these and why so, for people.
  Instant cutoff{};
  bool final = false;                         ///< What goes is gone for good.
  Amount planned{};                           ///< Without what is skipped. A ceiling for the run.
  std::vector<Consequence> consequences{};    ///< Of what goes, in other tables. A ceiling for the run, too.
  std::optional<std::uint64_t> population{};  ///< All items of the target, where they were counted.
  std::optional<Instant> oldest{}, newest{};  ///< Of the planned items.
  std::vector<Sample> samples{};
  std::vector<Skip> skipped{};
  std::vector<std::string> notes{};    ///< What a person should know: "the bytes stay: versioning is on".
  std::vector<std::string> needs{};    ///< Variables to set, where not configured.
  std::string items{};                 ///< SHA-256 of the item list beside the plan, where the task keeps one.
  std::optional<Error> brake{};        ///< Why `run` would refuse this step.
  std::optional<Error> error{};        ///< Why it could not be planned.
  std::optional<Forecast> forecast{};  ///< Of the moment: no part of the digest, and not read back.
};

struct Plan {
  std::string job{};
  Instant made{};
  std::string environment{};
  std::vector<Step> steps{};
};

/// The document of `plan --json` without its digest. `made`, samples and forecasts are for people.
nlohmann::json to_json(const Plan& plan);
nlohmann::json to_json(const Step& step);
nlohmann::json to_json(const Amount& amount);
nlohmann::json to_json(const std::vector<Skip>& skips);
nlohmann::json to_json(const Error& error);
nlohmann::json to_json(const Forecast& forecast);
/// Where its code is explained: "docs/refusals.md#freeze"; empty where it has none.
std::string page_of(const Error& error);
/// Reads parts back; what is absent or of another form is left at its default.
Amount amount_from_json(const nlohmann::json& document);
std::vector<Skip> skips_from_json(const nlohmann::json& document);
Error error_from_json(const nlohmann::json& document);
/// Reads it back. corrupt where it is not such a document, refused (code "plan-newer") where it is of a newer format.
Result<Plan> plan_from_json(const nlohmann::json& document);

/// What of a policy or its target differs between two steps of one task.
struct PolicyChange {
  std::string what{};  ///< "age", "filter", "target", "strategy", "identity".
  std::string before{}, now{};
  bool operator==(const PolicyChange&) const = default;
};
/// Empty where both are of the same policy for the same target: then a run of `now` is but the next one. Steps that
/// were not planned say nothing, and what an earlier steward did not note does not count as changed. Pure.
std::vector<PolicyChange> policy_changes(const Step& before, const Step& now);

/// The SHA-256, in hexadecimal, of the plan's canonical JSON (sorted keys, no spaces) without `made`, samples,
/// examples and forecasts.
std::string digest_of(const Plan& plan);

}  // namespace steward
