#include "jobs/backup/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <tuple>

#include "core/text.h"
#include "io/sql/database_url.h"
#include "jobs/backup/age.h"
#include "jobs/backup/pgbackrest_section.h"
#include "run/task_section.h"

namespace steward::backup {
namespace {

constexpr int lowest_level = 1, highest_level = 19;

bool is_segment(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 128 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string_view::npos;
}

bool is_sqlite(const std::string& database_url) {
  const auto url = sql::parse_database_url(database_url);
  return url && url->dialect == sql::Dialect::sqlite;
}

std::vector<std::pair<std::string_view, unsigned*>> counts(Keep& keep) {
  return {{"last", &keep.last},
          {"daily", &keep.daily},
          {"weekly", &keep.weekly},
          {"monthly", &keep.monthly},
          {"yearly", &keep.yearly}};
}

class Reader {
 public:
  Reader(const Names& names, std::vector<Error>& errors) : names_(names), errors_(errors) {}

  PolicySpec spec(const Member& member) {
    const Node& node = member.value;
    const TaskSwitches switches = read_switches(node);
    PolicySpec spec{.name = member.key, .off_by = switches.off_by, .approval = switches.approval, .at = member.at};
    if (!is_task_name(member.key))
      wrong(member.at, fmt::format("\"{}\" cannot be a task's name", printable(member.key)),
            "Use letters, digits and -, as in app-nightly.");
    check_engine(node, fmt::format("backup policy \"{}\"", printable(member.key)), errors_);
    if (is_pgbackrest(node)) {
      spec.pgbackrest = cluster(node);
      if (!stanzas_.emplace(spec.pgbackrest->config, spec.pgbackrest->stanza, spec.pgbackrest->repo).second)
        wrong(member.at, fmt::format("another policy has the stanza {}", printable(spec.pgbackrest->stanza)));
      return spec;
    }
    spec.policy = policy(node);
    read_several(member, spec);
    take_place(member.at, spec.policy->store.url, spec.policy->name);
    if (spec.policy->copy) take_place(member.at, spec.policy->copy->store.url, spec.policy->name);
    return spec;
  }

 private:
  void take_place(const SourcePlace& at, const std::string& store, const std::string& name) {
    if (!places_.emplace(store, name).second)
      wrong(at, fmt::format("another policy has the folder {} in {}", name, store),
            "Give each a name of its own: name: app-weekly.");
  }

  void wrong(const SourcePlace& at, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(at, why, std::move(hint)));
  }

  template <class Target>
  Target named(const Node& node, std::string_view what, const std::map<std::string, Target>& known) {
    if (const auto found = known.find(node.text); found != known.end()) return found->second;
    std::vector<std::string> all;
    for (const auto& [name, target] : known) all.push_back(name);
    std::string hint = did_you_mean(node.text, all);
    if (hint.empty())
      hint = all.empty() ? fmt::format("Name it under {}s at the top.", what)
                         : fmt::format("The {}s are {}.", what, join_and(all));
    wrong(node.at, fmt::format("there is no {} \"{}\"", what, printable(node.text)), std::move(hint));
    return {};
  }

  PgBackRest cluster(const Node& node) {
    PgBackRest cluster = read_pgbackrest(node, names_.path, errors_);
    if (const Node* database = node.find("database")) cluster.database = named(*database, "database", names_.databases);
    if (const Node* proof = node.find("proof")) cluster.proof = read_proof(*proof);
    return cluster;
  }

  Policy policy(const Node& node) {
    Policy policy;
    if (const Node* database = node.find("database")) policy.database = named(*database, "database", names_.databases);
    if (const Node* store = node.find("store")) policy.store = named(*store, "store", names_.stores);
    if (const Node* name = node.find("name")) {
      policy.name = name->text;
      if (!is_segment(policy.name))
        wrong(name->at, fmt::format("\"{}\" cannot be a folder's name in a store", printable(policy.name)),
              "Use letters, digits, -, _ and .");
    } else {
      policy.name = folder_name(policy.database.url);
    }
    if (const Node* level = node.find("compress")) {
      std::from_chars(level->text.data(), level->text.data() + level->text.size(), policy.level);
      if (policy.level < lowest_level || policy.level > highest_level)
        wrong(level->at, fmt::format("zstd has no level {}", printable(level->text)),
              fmt::format("Write one from {} to {}.", lowest_level, highest_level));
    }
    policy.globals = node.text_at("globals", "true") == "true";
    read_format(node, policy);
    if (const Node* encrypt = node.find("encrypt"))
      for (const std::string& recipient : encrypt->texts()) {
        if (const auto good = check_recipient(recipient); !good)
          wrong(encrypt->at, good.error().message, good.error().hint);
        policy.recipients.push_back(recipient);
      }
    if (const Node* identity = node.find("identity")) policy.identity = names_.path(*identity);
    if (const Node* proof = node.find("proof")) policy.proof = read_proof(*proof);
    if (const Node* keep = node.find("keep")) policy.keep = read_keep(*keep);
    if (const Node* clients = node.find("clients")) policy.clients = names_.path(*clients);
    policy.locked = read_span(node, "object_lock", "30 days");
    if (node.find("lock_timeout") != nullptr)
      policy.lock_wait = std::chrono::ceil<std::chrono::milliseconds>(read_span(node, "lock_timeout", "5 minutes"));
    if (const Node* copy = node.find("copy_to")) {
      policy.copy = CopyRule{.store = named(*copy->find("store"), "store", names_.stores),
                             .locked = read_span(*copy, "object_lock", "30 days")};
      if (const Node* keep = copy->find("keep")) policy.copy->keep = read_keep(*keep);
    }
    return policy;
  }

