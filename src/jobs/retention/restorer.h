/// Brings rows back into one database, with their files and with what referred to them. restore.h has the promises.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"
#include "io/sql/connection.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/source_file.h"
#include "run/job.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

/// A row on its way back.
struct Returning {
  manifest::Header header{};
  manifest::Item item{};
  ArchivedRow row{};
  std::string key{};
};

class Restorer {
 public:
  struct Tally {
    std::uint64_t damaged = 0;       ///< Rows whose copies are damaged or gone.
    std::uint64_t without_file = 0;  ///< Rows whose files were missing already when they were archived.
    std::uint64_t back = 0;          ///< Rows of other tables that came back with those they refer to,
    std::uint64_t set_back = 0;      ///< and those that refer to them again.
  };
  virtual ~Restorer() = default;
  /// Holds the rows, in one transaction of the ledger, and then brings them back one by one: a row that is there
  /// without its hold would go again tonight.
  virtual Result<void> batch(const std::vector<Returning>& rows) = 0;
  /// What referred to these rows, where they are back. After all rows are: one may have referred to several.
  virtual Result<void> referring(const std::vector<Returning>& rows) = 0;
  virtual const Tally& tally() const = 0;
};

std::unique_ptr<Restorer> make_restorer(std::unique_ptr<sql::Connection> db, SourceFiles files, object::Store& archive,
                                        RunContext& run);

}  // namespace steward::retention
