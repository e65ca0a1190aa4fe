#include "jobs/rotation/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <map>

#include "core/age.h"
#include "core/text.h"
#include "io/files/system_folders.h"
#include "run/task_section.h"

namespace steward::rotation {
namespace {

constexpr std::array<std::pair<std::string_view, int>, 5> signals{
    {{"USR1", SIGUSR1}, {"HUP", SIGHUP}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH}, {"INT", SIGINT}}};

class Reader {
 public:
  Reader(const std::function<std::string(const Node&)>& path, std::vector<Error>& errors)
      : path_(path), errors_(errors) {}

  PolicySpec spec(const Member& member) {
    const Node& node = member.value;
    const TaskSwitches switches = read_switches(node);
    PolicySpec spec{.name = member.key,
                    .policy = policy(node),
                    .off_by = switches.off_by,
                    .approval = switches.approval,
                    .at = member.at};
    if (!is_task_name(member.key))
      wrong(member.at, fmt::format("\"{}\" cannot be a task's name", printable(member.key)),
            "Use letters, digits and -, as in web-logs.");
    if (files::is_system_folder(spec.policy->folder))
      wrong(node.find("folder")->at, fmt::format("the folder {} is the system's", spec.policy->folder),
            "Name the folder that holds this application's logs alone.");
    const auto [other, is_new] = archives_.emplace(spec.policy->archive_folder(), member.key);
    if (!is_new)
      wrong(member.at, fmt::format("{} and {} have one archive, {}", other->second, member.key, other->first),
            "Give each an archive of its own.");
    return spec;
  }

 private:
  void wrong(const SourcePlace& at, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(at, why, std::move(hint)));
  }

  Policy policy(const Node& node) {
    Policy policy{.folder = path_(*node.find("folder"))};
    if (const Node* names = node.find("names")) policy.names = names->texts();
    policy.subfolders = node.text_at("subfolders") == "true";
    if (const Node* archive = node.find("archive"))
      policy.archive = archive->text.starts_with('/') ? archive->text : policy.folder + '/' + archive->text;
    policy.writer = writer(node.text_at("writer", "auto"));
    if (const Node* reopen = node.find("reopen")) policy.reopen = read_reopen(*reopen);
    const std::string compress = node.text_at("compress", "none");
    policy.compression = compress == "gzip"   ? Compression::gzip
                         : compress == "zstd" ? Compression::zstd
                                              : Compression::none;
    policy.create = node.text_at("create") == "true";
    policy.min_size = bytes(node, "min_size").value_or(Bytes{});
    policy.max_size = bytes(node, "max_size");
    if (const Node* again = node.find("again_after")) policy.again_after = span(*again).value_or(policy.again_after);
    if (const auto keep = parse_age(node.text_at("keep", "7 days"))) policy.keep = *keep;
    policy.keep_bytes = bytes(node, "keep_bytes");
    if (const std::string count = node.text_at("keep_count"); !count.empty()) {
      std::uint64_t n = 0;
      std::from_chars(count.data(), count.data() + count.size(), n);
      policy.keep_count = n;
    }
    return policy;
  }

  static Writer writer(const std::string& text) {
    if (text == "rename") return Writer::rename;
    if (text == "cut") return Writer::cut;
    return text == "copytruncate" ? Writer::copytruncate : Writer::automatic;
  }

  static std::optional<Bytes> bytes(const Node& node, std::string_view key) {
    const auto parsed = parse_bytes(node.text_at(key));
    return node.find(key) != nullptr && parsed ? std::optional(*parsed) : std::nullopt;
  }

  std::optional<std::chrono::seconds> span(const Node& node) {
    const auto age = parse_age(node.text);
    if (!age) return {};
    if (const auto* fixed = std::get_if<std::chrono::microseconds>(&age->span))
      return std::chrono::ceil<std::chrono::seconds>(*fixed);
    wrong(node.at, "again_after is a span of time, not calendar months", "Write it like 5m or 20h.");
    return {};
  }

  std::optional<Reopen> read_reopen(const Node& node) {
    Reopen reopen;
    const Node *pid_file = node.find("pid_file"), *signal = node.find("signal"), *command = node.find("command");
    if ((command != nullptr) == (pid_file != nullptr)) {
      wrong(node.at, "reopen is a signal to the process in a pid_file, or a command: one of them",
            "Write it like {signal: USR1, pid_file: /run/nginx.pid} or {command: [/usr/sbin/nginx, -s, reopen]}.");
      return {};
    }
    if (command != nullptr) {
      reopen.command = command->texts();
      if (signal != nullptr) wrong(signal->at, "signal goes with a pid_file, not with a command");
      if (!reopen.command.front().starts_with('/'))
        wrong(command->at, "the command is not an absolute path", "Write it like [/usr/sbin/nginx, -s, reopen].");
      return reopen;
    }
    reopen.pid_file = path_(*pid_file);
    const std::string name = signal == nullptr ? "USR1" : signal->text;
    reopen.signal = std::ranges::find(signals, name, &std::pair<std::string_view, int>::first)->second;
    return reopen;
  }

