#include "jobs/backup/pgbackrest_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "core/text.h"

namespace steward::backup {
namespace {

constexpr std::string_view dump = "dump", pgbackrest = "pgbackrest";
constexpr std::array<std::string_view, 5> of_pgbackrest{"stanza", "config", "repo", "user", "type"};
constexpr std::array<std::string_view, 6> of_both{"enabled", "approval", "engine", "database", "proof", "clients"};

bool is_of(std::span<const std::string_view> keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

/// pgBackRest's own rule: a stanza is a folder's name.
bool is_stanza(std::string_view name) {
  return !name.empty() && !name.starts_with('-') && name.find_first_of("/\\ \t\n'\"") == std::string_view::npos;
}

}  // namespace

std::vector<Field> pgbackrest_fields() {
  const Shape type = record(
      "type",
      {{.key = "full", .what = "a full one where the last is older", .shape = scalar(Scalar::age), .example = "7 days"},
       {.key = "diff",
        .what = "a differential one where the last full or differential one is older",
        .shape = scalar(Scalar::age),
        .example = "1 day"}});
  return {
      {.key = "engine",
       .what = "dump: steward dumps the database into a store; pgbackrest: it drives an installed pgBackRest, which "
               "backs up the whole cluster with its write-ahead log, for recovery to any moment",
       .shape = choice({std::string(dump), std::string(pgbackrest)}),
       .fallback = std::string(dump),
       .example = std::string(pgbackrest)},
      {.key = "stanza",
       .what = "pgbackrest: the stanza, as its own file has it; needed",
       .shape = scalar(Scalar::text),
       .example = "app"},
      {.key = "config",
       .what = "pgbackrest: its file",
       .shape = scalar(Scalar::text),
       .fallback = "its own default",
       .example = "/etc/pgbackrest/pgbackrest.conf"},
      {.key = "repo",
       .what = "pgbackrest: which repository, where there are several",
       .shape = scalar(Scalar::integer),
       .fallback = "pgBackRest chooses",
       .example = "2"},
      {.key = "user",
       .what = "pgbackrest: whom it runs as, the user of the database's server",
       .shape = scalar(Scalar::text),
       .fallback = "as root postgres, else as steward itself",
       .example = "postgres"},
      {.key = "type",
       .what = "pgbackrest: which type a backup has; else it is incremental, and the first is full",
       .shape = type,
       .example = "{full: 7 days, diff: 1 day}"}};
}

bool is_pgbackrest(const Node& policy) { return policy.text_at("engine", dump) == pgbackrest; }

void check_engine(const Node& policy, const std::string& what, std::vector<Error>& errors) {
  const bool with_pgbackrest = is_pgbackrest(policy);
  const auto needs = [&](const char* key, const char* why, const char* example) {
    if (policy.find(key) == nullptr)
      errors.push_back(error_at(policy.at, fmt::format("{} has no {}: {}", what, key, why),
                                fmt::format("For example: {}: {}", key, example)));
  };
  for (const Member& member : policy.members) {
    const bool is_its = is_of(of_pgbackrest, member.key);
    if (!with_pgbackrest && is_its)
      errors.push_back(error_at(member.at,
                                fmt::format("{} is of engine: pgbackrest, and {} has none", member.key, what),
                                "Add engine: pgbackrest, or leave it out."));
    else if (with_pgbackrest && !is_its && !is_of(of_both, member.key))
      errors.push_back(error_at(member.at,
                                fmt::format("{} is of dumps, and {} has engine: pgbackrest", member.key, what),
                                "Repositories, retention and encryption are configured in pgBackRest's own file."));
  }
  if (with_pgbackrest) {
    needs("stanza", "as pgBackRest's own file has it", "app");
    return;
  }
  needs("database", "which database, by its name under databases; not one behind a pooler of transactions", "app");
  needs("store",
        "where backups go, by its name under stores; a bucket that nothing else uses, with a key of its own, is best",
        "backups");
}

PgBackRest read_pgbackrest(const Node& policy, const std::function<std::string(const Node&)>& path,
                           std::vector<Error>& errors) {
  PgBackRest out{.stanza = policy.text_at("stanza"), .user = policy.text_at("user")};
  if (const Node* stanza = policy.find("stanza"); stanza != nullptr && !is_stanza(stanza->text))
    errors.push_back(error_at(stanza->at, fmt::format("\"{}\" cannot be a stanza", printable(stanza->text)),
                              "Write it as it stands in brackets in pgBackRest's own file."));
  if (const Node* config = policy.find("config")) out.config = path(*config);
  if (const Node* clients = policy.find("clients")) out.clients = path(*clients);
  if (const Node* repo = policy.find("repo")) {
    constexpr unsigned most = 256;
    std::from_chars(repo->text.data(), repo->text.data() + repo->text.size(), out.repo);
    if (out.repo == 0 || out.repo > most)
      errors.push_back(error_at(repo->at, fmt::format("there is no repository {}", printable(repo->text)),
                                "Write its number, as in repo2-path."));
  }
  const auto age = [](const Node& node, std::string_view key) -> std::optional<Age> {
    if (node.find(key) == nullptr) return std::nullopt;
    const auto found = parse_age(node.text_at(key));
    return found ? std::optional(*found) : std::nullopt;
  };
  if (const Node* type = policy.find("type"))
    out.type = {.full = age(*type, "full"), .differential = age(*type, "diff")};
  return out;
}

}  // namespace steward::backup
