#include "run/locks.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <utility>

#include "core/digest.h"
#include "core/url.h"
#include "io/sql/database_url.h"
#include "run/store_lease.h"

namespace steward {
namespace {

/// The last statement of a lock's transaction, whenever it is idle. A query's snapshot would stay until the next one,
/// and keep vacuum and whoever waits for older snapshots (DETACH PARTITION … FINALIZE) for as long; a setting takes
/// none.
constexpr std::string_view without_a_snapshot = "set local idle_in_transaction_session_timeout to 0";

class DatabaseLock final : public Lock {
 public:
  DatabaseLock(std::unique_ptr<sql::Connection> connection, sql::Transaction transaction)
      : connection_(std::move(connection)), transaction_(std::move(transaction)) {}
  Result<void> alive() override {
    if (const auto answer = connection_->execute(without_a_snapshot); !answer)
      return fail(Kind::interrupted,
                  fmt::format("the lock in {} is lost: {}", connection_->shown(), answer.error().message),
                  "Nothing is lost. Run it again when the database is back.");
    return {};
  }

 private:
  std::unique_ptr<sql::Connection> connection_;  // before the transaction, which ends first
  sql::Transaction transaction_;
};

/// The same lock, held by several tasks of one run.
class SharedLock final : public Lock {
 public:
  explicit SharedLock(std::shared_ptr<Lock> lock) : lock_(std::move(lock)) {}
  Result<void> alive() override { return lock_->alive(); }

 private:
  std::shared_ptr<Lock> lock_;
};

/// The database locks of this process, by database and name: two tasks of a run may be about one table, and would keep
/// each other out. As with folders, taking one twice is counted.
class HeldInDatabases {
 public:
  std::shared_ptr<Lock> find(const std::string& key) {
    const std::lock_guard guard(mutex_);
    const auto found = held_.find(key);
    return found == held_.end() ? nullptr : found->second.lock();
  }
  void add(const std::string& key, const std::shared_ptr<Lock>& lock) {
    const std::lock_guard guard(mutex_);
    held_[key] = lock;
  }

 private:
  std::mutex mutex_{};
  std::map<std::string, std::weak_ptr<Lock>> held_{};
};

HeldInDatabases& held_in_databases() {
  static HeldInDatabases held;
  return held;
}

class FolderLock final : public Lock {
 public:
  explicit FolderLock(std::shared_ptr<void> held) : held_(std::move(held)) {}
  Result<void> alive() override { return {}; }  // the kernel keeps a flock for as long as the handle is open

 private:
  std::shared_ptr<void> held_;
};

/// flock first, which costs nothing; then the lease, or the reason why there is none.
class BucketLock final : public Lock {
 public:
  BucketLock(std::unique_ptr<Lock> here, std::unique_ptr<Lock> everywhere, std::string note)
      : here_(std::move(here)), everywhere_(std::move(everywhere)), note_(std::move(note)) {}
  Result<void> alive() override { return everywhere_ ? everywhere_->alive() : Result<void>{}; }
  std::string note() const override { return note_; }

