/// The rights that policies need, and no more: what an administrator gives a user of steward's own.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/retention/section.h"

namespace steward::retention {

/// In the policy's database, for its rows. Connects, since the catalogue says what references them.
Result<std::vector<sql::Right>> row_rights(const RowPolicy& policy);
Result<std::vector<sql::Right>> row_rights(const FileRowPolicy& policy);
/// To see which files and objects the rows of a table need: for every policy that removes files or objects.
Result<std::vector<sql::Right>> need_rights(const NeededBy& needed);

/// What one statement of a bucket's policy allows: S3's actions, and the keys (with a `*`) they are about; no keys: the
/// bucket itself. https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
struct BucketRights {
  std::string bucket{};
  std::vector<std::string> actions{};
  std::string keys{};
};
/// For an archive at `store`: empty where it is a folder.
std::vector<BucketRights> archive_rights(const object::StoreTarget& store);
/// For objects that rows name by URLs: they are archived, and brought back.
std::vector<BucketRights> source_rights(const FileRowPolicy& policy);
/// For objects that expire.
std::vector<BucketRights> expiry_rights(const ObjectPolicy& policy);

}  // namespace steward::retention
