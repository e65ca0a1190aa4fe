#include "app/pipes/stored_objects.h"

#include <fmt/format.h>

#include <utility>

namespace steward::pipes {
namespace {

class StoredObjects final : public Objects {
 public:
  explicit StoredObjects(object::S3Settings s3) : s3_(std::move(s3)) {}

  Result<std::string> get(const std::string& bucket, const std::string& key) override {
    const auto store = TRY(open(bucket));
    StringSink content;
    TRY(store->get(key, content));
    return std::move(content.text);
  }

  Result<void> put(const std::string& bucket, const std::string& key, const std::string& content) override {
    const auto store = TRY(open(bucket));
    StringSource source(content);
    TRY(store->put(key, source, {.size = Bytes{content.size()}}));
    return {};
  }

 private:
  Result<std::unique_ptr<object::Store>> open(const std::string& bucket) const {
    return object::open({.url = fmt::format("s3://{}", bucket), .s3 = s3_});
  }
  object::S3Settings s3_;
};

}  // namespace

std::unique_ptr<Objects> stored_objects(object::S3Settings s3) {
  return std::make_unique<StoredObjects>(std::move(s3));
}

}  // namespace steward::pipes
