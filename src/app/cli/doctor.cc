// doctor: what there is, and whether it works

#include <fmt/format.h>

#include <array>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "io/sql/connection.h"
#include "run/manifest/archive.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

enum class Health { good, warning, bad, absent };
struct Finding {
  Health health = Health::good;
  std::string what{};
  std::string text{};
  std::string hint{};
};

constexpr Bytes little_room = 1_GiB;

class Doctor {
 public:
  explicit Doctor(const Session& session) : session_(session), settings_(session.settings) {}

  std::vector<Finding> examine() {
    state();
    databases();
    archives();
    channels();
    tasks();
    return std::move(findings_);
  }

 private:
  void add(Health health, std::string what, std::string text, std::string hint = {}) {
    findings_.push_back({health, std::move(what), std::move(text), std::move(hint)});
  }
  void add(std::string what, const Error& error) { add(Health::bad, std::move(what), error.message, error.hint); }

  void state() {
    add(Health::good, "ledger", session_.ledger->shown());
    if (const auto lines = session_.ledger->verify_audit(); !lines)
      add("audit trail", lines.error());
    else
      add(Health::good, "audit trail",
          fmt::format("intact, {} lines", format_count(static_cast<std::uint64_t>(*lines))));
    if (const auto freezes = session_.ledger->freezes(session_.clock.now()); freezes)
      if (const auto refusal = freeze_refusal(*freezes))
        add(Health::warning, "freeze", refusal->message, refusal->hint);
    if (const auto refusal = barred(session_); refusal && *refusal) add("archive", **refusal);
    folder("state", session_.state.folder(), true);
    if (const auto latest = session_.ledger->latest(); latest && *latest)
      if (const auto off = clock_refusal(session_.clock.now(), std::max(**latest, session_.clock.now()), "the ledger"))
        add("clock", *off);
  }

  void folder(const std::string& what, const files::Folder& folder, bool must_last) {
    if (const auto room = folder.room(); !room)
      add(what, room.error());
    else
      add(*room < little_room ? Health::warning : Health::good, what,
          fmt::format("{}: {} free", folder.path(), format_bytes(*room)),
          *room < little_room ? "Make room: a full disk ends runs, though it loses nothing." : "");
    const auto durability = files::durability(folder);
    if (must_last && durability && *durability != files::Durability::durable)
      add(Health::warning, what,
          fmt::format("{} is {}", folder.path(),
                      *durability == files::Durability::memory
                          ? "in memory: it is gone after a restart"
                          : "in the container's own layer: it goes with the container"),
          "Put it on a volume.");
  }

  /// What an entry is about: "database" where there is one alone, else with its name.
  std::string entry(std::string_view what, const std::string& name) const {
    return settings_.files.empty() ? std::string(what) : fmt::format("{} {}", what, name);
  }

  void databases() {
    if (settings_.databases.empty())
      add(Health::absent, "database",
          settings_.files.empty() ? "not configured: set DATABASE_URL" : "not configured: databases has none");
    for (const auto& [name, target] : settings_.databases) {
      auto db = sql::connect(as(caller("doctor", ""), target));
      if (!db) {
        add(entry("database", name), db.error());
        continue;
      }
      add(Health::good, entry("database", name), fmt::format("{}, {}", (*db)->shown(), (*db)->version()));
      if (const auto time = (*db)->server_time(); time)
        if (const auto off = clock_refusal(session_.clock.now(), *time, "the database")) add("clock", *off);
    }
  }

  void archives() {
    for (const object::StoreTarget& target : settings_.archives) archive(target);
  }

