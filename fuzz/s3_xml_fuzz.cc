// The answers of an object store, which may be anything at all.

#include "io/object/s3_xml.h"
#include "property.h"

namespace steward::fuzz {
namespace {
using namespace object;

void read_all(std::string_view xml) {
  if (const auto page = read_object_page(xml))
    for (const ObjectInfo& info : page->objects) require(!info.key.empty(), "an object has a key");
  if (const auto page = read_upload_page(xml)) {
    for (const Upload& upload : page->uploads)
      require(!upload.key.empty() && !upload.id.empty(), "an upload has a key and an id");
    require(!page->more || !page->next_key.empty(), "a listing that goes on says where");
  }
  (void)read_version_page(xml);
  if (const auto id = read_upload_id(xml)) require(!id->empty(), "an upload has an id");
  if (const auto done = read_completion(xml))
    require(done->etag.empty() || done->etag.contains('"'), "an ETag has quotes");
  (void)read_deleted(xml);
  (void)read_versioning(xml);
  (void)read_retention(xml);
  (void)read_problem(xml);
}

/// What we write of a key, a server reads as that key: so do our readers.
void check_key(std::string_view key) {
  if (key.empty() || !fits_xml(key)) return;
  const KeyToDelete keys[] = {{.key = key, .etag = key}};
  const std::string request = delete_request(keys);
  const std::size_t begin = request.find("<Key>");
  const std::size_t end = request.find("</Key>") + std::string_view("</Key>").size();
  const auto deleted =
      read_deleted("<DeleteResult><Deleted>" + request.substr(begin, end - begin) + "</Deleted></DeleteResult>");
  require(deleted && deleted->size() == 1 && deleted->front().key == key, "a key reads back from our XML");
  const Part parts[] = {{.number = 1, .etag = std::string(key)}};
  require(completion_request(parts).contains("<PartNumber>1</PartNumber>"), "a part has its number");
}

}  // namespace
}  // namespace steward::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = steward::fuzz::text_of(data, size);
  steward::fuzz::read_all(text);
  steward::fuzz::check_key(text);
  return 0;
}
