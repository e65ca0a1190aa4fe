#include "jobs/retention/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/text.h"
#include "core/zone.h"
#include "io/files/system_folders.h"
#include "run/task_section.h"

namespace steward::retention {
namespace {

struct OperatorKey {
  std::string_view key;
  Where::Is is;
  std::string_view what;
};
constexpr std::array operators{
    OperatorKey{"equals", Where::Is::equal, "the column is this"},
    OperatorKey{"not_equals", Where::Is::not_equal, "it is something else, and not NULL"},
    OperatorKey{"in", Where::Is::in, "it is one of these"},
    OperatorKey{"not_in", Where::Is::not_in, "it is none of these, and not NULL"},
    OperatorKey{"less_than", Where::Is::less, "it is less than this"},
    OperatorKey{"at_most", Where::Is::at_most, "it is this or less"},
    OperatorKey{"greater_than", Where::Is::greater, "it is more than this"},
    OperatorKey{"at_least", Where::Is::at_least, "it is this or more"},
    OperatorKey{"like", Where::Is::like, "it matches this SQL pattern: % any run of characters, _ one character"},
};

Shape condition_shape() {
  std::vector<Field> fields{{.key = "column",
                             .what = "the column that is looked at",
                             .shape = scalar(Scalar::text),
                             .required = true,
                             .example = "status"}};
  for (const OperatorKey& one : operators) {
    const bool several = one.is == Where::Is::in || one.is == Where::Is::not_in;
    fields.push_back({.key = std::string(one.key),
                      .what = std::string(one.what),
                      .shape = several ? list_of(scalar(Scalar::value)) : scalar(Scalar::value),
                      .example = several ? "[free, trial]" : "done"});
  }
  fields.push_back({.key = "is_null",
                    .what = "true: it is NULL; false: it is not",
                    .shape = scalar(Scalar::boolean),
                    .example = "false"});
  return record("condition", std::move(fields));
}

Field age_field(std::string what) {
  return {.key = "age", .what = std::move(what), .shape = scalar(Scalar::age), .required = true, .example = "30 days"};
}

std::vector<Field> row_fields() {
  return {
      enabled_field(),
      approval_field(),
      {.key = "database",
       .what = "which of the databases",
       .shape = scalar(Scalar::text),
       .fallback = "the only one",
       .example = "app"},
      {.key = "table",
       .what = "the table, as name or schema.name",
       .shape = scalar(Scalar::text),
       .required = true,
       .example = "signals"},
      {.key = "age_column",
       .what = "the column that says how old a row is",
       .shape = scalar(Scalar::text),
       .required = true,
       .example = "created_at"},
      age_field("rows whose age column lies further back than this are old; months and years are the calendar's"),
      {.key = "age_format",
       .what = "how the column says when: by its type, or as seconds or milliseconds since 1970",
       .shape = choice({"by-type", "epoch-seconds", "epoch-milliseconds"}),
       .fallback = "by-type",
       .example = "epoch-seconds"},
      {.key = "time_zone",
       .what = "of dates and of times without an offset, as the IANA database names it; of a time that "
               "came twice when clocks were put back the later counts",
       .shape = scalar(Scalar::text),
       .fallback = "the file's time_zone",
       .example = "Europe/Berlin"},
      {.key = "where",
       .what = "only rows that meet all of these conditions",
       .shape = list_of(condition_shape()),
       .example = "[{column: status, in: [done, failed]}]"},
      {.key = "hold_when",
       .what = "rows that meet any of these conditions stay, as if they were held",
       .shape = list_of(condition_shape()),
       .example = "[{column: legal_hold, equals: true}]"},
      {.key = "referenced_by",
       .what = "columns of other tables that refer to these rows without a foreign key, beside all foreign keys; what "
               "becomes of a row that is referred to is said by references",
       .shape = list_of(record("reference", {{.key = "table",
                                              .what = "the referring table",
                                              .shape = scalar(Scalar::text),
                                              .required = true,
                                              .example = "invoices"},
                                             {.key = "column",
                                              .what = "its column",
                                              .shape = scalar(Scalar::text),
                                              .required = true,
                                              .example = "mockup_id"},
                                             {.key = "target",
                                              .what = "the column that it means",
                                              .shape = scalar(Scalar::text),
                                              .fallback = "the primary key",
                                              .example = "id"}})),
       .example = "[{table: invoices, column: mockup_id}]"},
      {.key = "references",
       .what = "what becomes of rows of other tables that refer to one which is old: keep, it stays; set-null, the "
               "columns that refer are set to NULL, and a restore sets them back; archive-too, they are archived and "
               "deleted with it, and a restore brings them back. All but keep need an archive",
       .shape = record("references",
                       {{.key = "others",
                         .what = "for tables that are not named",
                         .shape = choice({"keep", "set-null", "archive-too"}),
                         .fallback = "keep",
                         .example = "set-null"},
                        {.key = "tables",
                         .what = "by the name of the table that refers",
                         .shape = map_of(choice({"keep", "set-null", "archive-too"})),
                         .example = "{listings: set-null, bids: archive-too}"}},
                       "others"),
       .fallback = "keep",
       .example = "set-null"},
  };
}

Field archive_field(bool required) {
  return {.key = "archive",
          .what = required
                      ? "where rows and files go before they go"
                      : "where rows are written (JSON lines, zstd) before they go; without it they are gone for good",
          .shape =
              record("archive",
                     {{.key = "to",
                       .what = "which of the stores",
                       .shape = scalar(Scalar::text),
                       .required = true,
                       .example = "cold"},
                      {.key = "folder",
                       .what = "the folder in it; one for each task",
                       .shape = scalar(Scalar::text),
                       .fallback = "the table's name",
                       .example = "old-signals"},
                      {.key = "keep",
                       .what = "what was archived longer ago is purged from the archive for good, by a step of its own",
                       .shape = scalar(Scalar::age),
                       .fallback = "it stays",
                       .example = "7 years"}},
                     "to"),
          .required = required,
          .example = "cold"};
}

/// Reads the policies; what fits its shape and is wrong all the same is an error with its place.
class Reader {
 public:
  Reader(const Names& names, std::vector<Error>& errors) : names_(names), errors_(errors) {}

