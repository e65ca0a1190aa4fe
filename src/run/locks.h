/// Locks at the targets, so that two runs never work on the same one, whichever machine they are on.
#pragma once
#include <memory>
#include <string>

#include "core/result.h"
#include "io/files/folder.h"
#include "io/object/store.h"
#include "io/sql/connection.h"
#include "run/job.h"

namespace steward {

/// Locks `name` ("cleanup/purge-signals") in a database. PostgreSQL: a transaction of its own connection that holds an
/// advisory transaction lock and nothing else (no snapshot, so that vacuum goes on), which a transaction pooler
/// carries. SQLite: flock on the folder of the file. busy where another run has it; taking it twice in one process is
/// counted, and succeeds.
Result<std::unique_ptr<Lock>> lock_in_database(const sql::Target& target, const std::string& name);

/// One of several parts of what `name` locks as a whole: others of them may be at work beside it, the same one or the
/// whole never. SQLite: as the whole.
Result<std::unique_ptr<Lock>> lock_part_in_database(const sql::Target& target, const std::string& name,
                                                    const std::string& part);

/// flock on the folder.
Result<std::unique_ptr<Lock>> lock_folder(const std::string& path);

/// A store: flock for a directory. For S3 a lease in the bucket (store_lease.h), and before it flock on a file below
/// `state` named for the place, which keeps out other runs of this machine at once, and is all there is where the
/// bucket cannot have a lease: the lock's note says so then.
Result<std::unique_ptr<Lock>> lock_store(const object::StoreTarget& target, const StateDirectory& state,
                                         const std::string& name);
/// One of several parts of what `name` locks as a whole, as above.
Result<std::unique_ptr<Lock>> lock_part_of_store(const object::StoreTarget& target, const StateDirectory& state,
                                                 const std::string& name, const std::string& part);

}  // namespace steward