  /// "databases: all", or globs, of the server that `database` is on.
  void read_several(const Member& member, PolicySpec& spec) {
    const Node *names = member.value.find("databases"), *except = member.value.find("except");
    if (names == nullptr) {
      if (except != nullptr) wrong(except->at, "except is for databases, which is not there", "Add databases: all.");
      return;
    }
    spec.several = Selection{.names = names->texts()};
    if (except != nullptr) spec.several->except = except->texts();
    if (spec.several->names.empty()) wrong(names->at, "databases names none", "Write all, or names and globs.");
    if (is_sqlite(spec.policy->database.url))
      wrong(names->at, "an SQLite file is one database", "Leave databases out.");
    // A folder for all of them: theirs are in it.
    if (member.value.find("name") == nullptr) spec.policy->name = spec.name;
  }

  void read_format(const Node& node, Policy& policy) {
    const Node *format = node.find("format"), *jobs = node.find("jobs");
    if (format != nullptr && format->text == "directory") policy.format = Format::directory;
    if (jobs != nullptr) {
      std::from_chars(jobs->text.data(), jobs->text.data() + jobs->text.size(), policy.jobs);
      if (policy.jobs < 1 || policy.jobs > most_jobs)
        wrong(jobs->at, fmt::format("{} tables cannot be dumped at once", printable(jobs->text)),
              fmt::format("Write a number from 1 to {}.", most_jobs));
      if (policy.format != Format::directory)
        wrong(jobs->at, "jobs is for format: directory; the custom format is one stream",
              "Add format: directory, or leave jobs out.");
    }
    if (policy.format == Format::directory && is_sqlite(policy.database.url))
      wrong(format->at, "an SQLite file is dumped as one", "Leave format out.");
  }

  /// Of a fixed length; nothing where it is not said.
  std::chrono::microseconds read_span(const Node& node, std::string_view key, std::string_view example) {
    const Node* said = node.find(key);
    if (said == nullptr) return {};
    const auto age = parse_age(said->text);
    const auto* span = age ? std::get_if<std::chrono::microseconds>(&age->span) : nullptr;
    if (span != nullptr) return *span;
    wrong(said->at, fmt::format("\"{}\" is no span of time of a fixed length", printable(said->text)),
          fmt::format("Write it like {}.", example));
    return {};
  }

  static ProofRule read_proof(const Node& node) {
    ProofRule rule;
    if (node.text_at("depth", "restore") == "bytes") rule.depth = Depth::bytes;
    if (const auto every = parse_age(node.text_at("every", "7 days"))) rule.every = *every;
    if (const auto largest = parse_bytes(node.text_at("largest")); largest && node.find("largest") != nullptr)
      rule.largest = *largest;
    return rule;
  }

  Keep read_keep(const Node& node) {
    Keep keep;
    for (const auto& [name, place] : counts(keep)) {
      const std::string text = node.text_at(name);
      std::from_chars(text.data(), text.data() + text.size(), *place);
    }
    if (const Node* within = node.find("within"))
      if (const auto age = parse_age(within->text)) keep.within = *age;
    if (keep.empty())
      wrong(node.at, "keep keeps nothing", "Write it like {daily: 14, monthly: 12}; without it, all are kept.");
    return keep;
  }

  const Names& names_;
  std::vector<Error>& errors_;
  std::set<std::pair<std::string, std::string>> places_{};
  std::set<std::tuple<std::string, std::string, unsigned>> stanzas_{};
};

}  // namespace