  TaskSpec task(const Member& member) {
    TaskSpec spec{.info = {.name = member.key}, .at = member.at};
    const Node& node = member.value;
    if (!is_task_name(member.key))
      wrong(member.at, fmt::format("\"{}\" cannot be a task's name", printable(member.key)),
            "Use letters, digits and -, as in purge-signals.");
    const std::string kind = node.text_at("kind");
    if (kind == "rows") spec.policy = rows(node);
    if (kind == "rows-with-files") spec.policy = rows_with_files(node);
    if (kind == "files") spec.policy = files(node);
    if (kind == "objects") spec.policy = objects(node);
    const TaskSwitches switches = read_switches(node);
    spec.off_by = switches.off_by;
    spec.approval = switches.approval;
    if (spec.policy) spec.info.title = title_of(*spec.policy);
    return spec;
  }

 private:
  void wrong(const SourcePlace& at, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(at, why, std::move(hint)));
  }

  template <class Known>
  const typename Known::mapped_type* named(const Known& known, const Node& node, std::string_view what) {
    const auto found = known.find(node.text);
    if (found != known.end()) return &found->second;
    std::vector<std::string> all;
    for (const auto& [name, value] : known) all.push_back(name);
    std::string hint = did_you_mean(node.text, all);
    if (hint.empty())
      hint = all.empty() ? fmt::format("There are no {}s: name it under {}s at the top.", what, what)
                         : fmt::format("The {}s are {}.", what, join_and(all));
    wrong(node.at, fmt::format("there is no {} \"{}\"", what, printable(node.text)), std::move(hint));
    return nullptr;
  }

  /// The path at `key`; the folder of the file where it is absent.
  std::string path(const Node& node, std::string_view key) const {
    if (const Node* value = node.find(key)) return names_.path(*value);
    return names_.path({.kind = Node::Kind::scalar, .text = ".", .at = node.at});
  }

  static Age age_in(const Node& node) { return parse_age(node.text_at("age")).value_or(Age{}); }

  sql::Target database(const Node& node) {
    if (const Node* name = node.find("database")) {
      const sql::Target* found = named(names_.databases, *name, "database");
      return found != nullptr ? *found : sql::Target{};
    }
    if (names_.databases.size() == 1) return names_.databases.begin()->second;
    wrong(node.at,
          names_.databases.empty() ? "there is no database for this task" : "which of the databases is it about?",
          names_.databases.empty() ? "Name one: databases: {app: {url: \"${DATABASE_URL}\"}}" : "Add database: NAME.");
    return {};
  }

  std::vector<Where> conditions(const Node& node, std::string_view key) {
    std::vector<Where> all;
    const Node* list = node.find(key);
    if (list == nullptr) return all;
    for (const Node& item : list->items) all.push_back(condition(item));
    return all;
  }

