// doctor --grants: the rights of the configured tasks, as statements to run

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "io/sql/grants.h"
#include "io/sql/strain.h"
#include "jobs/retention/grants.h"

namespace steward::app {
namespace {
using nlohmann::json;

/// Rights by database, each once, in the order of the tasks.
class Collection {
 public:
  explicit Collection(const Session& session) : settings_(session.settings), caller_(caller("doctor", "")) {
    untouched_ = out_of_reach(settings_, session.state, caller_);
  }

  Result<void> collect() {
    bool removes_files = false;
    for (const retention::TaskSpec& spec : settings_.cleanup) {
      if (!spec.policy) continue;
      const retention::Policy& policy = *spec.policy;
      if (const auto* rows = std::get_if<retention::RowPolicy>(&policy))
        TRY(add(rows->rows.database, retention::row_rights(*rows)));
      if (const auto* files = std::get_if<retention::FileRowPolicy>(&policy)) {
        TRY(add(files->rows.database, retention::row_rights(*files)));
        add_buckets(retention::source_rights(*files));
      }
      if (const auto* objects = std::get_if<retention::ObjectPolicy>(&policy))
        add_buckets(retention::expiry_rights(*objects));
      if (const retention::ArchiveRules* archive = retention::archive_of(policy))
        add_buckets(retention::archive_rights(archive->store));
      removes_files = removes_files || retention::rows_of(policy) == nullptr;
    }
    if (!removes_files) return {};
    for (const retention::NeededBy& needed : untouched_.needed)
      TRY(add(needed.database, retention::need_rights(needed)));
    return {};
  }

  /// GRANT statements for one database.
  Result<std::string> statements(const std::string& url, const std::string& role) const {
    const auto db = TRY(sql::connect({.url = url, .application = caller_.agent}));
    const std::string grantee = role.empty() ? TRY(db->user()) : role;
    if (db->dialect() == sql::Dialect::sqlite) return std::string{};
    std::string out;
    std::vector<std::string> schemas;
    for (const sql::Right& right : rights_.at(url))
      if (right.schema != "public" && std::ranges::find(schemas, right.schema) == schemas.end())
        schemas.push_back(right.schema);
    for (const std::string& schema : schemas)
      out += fmt::format("grant usage on schema {} to {};\n", TRY(db->quote_identifier(schema)),
                         TRY(db->quote_identifier(grantee)));
    for (const std::string& statement : split(TRY(sql::grants(*db, rights_.at(url), grantee)), ';'))
      if (!trim(statement).empty()) out += std::string(trim(statement)) + ";\n";
    if (!TRY(sql::sees_replicas(*db)))
      out += fmt::format("-- So that replicas which fall behind are seen and waited for:\n-- grant pg_monitor to {};\n",
                         TRY(db->quote_identifier(grantee)));
    return out;
  }

  const std::map<std::string, std::vector<sql::Right>>& rights() const { return rights_; }

  /// As an IAM policy's document; null where no bucket is used.
  json bucket_policy() const {
    if (buckets_.empty()) return nullptr;
    json statements = json::array();
    for (const retention::BucketRights& one : buckets_) {
      const std::string resource = fmt::format("arn:aws:s3:::{}{}", one.bucket, one.keys.empty() ? "" : '/' + one.keys);
      statements.push_back({{"Effect", "Allow"}, {"Action", one.actions}, {"Resource", resource}});
    }
    return {{"Version", "2012-10-17"}, {"Statement", std::move(statements)}};
  }

 private:
  Result<void> add(const sql::Target& database, Result<std::vector<sql::Right>> rights) {
    for (sql::Right& right : TRY(std::move(rights))) {
      std::vector<sql::Right>& known = rights_[database.url];
      // A right on the whole table has those on its columns in it.
      const bool covered = std::ranges::any_of(known, [&](const sql::Right& other) {
        return other.privilege == right.privilege && other.schema == right.schema && other.table == right.table &&
               (other.columns.empty() || other.columns == right.columns);
      });
      if (!covered) known.push_back(std::move(right));
    }
    return {};
  }

  void add_buckets(std::vector<retention::BucketRights> rights) {
    for (retention::BucketRights& one : rights) {
      const bool known = std::ranges::any_of(buckets_, [&](const retention::BucketRights& other) {
        return other.bucket == one.bucket && other.keys == one.keys && other.actions == one.actions;
      });
      if (!known) buckets_.push_back(std::move(one));
    }
  }

  const Settings& settings_;
  Caller caller_;
  retention::OutOfReach untouched_{};
  std::map<std::string, std::vector<sql::Right>> rights_{};
  std::vector<retention::BucketRights> buckets_{};
};

}  // namespace

Result<int> grants_command(const Output& output, const std::string& role) {
  std::vector<std::string> warnings;
  const Session session = TRY(open_session(warnings));
  Collection collection(session);
  TRY(collection.collect());
  json databases = json::array();
  for (const auto& [url, rights] : collection.rights()) {
    const std::string statements = TRY(collection.statements(url, role));
    const std::string shown = TRY(sql::connect({.url = url}))->shown();
    databases.push_back({{"database", shown}, {"statements", statements}});
    if (output.json) continue;
    print(fmt::format("-- {}\n", shown));
    print(statements.empty() ? "-- SQLite has no rights of its own: this user writes the file and its folder.\n"
                             : statements);
  }
  const json policy = collection.bucket_policy();
  if (output.json)
    print_json({{"databases", databases}, {"bucket_policy", policy}});
  else if (!policy.is_null())
    print(fmt::format("-- S3: the policy of the user or role whose keys are used\n{}\n", policy.dump(2)));
  return 0;
}

}  // namespace steward::app