Shape backup_shape() {
  const Shape text = scalar(Scalar::text), number = scalar(Scalar::integer);
  const Shape proof = record(
      "proof",
      {{.key = "depth",
        .what = "restore: into a throwaway server, and compared; bytes: every object is read and hashed",
        .shape = choice({"restore", "bytes"}),
        .fallback = "restore",
        .example = "restore"},
       {.key = "every", .what = "how often", .shape = scalar(Scalar::age), .fallback = "7 days", .example = "1 day"},
       {.key = "largest",
        .what = "databases that are larger on their server's disk are not restored",
        .shape = scalar(Scalar::bytes),
        .example = "200 GiB"}});
  const Shape keep =
      record("keep", {{.key = "last", .what = "the newest", .shape = number, .example = "3"},
                      {.key = "daily", .what = "the newest of each of so many days", .shape = number, .example = "14"},
                      {.key = "weekly", .what = "of each of so many weeks", .shape = number, .example = "8"},
                      {.key = "monthly", .what = "of each of so many months", .shape = number, .example = "12"},
                      {.key = "yearly", .what = "of each of so many years", .shape = number, .example = "3"},
                      {.key = "within",
                       .what = "all that are no older than this",
                       .shape = scalar(Scalar::age),
                       .example = "7 days"}});
  const Field lock{.key = "object_lock",
                   .what =
                       "so long nobody can remove a backup, whatever key they have (compliance mode); the bucket has "
                       "to be made with object lock",
                   .shape = scalar(Scalar::age),
                   .example = "30 days"};
  const Shape copy =
      record("copy", {{.key = "store",
                       .what = "which, by its name under stores",
                       .shape = text,
                       .required = true,
                       .example = "offsite"},
                      {.key = "keep", .what = "which copies stay there; without it all stay", .shape = keep},
                      lock});
  std::vector<Field> fields = pgbackrest_fields();
  const std::vector<Field> of_dumps = {
      enabled_field(),
      approval_field(),
      {.key = "database",
       .what = "which database, by its name under databases; not one behind a pooler of transactions",
       .shape = text,
       .example = "app"},
      {.key = "store",
       .what = "where backups go, by its name under stores; a bucket that nothing else uses, with a key of its own, is "
               "best",
       .shape = text,
       .example = "backups"},
      {.key = "databases",
       .what = "PostgreSQL: several databases of the server that database is on, each with a backup of its own: all, "
               "or names with * and ?. Asked for at each plan",
       .shape = list_of(text),
       .example = "all"},
      {.key = "except",
       .what = "those of databases that are left out: names with * and ?",
       .shape = list_of(text),
       .example = "[postgres, tmp_*]"},
      {.key = "name",
       .what = "the folder in the store; of several databases the one that theirs are in",
       .shape = text,
       .fallback = "the database's name; of several the policy's",
       .example = "app"},
      {.key = "compress",
       .what = "zstd's level, 1 (fastest) to 19 (smallest)",
       .shape = scalar(Scalar::integer),
       .fallback = "3",
       .example = "9"},
      {.key = "globals",
       .what = "PostgreSQL: also roles and tablespaces, which belong to no database",
       .shape = scalar(Scalar::boolean),
       .fallback = "true",
       .example = "false"},
      {.key = "format",
       .what = "PostgreSQL: custom: one object, by one pg_dump; directory: an object for each table, several at once "
               "from one snapshot. Stock pg_restore restores either",
       .shape = choice({"custom", "directory"}),
       .fallback = "custom",
       .example = "directory"},
      {.key = "jobs",
       .what = "with format: directory so many tables at once; each costs the server a processor, and this machine "
               "one and some memory (the plan says how much)",
       .shape = number,
       .fallback = "2",
       .example = "4"},
      {.key = "lock_timeout",
       .what = "PostgreSQL: how long the dump waits for tables that somebody keeps locked, before it fails",
       .shape = scalar(Scalar::age),
       .fallback = "60 s",
       .example = "5 minutes"},
      {.key = "encrypt",
       .what = "public keys of age, to which backups are encrypted: who has one of the secret keys can read them",
       .shape = list_of(text),
       .example = "[age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]"},
      {.key = "identity",
       .what = "the file of a secret key of age, where this machine may read backups: to prove and to restore them",
       .shape = text,
       .example = "/etc/steward/backup.key"},
      {.key = "proof", .what = "proves the newest backup now and then; without it none is proved", .shape = proof},
      {.key = "keep",
       .what = "which backups stay, as restic has these words; without it all stay, and nothing is removed",
       .shape = keep,
       .example = "{daily: 14, weekly: 8, monthly: 12}"},
      {.key = "copy_to", .what = "a second store, with copies of its own", .shape = copy},
      lock,
      {.key = "clients",
       .what = "the folder of pg_dump, pg_dumpall, pg_restore and psql; else they are looked for, and those of the "
               "server's version taken",
       .shape = text,
       .example = "/usr/lib/postgresql/16/bin"}};
  fields.insert(fields.begin(), of_dumps.begin(), of_dumps.end());
  return map_of(record("backup policy", std::move(fields)));
}