  Where condition(const Node& item) {
    Where where{.column = item.text_at("column")};
    int found = 0;
    for (const OperatorKey& one : operators) {
      const Node* value = item.find(one.key);
      if (value == nullptr) continue;
      ++found;
      where.is = one.is;
      if (value->kind == Node::Kind::scalar) where.operands.push_back({value->text, value->quoted});
      for (const Node& operand : value->items) where.operands.push_back({operand.text, operand.quoted});
    }
    if (const Node* null = item.find("is_null")) {
      ++found;
      where.is = null->text == "true" ? Where::Is::null : Where::Is::not_null;
    }
    if (found != 1)
      wrong(item.at, found == 0 ? "a condition needs one comparison" : "a condition has one comparison, not several",
            "For example: {column: status, in: [done, failed]}");
    return where;
  }

  RowRules row_rules(const Node& node) {
    RowRules rules{.database = database(node),
                   .table = node.text_at("table"),
                   .age_column = node.text_at("age_column"),
                   .age = age_in(node)};
    const std::string format = node.text_at("age_format", "by-type");
    if (format == "epoch-seconds") rules.age_format = AgeFormat::epoch_seconds;
    if (format == "epoch-milliseconds") rules.age_format = AgeFormat::epoch_milliseconds;
    rules.time_zone = node.text_at("time_zone", names_.time_zone);
    if (const Node* zone = node.find("time_zone"))
      if (const auto known = Zone::load(zone->text); !known && known.error().kind == Kind::bad_input)
        wrong(zone->at, known.error().message, known.error().hint);
    rules.where = conditions(node, "where");
    rules.hold_when = conditions(node, "hold_when");
    if (const Node* list = node.find("referenced_by"))
      for (const Node& item : list->items)
        rules.referenced_by.push_back(
            {.table = item.text_at("table"), .column = item.text_at("column"), .target = item.text_at("target")});
    if (const Node* references = node.find("references")) rules.references = reference_rules(*references);
    return rules;
  }

  static OnReference on_reference(std::string_view text) {
    if (text == "set-null") return OnReference::set_null;
    return text == "archive-too" ? OnReference::archive_too : OnReference::keep;
  }

  static ReferenceRules reference_rules(const Node& node) {
    ReferenceRules rules{.others = on_reference(node.text_at("others"))};
    if (const Node* tables = node.find("tables"))
      for (const Member& member : tables->members)
        rules.tables.emplace_back(member.key, on_reference(member.value.text));
    return rules;
  }

  std::optional<ArchiveRules> archive(const Node& node) {
    const Node* archive = node.find("archive");
    if (archive == nullptr) return {};
    const Node* to = archive->find("to");
    const object::StoreTarget* store = to == nullptr ? nullptr : named(names_.stores, *to, "store");
    if (store == nullptr) return ArchiveRules{};
    ArchiveRules rules{.store = *store, .folder = archive->text_at("folder")};
    if (rules.folder.contains('/') || rules.folder.starts_with('.'))
      wrong(archive->find("folder")->at, fmt::format("\"{}\" is no folder's name", printable(rules.folder)),
            "Use one name without slashes.");
    if (const auto keep = parse_age(archive->text_at("keep"))) rules.keep = *keep;
    const std::string table = node.text_at("table");
    const std::string folder = rules.folder.empty() ? table.substr(table.rfind('.') + 1) : rules.folder;
    if (!archive_folders_.insert(store->url + ' ' + folder).second)
      wrong(archive->at, fmt::format("another task archives to the folder {} of {}", folder, to->text),
            "Give one of them a folder of its own: archive: {to: cold, folder: NAME}");
    return rules;
  }

  RowPolicy rows(const Node& node) {
    RowPolicy policy{.rows = row_rules(node), .archive = archive(node)};
    policy.whole_partitions = node.text_at("partitions") != "rows";
    if (!policy.archive && !policy.rows.references.keep_all())
      wrong(node.find("references")->at, "what refers to these rows could not be brought back without an archive",
            "Add archive: STORE, or leave references at keep.");
    return policy;
  }

  FileRowPolicy rows_with_files(const Node& node) {
    FileRowPolicy policy{
        .rows = row_rules(node), .file_column = node.text_at("file_column"), .root = path(node, "root")};
    policy.archive = archive(node).value_or(ArchiveRules{});
    policy.s3 = names_.s3;
    policy.urls = names_.urls;
    policy.archive_missing = node.text_at("missing_file") == "archive-row";
    return policy;
  }

