#include "jobs/retention/grants.h"

#include "jobs/retention/table.h"

namespace steward::retention {
namespace {

struct Place {
  std::string bucket{}, prefix{};  ///< "app", "cold/"; the prefix is empty for the whole bucket.
};

std::optional<Place> place_of(const object::StoreTarget& store) {
  if (!store.url.starts_with("s3://")) return {};
  const std::string rest = store.url.substr(5);
  const std::size_t slash = rest.find('/');
  if (slash == std::string::npos) return Place{.bucket = rest};
  return Place{.bucket = rest.substr(0, slash), .prefix = rest.substr(slash + 1) + '/'};
}

}  // namespace

Result<std::vector<sql::Right>> row_rights(const RowPolicy& policy) {
  const Table table = TRY(Table::open(policy.rows));
  return table.rights(/*locks_rows=*/policy.archive.has_value());
}

Result<std::vector<sql::Right>> row_rights(const FileRowPolicy& policy) {
  const Table table = TRY(Table::open(policy.rows));
  return table.rights(/*locks_rows=*/true);
}

Result<std::vector<sql::Right>> need_rights(const NeededBy& needed) {
  auto db = TRY(sql::connect(needed.database));
  const sql::TableInfo table = TRY(db->describe(needed.table));
  sql::Right right{"SELECT", table.schema, table.name, {needed.column}};
  return std::vector<sql::Right>{std::move(right)};
}

std::vector<BucketRights> archive_rights(const object::StoreTarget& store) {
  const auto place = place_of(store);
  if (!place) return {};
  return {{.bucket = place->bucket, .actions = {"s3:ListBucket"}},
          {.bucket = place->bucket,
           .actions = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"},
           .keys = place->prefix + '*'}};
}

std::vector<BucketRights> source_rights(const FileRowPolicy& policy) {
  std::vector<BucketRights> rights;
  for (const UrlPrefix& url : policy.urls)
    if (const auto place = place_of(url.store)) {
      rights.push_back({.bucket = place->bucket, .actions = {"s3:ListBucket"}});  // or what is missing is "forbidden"
      rights.push_back({.bucket = place->bucket,
                        .actions = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
                        .keys = place->prefix + '*'});
    }
  return rights;
}

std::vector<BucketRights> expiry_rights(const ObjectPolicy& policy) {
  const auto place = place_of(policy.bucket);
  if (!place) return {};
  std::vector<std::string> of_objects{"s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"};
  if (policy.versions != Versions::current) of_objects.emplace_back("s3:DeleteObjectVersion");
  return {{.bucket = place->bucket,
           .actions = {"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketVersioning",
                       "s3:ListBucketVersions"}},
          {.bucket = place->bucket, .actions = std::move(of_objects), .keys = place->prefix + '*'},
          // Its lock, and the probe of what the server can do.
          {.bucket = place->bucket,
           .actions = {"s3:PutObject", "s3:DeleteObjectVersion"},
           .keys = place->prefix + ".steward-*"}};
}

}  // namespace steward::retention
