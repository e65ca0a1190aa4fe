#include "jobs/backup/verify.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "core/random.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/framed.h"
#include "jobs/backup/postgres_dump.h"
#include "jobs/backup/restore.h"
#include "jobs/backup/sqlite_dump.h"
#include "jobs/backup/throwaway_server.h"

namespace steward::backup {
namespace {

/// Of the dumped database's size on its server's disk: a restored one is smaller, and its log and sorts come on top.
constexpr double room_factor = 1.5;
constexpr Bytes least_room = 300_MiB;
/// A store answers each request after a while, and one connection seldom fills a network.
constexpr std::size_t read_at_once = 4;

/// An error that is the backup's own goes into the proof; others end the verification.
Result<void> note(Proof& proof, const Result<void>& found) {
  if (found) return {};
  if (found.error().kind != Kind::corrupt) return found;
  proof.faults.push_back(found.error().message);
  return {};
}

/// An extension that is not installed here, a full disk (PostgreSQL's own words, in LC_ALL=C).
bool is_of_this_machine(std::string_view said) {
  return said.contains("extension control file") || said.contains("is not available") ||
         said.contains("No space left on device");
}

Result<void> compare(object::Store& store, const Manifest& manifest, const Contents& has, const VerifyOptions& options,
                     Proof& proof) {
  const auto wanted = contents_of(store, manifest, options.reading);
  if (!wanted) return note(proof, std::unexpected(wanted.error()));
  for (std::string& one : differences(*wanted, has)) proof.faults.push_back(std::move(one));
  return {};
}

/// Reads the objects side by side.
class Reading {
 public:
  Reading(object::Store& store, const Manifest& manifest, const ReadOptions& options)
      : store_(store), manifest_(manifest), options_(options), found_(manifest.objects.size()) {}

  /// What was found of each, in their order. An error ends all of them.
  Result<std::vector<Result<void>>> all() {
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < std::min(read_at_once, found_.size()); ++i) threads.emplace_back([this] { read(); });
    }
    if (first_) return std::unexpected(*first_);
    return std::move(found_);
  }

 private:
  void read() {
    for (std::size_t i = next_++; i < found_.size(); i = next_++) {
      found_[i] = read_back(store_, manifest_.id(), manifest_.objects[i], [this](Bytes more) { return check(more); });
      const bool is_over = !found_[i] && found_[i].error().kind != Kind::corrupt;
      if (is_over) return end(found_[i].error());
    }
  }
  /// One thread at a time.
  Result<void> check(Bytes more) {
    const std::lock_guard lock(mutex_);
    if (first_) return fail(Kind::interrupted, "another object could not be read");
    return options_.progress ? options_.progress(more) : Result<void>{};
  }
  void end(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = error;
  }

  object::Store& store_;
  const Manifest& manifest_;
  const ReadOptions& options_;
  std::vector<Result<void>> found_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_{};
  std::optional<Error> first_{};
};

Result<void> verify_bytes(object::Store& store, const Manifest& manifest, const VerifyOptions& options, Proof& proof) {
  Reading reading(store, manifest, options.reading);
  const std::vector<Result<void>> all = TRY(reading.all());
  for (const Result<void>& found : all) TRY(note(proof, found));
  return {};
}

Result<void> verify_sqlite(object::Store& store, const Manifest& manifest, const VerifyOptions& options, Proof& proof) {
  const std::string path = fmt::format("{}/steward-proof-{}.db",
                                       options.scratch.empty() ? scratch_folder() : options.scratch, random_hex(6));
  const auto restored = restore_file(store, manifest, path, options.reading);
  if (!restored) return note(proof, restored);
  const auto has = sqlite_contents({.url = "sqlite:///" + path, .stop = options.reading.stop});
  for (const char* end : {"", "-wal", "-shm", "-journal"}) ::unlink((path + end).c_str());
  if (!has) {
    proof.faults.push_back("the restored file cannot be read: " + has.error().message);
    return {};
  }
  return compare(store, manifest, *has, options, proof);
}

Result<void> restore_into(object::Store& store, const Manifest& manifest, const sql::Target& target,
                          const Clients& clients, const VerifyOptions& options, bool is_throwaway, Proof& proof) {
  // Tablespaces would be made where they were: outside of the server's own folder.
  if (is_throwaway) TRY(note(proof, restore_globals(store, manifest, target, clients, options.reading, false)));
  const bool has_roles = is_throwaway && manifest.find(globals_key) != nullptr;
  const auto refused =
      restore_dump(store, manifest, target, clients,
                   {.owners = has_roles, .grants = has_roles, .tablespaces = false, .reading = options.reading});
  if (!refused) return note(proof, std::unexpected(refused.error()));
  // In a server of our own there is nothing but the backup: what pg_restore could not do is the backup's fault, unless
  // it says that this machine lacks something. Of another server nobody knows.
  if (*refused && (!is_throwaway || is_of_this_machine((*refused)->message))) return std::unexpected(**refused);
  if (*refused) {
    proof.faults.push_back((*refused)->message);
    return {};
  }
  const Contents has = TRY(dump_postgres(target, clients, {}, nullptr));
  return compare(store, manifest, has, options, proof);
}

Result<void> verify_postgres(object::Store& store, const Manifest& manifest, const VerifyOptions& options,
                             Proof& proof) {
  const std::vector<Clients> installed = installed_clients(options.clients);
  if (!options.to.empty()) {
    const sql::Target target{.url = options.to, .application = "steward backup verify", .stop = options.reading.stop};
    const PostgresFacts facts = TRY(postgres_facts(target));
    TRY(expect_empty(target));
    return restore_into(store, manifest, target,
                        TRY(clients_to_restore(major_in(manifest.client), facts.major, installed)), options, false,
                        proof);
  }
  const Clients clients = TRY(clients_to_prove(manifest, installed));
  const Bytes room{static_cast<std::uint64_t>(room_factor * static_cast<double>(manifest.database_size.count))};
  const ThrowawayServer server = TRY(ThrowawayServer::start(
      clients, options.scratch.empty() ? scratch_folder() : options.scratch, std::max(room, least_room),
      [&] { return options.reading.progress ? options.reading.progress(Bytes{}) : Result<void>{}; }));
  TRY(server.create_database("restored", manifest.encoding));
  sql::Target target = server.target("restored");
  target.stop = options.reading.stop;
  return restore_into(store, manifest, target, clients, options, true, proof);
}

}  // namespace

Result<Clients> clients_to_prove(const Manifest& manifest, std::span<const Clients> installed) {
  return clients_for(std::max(major_in(manifest.server), major_in(manifest.client)), installed, /*with_server=*/true);
}

Result<Proof> verify(object::Store& store, const Backup& backup, const VerifyOptions& options, const Clock& clock) {
  const Manifest& manifest = backup.manifest;
  Proof proof{.depth = options.depth};
  if (backup.unreadable)
    proof.faults.push_back(*backup.unreadable);
  else if (options.depth == Depth::bytes)
    TRY(verify_bytes(store, manifest, options, proof));
  else if (manifest.is_sqlite())
    TRY(verify_sqlite(store, manifest, options, proof));
  else
    TRY(verify_postgres(store, manifest, options, proof));
  proof.at = clock.now();
  return proof;
}

}  // namespace steward::backup