  FilePolicy files(const Node& node) {
    FilePolicy policy{
        .folder = path(node, "folder"), .patterns = log_file_names(), .leave_out = {"archive"}, .age = age_in(node)};
    if (const Node* names = node.find("names")) policy.patterns = names->texts();
    if (const Node* left = node.find("leave_out")) policy.leave_out = left->texts();
    if (files::is_system_folder(policy.folder))
      wrong(node.find("folder")->at, fmt::format("the folder {} is the system's", policy.folder),
            "Name the folder that holds this application's files alone.");
    return policy;
  }

  ObjectPolicy objects(const Node& node) {
    ObjectPolicy policy{.age = age_in(node)};
    const Node* name = node.find("store");
    const object::StoreTarget* store = name == nullptr ? nullptr : named(names_.stores, *name, "store");
    if (store != nullptr) policy.bucket = *store;
    const std::string versions = node.text_at("versions", "current");
    if (versions == "noncurrent") policy.versions = Versions::noncurrent;
    if (versions == "all") policy.versions = Versions::all;
    return policy;
  }

  const Names& names_;
  std::vector<Error>& errors_;
  std::set<std::string> archive_folders_{};
};

/// The rules for rows, const where the policy is.
template <class AnyPolicy>
auto rows_in(AnyPolicy& policy) -> decltype(&std::get_if<RowPolicy>(&policy)->rows) {
  if (auto* rows = std::get_if<RowPolicy>(&policy)) return &rows->rows;
  if (auto* files = std::get_if<FileRowPolicy>(&policy)) return &files->rows;
  return nullptr;
}

/// What the other tasks on the database of this one say of their tables.
std::vector<Neighbour> neighbours_of(const TaskSpec& of, const std::vector<TaskSpec>& all) {
  std::vector<Neighbour> out;
  for (const TaskSpec& spec : all) {
    const RowRules* rules = spec.policy ? rows_in(*spec.policy) : nullptr;
    if (&spec == &of || rules == nullptr || rules->database.url != rows_in(*of.policy)->database.url) continue;
    out.push_back({.task = spec.info.name,
                   .table = rules->table,
                   .hold_when = rules->hold_when,
                   .with_files = std::holds_alternative<FileRowPolicy>(*spec.policy)});
  }
  return out;
}

}  // namespace

Shape cleanup_shape() {
  std::vector<Field> rows = row_fields(), with_files = row_fields();
  rows.push_back(archive_field(false));
  rows.push_back({.key = "partitions",
                  .what =
                      "drop: partitions by RANGE of the age column are dropped whole where all of their rows may go "
                      "(PostgreSQL); rows: only rows are deleted",
                  .shape = choice({"drop", "rows"}),
                  .fallback = "drop",
                  .example = "rows"});
  with_files.push_back(
      {.key = "file_column",
       .what = "the column that names each row's file: a path as it stands, file:///path, s3://bucket/key, or a URL "
               "that one of `urls` is about",
       .shape = scalar(Scalar::text),
       .required = true,
       .example = "image_url"});
  with_files.push_back({.key = "root",
                        .what = "the folder that relative names are below, and absolute ones inside",
                        .shape = scalar(Scalar::text),
                        .fallback = "this file's folder",
                        .example = "/srv/app/media"});
  with_files.push_back(
      {.key = "missing_file",
       .what =
           "archive-row: a row whose file is missing goes to the archive without it; refused where more than 10 % of "
           "the planned rows' files are missing, since a mount that is gone looks just like that",
       .shape = choice({"keep", "archive-row"}),
       .fallback = "keep",
       .example = "archive-row"});
  with_files.push_back(archive_field(true));
  const Shape files =
      record("files policy",
             {enabled_field(),
              approval_field(),
              {.key = "folder",
               .what = "the folder, with all folders below it",
               .shape = scalar(Scalar::text),
               .required = true,
               .example = "/srv/app/logs"},
              {.key = "names",
               .what = "globs for the files' names, without their folders",
               .shape = list_of(scalar(Scalar::text)),
               .fallback = "the names of log files: *.log, *.log.[0-9]*, *.log-[0-9]*, *.log.gz, .zst, .xz and .bz2",
               .example = "[\"*.log\", \"*.log.[0-9]*\"]"},
              {.key = "leave_out",
               .what = "names of subfolders that are not entered, at any depth",
               .shape = list_of(scalar(Scalar::text)),
               .fallback = "[archive]",
               .example = "[archive, current]"},
              age_field("files not modified for this long go")});
  const Shape objects = record("objects policy", {enabled_field(),
                                                  approval_field(),
                                                  {.key = "store",
                                                   .what = "which of the stores",
                                                   .shape = scalar(Scalar::text),
                                                   .required = true,
                                                   .example = "exports"},
                                                  age_field("objects not modified for this long go"),
                                                  {.key = "versions",
                                                   .what = "in a bucket that keeps versions: current ones, which get a "
                                                           "delete marker while their bytes stay; those that have not "
                                                           "been current for the age, for good; or all of these",
                                                   .shape = choice({"current", "noncurrent", "all"}),
                                                   .fallback = "current",
                                                   .example = "noncurrent"}});
  return map_of(variants("policy", "kind",
                         {{"rows", record("rows policy", std::move(rows))},
                          {"rows-with-files", record("rows-with-files policy", std::move(with_files))},
                          {"files", files},
                          {"objects", objects}}));
}