 private:
  std::unique_ptr<Lock> here_;
  std::unique_ptr<Lock> everywhere_;  // after the flock: the lease goes first
  std::string note_;
};

std::unexpected<Error> taken(std::string_view what) {
  return fail(Kind::busy, fmt::format("another run is working on {}", what),
              "Let it finish (`steward runs` shows it), or `steward runs cancel` it.");
}

Result<std::unique_ptr<Lock>> lock_open_folder(const files::Folder& folder) {
  auto held = folder.lock();
  if (!held && held.error().kind == Kind::busy) return taken(folder.path());
  return std::make_unique<FolderLock>(TRY(std::move(held)));
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

namespace {

/// A lock of a database: its name, and how it is had.
struct Wanted {
  std::string name{};
  sql::Sharing sharing = sql::Sharing::alone;
};

/// All of them in one transaction of one connection.
Result<std::unique_ptr<Lock>> take_in_database(const sql::Target& target, const std::vector<Wanted>& wanted) {
  sql::Target unstopped = target;
  unstopped.stop = {};  // a stop must not take the lock away from what still has to be finished or rolled back
  auto connection = TRY(sql::connect(unstopped));
  if (connection->dialect() == sql::Dialect::sqlite) {
    const sql::DatabaseUrl url = TRY(sql::parse_database_url(target.url));
    return lock_folder(folder_of(url.path));
  }
  std::string key = connection->identity();
  for (const Wanted& one : wanted) key += ' ' + one.name;
  if (auto lock = held_in_databases().find(key)) return std::make_unique<SharedLock>(std::move(lock));
  sql::Transaction transaction = TRY(connection->begin());
  for (const Wanted& one : wanted)
    if (!TRY(connection->try_transaction_lock("steward " + one.name, one.sharing))) return taken(connection->shown());
  TRY(connection->execute(without_a_snapshot));
  auto lock = std::make_shared<DatabaseLock>(std::move(connection), std::move(transaction));
  held_in_databases().add(key, lock);
  return std::make_unique<SharedLock>(std::move(lock));
}

/// The folder of the state directory whose flock stands for a lock of that store.
Result<files::Folder> folder_for(const object::StoreTarget& target, const StateDirectory& state,
                                 const std::string& name) {
  const std::string place =
      fmt::format("locks/{}", sha256_hex(target.s3.endpoint + ' ' + target.url + ' ' + name).substr(0, 16));
  TRY(state.folder().make_folders(place));
  return state.folder().subfolder(place);
}

/// The lease on top of a flock, or the reason why there is none.
Result<std::unique_ptr<Lock>> with_lease(std::unique_ptr<Lock> here, Result<std::unique_ptr<StoreLease>> lease) {
  if (lease) return std::make_unique<BucketLock>(std::move(here), *std::move(lease), "");
  if (lease.error().code != "no-lease") return std::unexpected(std::move(lease).error());
  return std::make_unique<BucketLock>(std::move(here), nullptr, std::move(lease).error().message);
}

/// Several that are held and let go together.
class Locks final : public Lock {
 public:
  Locks(std::unique_ptr<Lock> first, std::unique_ptr<Lock> second)
      : first_(std::move(first)), second_(std::move(second)) {}
  Result<void> alive() override {
    TRY(first_->alive());
    return second_->alive();
  }

 private:
  std::unique_ptr<Lock> first_, second_;
};

}  // namespace

Result<std::unique_ptr<Lock>> lock_in_database(const sql::Target& target, const std::string& name) {
  return take_in_database(target, {{.name = name}});
}

Result<std::unique_ptr<Lock>> lock_part_in_database(const sql::Target& target, const std::string& name,
                                                    const std::string& part) {
  return take_in_database(target, {{.name = name, .sharing = sql::Sharing::beside}, {.name = name + ' ' + part}});
}

Result<std::unique_ptr<Lock>> lock_folder(const std::string& path) {
  const files::Folder folder = TRY(files::Folder::open(path));
  return lock_open_folder(folder);
}

Result<std::unique_ptr<Lock>> lock_store(const object::StoreTarget& target, const StateDirectory& state,
                                         const std::string& name) {
  const Url url = TRY(parse_url(target.url));
  if (url.scheme == "file") return lock_folder(url.path);
  const files::Folder folder = TRY(folder_for(target, state, name));
  auto held = folder.lock();
  if (!held && held.error().kind == Kind::busy) return taken(target.url);
  return with_lease(std::make_unique<FolderLock>(TRY(std::move(held))), StoreLease::take(target, name));
}

Result<std::unique_ptr<Lock>> lock_part_of_store(const object::StoreTarget& target, const StateDirectory& state,
                                                 const std::string& name, const std::string& part) {
  const files::Folder whole = TRY(folder_for(target, state, name)), own = TRY(folder_for(target, state, name + part));
  auto beside = whole.lock_beside(), alone = own.lock();
  for (const auto* held : {&beside, &alone})
    if (!*held && held->error().kind == Kind::busy) return taken(target.url);
  auto here = std::make_unique<Locks>(std::make_unique<FolderLock>(TRY(std::move(beside))),
                                      std::make_unique<FolderLock>(TRY(std::move(alone))));
  return with_lease(std::move(here), StoreLease::take_part(target, name, part));
}

}  // namespace steward
