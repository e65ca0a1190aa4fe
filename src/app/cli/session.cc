#include "app/cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <set>

#include "app/cli/signals.h"
#include "core/text.h"
#include "run/manifest/archive.h"

namespace steward::app {
namespace {

/// Holds lie beside the archive too, so that a lost ledger loses none.
Result<void> take_in_holds(Session& session, const object::StoreTarget& archive) {
  auto store = object::open(archive);
  if (!store && store.error().kind == Kind::not_found) return {};
  if (!store) return std::unexpected(std::move(store).error());
  std::set<std::string> known;
  for (const ledger::Hold& hold : TRY(session.ledger->holds(session.clock.now(), true))) known.insert(hold.id);
  std::vector<ledger::Hold> lost;
  for (ledger::Hold& hold : TRY(manifest::read_holds(**store)))
    if (!known.contains(hold.id)) lost.push_back(std::move(hold));
  return lost.empty() ? Result<void>{} : session.ledger->add_holds(lost);
}

/// Variables name a cold storage whether any task archives or not; one on S3 is not asked where none does.
bool is_used(const Settings& settings, const object::StoreTarget& archive) {
  if (archive.url.starts_with("file://")) return true;
  return std::ranges::any_of(settings.cleanup, [](const retention::TaskSpec& spec) {
    return spec.policy && retention::archive_of(*spec.policy) != nullptr;
  });
}

}  // namespace

Result<std::string> working_directory() {
  std::array<char, PATH_MAX> buffer{};
  if (::getcwd(buffer.data(), buffer.size()) == nullptr)
    return fail(Kind::not_found, "the working directory is gone", "Change to a folder that exists.");
  return std::string(buffer.data());
}

Result<Settings> settings_of_process() { return read_settings(process_environment(), TRY(working_directory())); }

Result<Session> open_session(std::vector<std::string>& warnings) {
  Settings settings = TRY(settings_of_process());
  StateDirectory state = TRY(StateDirectory::open(settings.state_dir));
  const std::string url = settings.ledger_url.empty() ? state.ledger_url() : settings.ledger_url;
  auto ledger = ledger::open({.url = url});
  if (!ledger) return fail_while("opening the ledger", std::move(ledger).error());
  Session session{.settings = std::move(settings), .state = std::move(state), .ledger = *std::move(ledger)};
  for (const object::StoreTarget& archive : session.settings.archives) {
    if (!is_used(session.settings, archive)) continue;
    auto taken = take_in_holds(session, archive);
    // A hold that cannot be read may cover anything. A store that does not answer is another matter: the ledger has
    // what it had.
    if (!taken && taken.error().kind == Kind::corrupt) return std::unexpected(std::move(taken).error());
    if (!taken) warnings.push_back("holds beside the archive could not be read: " + taken.error().message);
  }
  return session;
}

Result<Session> open_session_saying(const Output& output) {
  std::vector<std::string> warnings;
  Session session = TRY(open_session(warnings));
  if (!output.json)
    for (const std::string& warning : warnings) fmt::print(stderr, "steward: {}\n", printable(warning));
  return session;
}

Result<Session> open_session_with_notes(const Output& output) {
  std::vector<std::string> warnings;
  Session session = TRY(open_session(warnings));
  if (!output.json && output.terminal_errors)
    for (const std::string& note : session.settings.notes) fmt::print(stderr, "steward: {}\n", printable(note));
  for (const std::string& warning : warnings) fmt::print(stderr, "steward: {}\n", printable(warning));
  return session;
}

Result<std::optional<Error>> barred(const Session& session) {
  for (const object::StoreTarget& archive : session.settings.archives) {
    if (!is_used(session.settings, archive)) continue;
    const auto store = object::open(archive);
    if (!store) continue;
    const auto identity = manifest::identity(**store);
    if (!identity && (identity.error().kind == Kind::corrupt || identity.error().kind == Kind::refused))
      return std::unexpected(identity.error());
    if (!identity || !*identity) continue;
    if (auto refusal = manifest::foreign(**identity, (*store)->shown(), *session.ledger, session.settings.environment))
      return refusal;
  }
  return std::nullopt;
}

Result<std::vector<std::string>> adopt_ownerless_archives(const Session& session) {
  std::vector<std::string> said;
  for (const object::StoreTarget& archive : session.settings.archives) {
    if (!is_used(session.settings, archive)) continue;
    const auto store = object::open(archive);
    if (!store) continue;
    const auto adopted =
        manifest::adopt_ownerless(**store, *session.ledger, session.clock, session.settings.environment);
    if (adopted && *adopted)
      said.push_back(fmt::format("the archive {} belonged to no ledger: from now on it is {}'s", (*store)->shown(),
                                 session.ledger->shown()));
  }
  return said;
}

Result<JobNames> chosen_jobs(const std::string& flag, const Settings& settings) {
  std::string list = flag;
  if (list.empty()) list = process_environment()("STEWARD_SERVE_JOBS").value_or("");
  std::ranges::replace(list, ' ', ',');
  JobNames out;
  for (const std::string_view name : split(list, ',')) {
    if (name.empty()) continue;
    std::vector<std::string> known;
    for (const auto& [job, schedule] : settings.schedules) known.push_back(job);
    if (std::ranges::find(known, name) == known.end()) {
      std::string hint = did_you_mean(name, known);
      return fail(Kind::bad_input, fmt::format("there is no job \"{}\" to serve", printable(name)),
                  hint.empty() ? fmt::format("The jobs are {}.", join_and(known)) : std::move(hint));
    }
    out.emplace(name);
  }
  return out;
}

Result<std::optional<Instant>> until_of(const std::string& text, Instant now) {
  if (text.empty()) return std::nullopt;
  const std::optional<Instant> until = parse_instant(text);
  if (!until)
    return fail(Kind::bad_input, fmt::format("--until is \"{}\", which is not a date or time", printable(text)),
                "Write it like 2027-01-31 or 2027-01-31T12:00:00Z.");
  if (*until <= now)
    return fail(Kind::bad_input, fmt::format("--until is {}, which has passed", format_instant(*until)),
                "Name a time to come, or leave it out.");
  return until;
}

Result<void> write_holds_beside_archive(const Session& session) {
  for (const object::StoreTarget& archive : session.settings.archives) {
    if (!is_used(session.settings, archive)) continue;
    auto store = object::open(archive);
    if (!store && store.error().kind == Kind::not_found) continue;
    if (!store) return std::unexpected(std::move(store).error());
    std::set<std::string> there;
    for (const ledger::Hold& hold : TRY(manifest::read_holds(**store))) there.insert(hold.id);
    for (const ledger::Hold& hold : TRY(session.ledger->holds(session.clock.now())))
      if (hold.who != "steward" && !there.contains(hold.id)) TRY(manifest::write_hold(**store, hold));
  }
  return {};
}

Caller caller(std::string_view job, std::string_view run) {
  return {.agent = run.empty() ? fmt::format("steward {}", job) : fmt::format("steward {} {}", job, run),
          .stop = stop_of_process().get_token(),
          .version = std::string(version)};
}

}  // namespace steward::app