const std::optional<ProofRule>& PolicySpec::proof() const {
  static const std::optional<ProofRule> none;
  if (pgbackrest) return pgbackrest->proof;
  return policy ? policy->proof : none;
}

std::vector<PolicySpec> read_backup(const Node& section, const Names& names, std::vector<Error>& errors) {
  Reader reader(names, errors);
  std::vector<PolicySpec> specs;
  for (const Member& member : section.members) specs.push_back(reader.spec(member));
  return specs;
}

TaskInfo backup_info(const PolicySpec& spec) {
  if (spec.pgbackrest)
    return {.name = spec.name,
            .title = fmt::format("the cluster of stanza {} is backed up by pgBackRest", spec.pgbackrest->stanza)};
  if (!spec.policy) return {.name = spec.name, .title = "the database is dumped into a store"};
  return {.name = spec.name, .title = fmt::format("{} is dumped into {}", spec.policy->name, spec.policy->store.url)};
}

TaskInfo several_info(const PolicySpec& spec) {
  const std::string which = join_and(spec.several->names);
  return {
      .name = spec.name,
      .title = fmt::format("each of the server's databases ({}) has a backup in {}", which, spec.policy->store.url)};
}

TaskInfo proof_info(const PolicySpec& spec) {
  TaskInfo info{.name = spec.name + ".proof", .title = "the newest backup is proved"};
  if (const std::optional<ProofRule>& proof = spec.proof())
    info.title = fmt::format("the newest backup of {} is {}, every {}",
                             spec.policy ? spec.policy->name : spec.pgbackrest->stanza,
                             proof->depth == Depth::bytes ? "read and hashed"
                             : spec.policy                ? "restored and compared"
                                                          : "restored and read",
                             format_age(proof->every));
  return info;
}

TaskInfo expire_info(const PolicySpec& spec) {
  TaskInfo info{.name = spec.name + ".expire", .title = "backups that no rule keeps are removed"};
  if (spec.pgbackrest)
    info.title = fmt::format("backups of stanza {} are removed that pgBackRest's retention does not keep",
                             spec.pgbackrest->stanza);
  if (spec.policy)
    info.title = fmt::format("backups of {} are removed but for {}", spec.policy->name, text_of(spec.policy->keep));
  return info;
}

TaskInfo copy_info(const PolicySpec& spec) {
  TaskInfo info{.name = spec.name + ".copy", .title = "new backups are copied into a second store"};
  if (spec.policy && spec.policy->copy)
    info.title = fmt::format("new backups of {} are copied into {}", spec.policy->name, spec.policy->copy->store.url);
  return info;
}

TaskInfo copy_expire_info(const PolicySpec& spec) {
  TaskInfo info{.name = spec.name + ".copy-expire", .title = "copies that no rule keeps are removed"};
  if (spec.policy && spec.policy->copy)
    info.title = fmt::format("copies of {} in {} are removed but for {}", spec.policy->name,
                             spec.policy->copy->store.url, text_of(spec.policy->copy->keep));
  return info;
}

Policy policy_of_copies(const Policy& policy) {
  Policy copies = policy;
  copies.store = policy.copy->store;
  copies.keep = policy.copy->keep;
  return copies;
}

Result<Keep> parse_keep(std::string_view text) {
  Keep keep;
  for (const std::string& part : split(text, ',')) {
    const std::string_view words = trim(part);
    const std::string_view name = words.substr(0, words.find(' '));
    const std::string_view value = trim(words.substr(name.size()));
    const auto known = counts(keep);
    const auto found = std::ranges::find(known, name, &std::pair<std::string_view, unsigned*>::first);
    bool good = false;
    if (name == "within") {
      const auto age = parse_age(value);
      if (age) keep.within = *age;
      good = age.has_value();
    } else if (found != known.end()) {
      const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), *found->second);
      good = failed == std::errc{} && end == value.data() + value.size() && *found->second > 0;
    }
    if (!good)
      return fail(Kind::bad_input, fmt::format("\"{}\" is no rule of what to keep", printable(words)),
                  "Write it like: last 3, daily 14, weekly 8, monthly 12, yearly 3, within 7 days.");
  }
  return keep;
}

std::string folder_name(const std::string& database_url) {
  const auto url = sql::parse_database_url(database_url);
  std::string name;
  if (url && url->dialect == sql::Dialect::sqlite)
    name = std::filesystem::path(url->path).stem().string();
  else if (url)
    for (const auto& [keyword, value] : url->keywords)
      if (keyword == "dbname") name = value;
  for (char& c : name)
    if (!is_segment(std::string_view(&c, 1)) && c != '.') c = '_';
  return is_segment(name) ? name : "database";
}

}  // namespace steward::backup