std::vector<TaskSpec> read_cleanup(const Node& section, const Names& names, std::vector<Error>& errors) {
  Reader reader(names, errors);
  std::vector<TaskSpec> specs;
  for (const Member& member : section.members) specs.push_back(reader.task(member));
  for (TaskSpec& spec : specs)
    if (RowRules* rules = spec.policy ? rows_of(*spec.policy) : nullptr) rules->neighbours = neighbours_of(spec, specs);
  return specs;
}

const ArchiveRules* archive_of(const Policy& policy) {
  if (const auto* rows = std::get_if<RowPolicy>(&policy)) return rows->archive ? &*rows->archive : nullptr;
  if (const auto* files = std::get_if<FileRowPolicy>(&policy)) return &files->archive;
  return nullptr;
}

const RowRules* rows_of(const Policy& policy) { return rows_in(policy); }
RowRules* rows_of(Policy& policy) { return rows_in(policy); }

std::vector<object::StoreTarget*> stores_of(Policy& policy) {
  if (auto* rows = std::get_if<RowPolicy>(&policy); rows != nullptr && rows->archive) return {&rows->archive->store};
  if (auto* files = std::get_if<FileRowPolicy>(&policy)) return {&files->archive.store};
  if (auto* objects = std::get_if<ObjectPolicy>(&policy)) return {&objects->bucket};
  return {};
}

std::unique_ptr<Task> make_task(TaskInfo info, Policy policy, OutOfReach out_of_reach, const StateDirectory& state) {
  if (auto* rows = std::get_if<RowPolicy>(&policy))
    return rows->archive ? archive_rows(std::move(info), std::move(*rows))
                         : purge_rows(std::move(info), std::move(*rows));
  if (auto* files = std::get_if<FileRowPolicy>(&policy))
    return archive_file_rows(std::move(info), std::move(*files), std::move(out_of_reach));
  if (auto* files = std::get_if<FilePolicy>(&policy))
    return purge_files(std::move(info), std::move(*files), std::move(out_of_reach));
  return expire_objects(std::move(info), std::move(std::get<ObjectPolicy>(policy)), std::move(out_of_reach), state);
}

std::string title_of(const Policy& policy) {
  if (const auto* rows = std::get_if<RowPolicy>(&policy))
    return fmt::format("rows of {} older than {} {}", rows->rows.table, format_age(rows->rows.age),
                       rows->archive ? "go to the archive, then are deleted" : "are deleted");
  if (const auto* files = std::get_if<FileRowPolicy>(&policy))
    return fmt::format("rows of {} older than {} go to the archive with their files", files->rows.table,
                       format_age(files->rows.age));
  if (const auto* files = std::get_if<FilePolicy>(&policy))
    return fmt::format("files in {} not modified for {} are deleted", files->folder, format_age(files->age));
  const auto& objects = std::get<ObjectPolicy>(policy);
  const std::string age = format_age(objects.age);
  if (objects.versions == Versions::noncurrent)
    return fmt::format("versions of objects of {} that have not been current for {} are deleted", objects.bucket.url,
                       age);
  return fmt::format("objects of {} not modified for {}{} are deleted", objects.bucket.url, age,
                     objects.versions == Versions::all ? ", and versions not current for it," : "");
}

std::vector<std::string> log_file_names() {
  return {"*.log", "*.log.[0-9]*", "*.log-[0-9]*", "*.log.gz", "*.log.zst", "*.log.xz", "*.log.bz2"};
}

}  // namespace steward::retention