  void archive(const object::StoreTarget& target) {
    const std::string what = settings_.archives.size() > 1 ? "archive" : "cold storage";
    auto store = object::open(target);
    const auto known = session_.ledger->archives();
    for (const ledger::ArchiveRecord& record : known ? *known : std::vector<ledger::ArchiveRecord>{})
      if (record.location == target.url && !manifest::Archive::read(target))
        return add(Health::bad, what,
                   fmt::format("the archive {} is not at {}", record.id.substr(0, 8), record.location),
                   "Mount or restore the cold storage; until then nothing is archived.");
    if (!store && store.error().kind == Kind::not_found)
      return add(Health::absent, what, fmt::format("{}: the first run makes it", target.url));
    if (!store) return add(what, store.error());
    const auto archive = manifest::Archive::read(target);
    if (!archive && archive.error().kind != Kind::not_found) return add(what, archive.error());
    const auto room = (*store)->room();
    add(Health::good, what,
        fmt::format("{}{}{}", (*store)->shown(), archive ? ", archive " + archive->id().substr(0, 8) : ", empty",
                    room && *room ? fmt::format(", {} free", format_bytes(**room)) : ""));
    if (target.url.starts_with("file://"))
      if (const auto opened = files::Folder::open(target.url.substr(7))) folder(what, *opened, true);
  }

  /// Whether something can be sent is known once it was: `steward notify test` sends.
  void channels() {
    for (const notify::Channel& channel : settings_.notifications.channels)
      if (channel.unusable.empty())
        add(Health::good, "channel " + channel.name, std::string(notify::kind_of(channel)));
      else
        add(Health::bad, "channel " + channel.name, channel.unusable, "Until then nobody is told of anything there.");
  }

  void bucket(const retention::ObjectPolicy& policy) {
    auto store = object::open(as(caller("doctor", ""), policy.bucket));
    if (!store) return add("bucket", store.error());
    const auto time = (*store)->server_time();
    if (!time) return add("bucket", time.error());
    const auto listed = (*store)->list("", [](const object::ObjectInfo&) -> Result<bool> { return false; });
    if (!listed) return add("bucket", listed.error());
    add(Health::good, "bucket", (*store)->shown());
    if (const auto off = clock_refusal(session_.clock.now(), *time, "the store")) add("clock", *off);
  }

  /// Each task's plan finds what the connections do not: tables, columns, rights, missing indexes.
  void tasks() {
    for (const retention::TaskSpec& spec : settings_.cleanup)
      if (const auto* objects = spec.policy ? std::get_if<retention::ObjectPolicy>(&*spec.policy) : nullptr)
        bucket(*objects);
    for (const std::string& name : job_names()) {
      const Job job = make_job(name, settings_, session_.state, caller("doctor", ""));
      for (const TaskSlot& slot : job.tasks) {
        if (slot.task)
          plan(slot);
        else if (slot.off_by.empty())
          add(Health::absent, slot.info.name, fmt::format("not configured: set {}", join_and(slot.needs)));
      }
    }
  }

  void plan(const TaskSlot& slot) {
    PlanContext context{.now = session_.clock.now(), .state = &session_.state};
    const auto step = slot.task->plan(context);
    if (!step) return add(slot.info.name, step.error());
    const bool lacking = step->brake && step->brake->code == "rights";
    if (lacking) add(slot.info.name, *step->brake);
    if (step->notes.empty() && !lacking) add(Health::good, slot.info.name, "ready");
    for (const std::string& note : step->notes) add(Health::warning, slot.info.name, note);
  }

  const Session& session_;
  const Settings& settings_;
  std::vector<Finding> findings_{};
};

constexpr std::array health_names{"ok", "warning", "bad", "not configured"};
constexpr std::array health_tints{Tint::good, Tint::warn, Tint::bad, Tint::dim};

}  // namespace

Result<int> doctor_command(const Output& output) {
  std::vector<std::string> warnings;
  const Session session = TRY(open_session(warnings));
  const std::vector<Finding> findings = Doctor(session).examine();
  json all = json::array();
  bool bad = false;
  for (const Finding& finding : findings) {
    const auto at = static_cast<std::size_t>(finding.health);
    bad = bad || finding.health == Health::bad;
    all.push_back({{"what", finding.what},
                   {"health", health_names[at]},
                   {"text", printable(finding.text)},
                   {"hint", printable(finding.hint)}});
    if (output.json) continue;
    print(fmt::format("{} {:<17} {}\n", tinted(output, health_tints[at], fmt::format("{:<14}", health_names[at])),
                      finding.what, printable(finding.text)));
    if (!finding.hint.empty()) print(fmt::format("{:33}{}\n", "", printable(finding.hint)));
  }
  if (output.json) print_json({{"findings", all}});
  return bad ? 1 : 0;
}

}  // namespace steward::app