  const std::function<std::string(const Node&)>& path_;
  std::vector<Error>& errors_;
  std::map<std::string, std::string> archives_{};
};

}  // namespace

Shape rotation_shape() {
  const Shape text = scalar(Scalar::text);
  std::vector<std::string> names;
  for (const auto& [name, number] : signals) names.emplace_back(name);
  const Shape reopen = record("reopen", {{.key = "signal",
                                          .what = "the signal that makes the program open its logs anew",
                                          .shape = choice(std::move(names)),
                                          .fallback = "USR1",
                                          .example = "HUP"},
                                         {.key = "pid_file",
                                          .what = "the file that holds the program's process number",
                                          .shape = text,
                                          .example = "/run/nginx.pid"},
                                         {.key = "command",
                                          .what = "or a command to run, without a shell",
                                          .shape = list_of(text),
                                          .example = "[/usr/sbin/nginx, -s, reopen]"}});
  return map_of(record(
      "rotation policy",
      {enabled_field(),
       approval_field(),
       {.key = "folder", .what = "the folder of the logs", .shape = text, .required = true, .example = "/srv/app/logs"},
       {.key = "names",
        .what = "globs for the logs' names",
        .shape = list_of(text),
        .fallback = "[\"*.log\"]",
        .example = "[\"*.log\", \"*.out\"]"},
       {.key = "subfolders",
        .what = "also logs in folders below",
        .shape = scalar(Scalar::boolean),
        .fallback = "false",
        .example = "true"},
       {.key = "archive",
        .what = "where archives go: a path, or a name in the folder; another file system will do",
        .shape = text,
        .fallback = "archive",
        .example = "/var/archive/app"},
       {.key = "writer",
        .what = "how a log is rotated that somebody has open: renamed; its front cut off in place (ext4, xfs; a writer "
                "that appends); copied and emptied, which loses what is written in between; or auto, the first of "
                "reopen, cut, rename that can be done without loss",
        .shape = choice({"auto", "rename", "cut", "copytruncate"}),
        .fallback = "auto",
        .example = "rename"},
       {.key = "reopen", .what = "how the writer is told to open its logs anew", .shape = reopen},
       {.key = "compress",
        .what = "compresses archives once nobody has them open",
        .shape = choice({"none", "gzip", "zstd"}),
        .fallback = "none",
        .example = "zstd"},
       {.key = "create",
        .what = "puts an empty log in the place of one that was renamed, with its owner and mode",
        .shape = scalar(Scalar::boolean),
        .fallback = "false",
        .example = "true"},
       {.key = "min_size", .what = "smaller logs are left", .shape = scalar(Scalar::bytes), .example = "1 MiB"},
       {.key = "max_size",
        .what = "larger ones are rotated however lately they were",
        .shape = scalar(Scalar::bytes),
        .example = "1 GiB"},
       {.key = "again_after",
        .what = "a log that was rotated within this is left, so that two runs in a row make one archive",
        .shape = scalar(Scalar::age),
        .fallback = "5 minutes",
        .example = "20h"},
       {.key = "keep",
        .what = "archives older than this, by the time in their names, are removed",
        .shape = scalar(Scalar::age),
        .fallback = "7 days",
        .example = "14 days"},
       {.key = "keep_count",
        .what = "of each log no more archives than this are kept",
        .shape = scalar(Scalar::integer),
        .example = "30"},
       {.key = "keep_bytes",
        .what = "of all archives no more than this is kept; the oldest go first",
        .shape = scalar(Scalar::bytes),
        .example = "20 GiB"}}));
}

std::vector<PolicySpec> read_rotation(const Node& section, const std::function<std::string(const Node&)>& path,
                                      std::vector<Error>& errors) {
  Reader reader(path, errors);
  std::vector<PolicySpec> specs;
  for (const Member& member : section.members) specs.push_back(reader.spec(member));
  return specs;
}

TaskInfo rotate_info(const PolicySpec& spec) {
  if (!spec.policy) return {.name = spec.name, .title = "log files are rotated into an archive"};
  return {.name = spec.name,
          .title = fmt::format("logs of {} are rotated into {}", spec.policy->folder, spec.policy->archive_folder())};
}

TaskInfo expire_info(const PolicySpec& spec) {
  if (!spec.policy) return {.name = spec.name + ".archive", .title = "archives of logs are removed when they are old"};
  return {.name = spec.name + ".archive",
          .title = fmt::format("archives in {} older than {} are removed", spec.policy->archive_folder(),
                               format_age(spec.policy->keep))};
}

}  // namespace steward::rotation
