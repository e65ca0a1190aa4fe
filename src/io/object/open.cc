#include <fmt/format.h>

#include "core/url.h"
#include "io/object/directory.h"
#include "io/object/s3.h"
#include "io/object/store.h"

namespace steward::object {

Result<std::unique_ptr<Store>> open(const StoreTarget& target) {
  if (target.url.starts_with("s3://")) return open_s3(target);
  if (target.url.starts_with("file://")) return open_directory(target);
  return fail(Kind::bad_input, fmt::format("\"{}\" is not a store", masked(target.url)),
              "Write it like s3://bucket/prefix or file:///folder.");
}

}  // namespace steward::object
