#include "jobs/backup/stored_object.h"

#include <fmt/format.h>

#include "io/files/compression.h"
#include "jobs/backup/age.h"
#include "jobs/backup/framed.h"

namespace steward::backup {
namespace {

Result<const StoredObject*> object_of(const Manifest& manifest, std::string_view key) {
  const StoredObject* object = manifest.find(key);
  if (object == nullptr) return fail(Kind::not_found, fmt::format("backup {} has no {}", manifest.id(), key));
  return object;
}

/// Tells of what goes through. (A part has no hash to compare.)
class Ticking final : public Sink {
 public:
  Ticking(Sink& next, const std::function<Result<void>(Bytes)>& progress) : next_(next), progress_(progress) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    if (progress_) TRY(progress_(Bytes{bytes.size()}));
    return next_.write(bytes);
  }

 private:
  Sink& next_;
  const std::function<Result<void>(Bytes)>& progress_;
};

Result<void> plain(const StoredObject& object, const ReadOptions& options,
                   const std::function<Result<void>(Sink&)>& content, Sink& sink) {
  return object.is_encrypted() ? decrypt(options.identity, options.stop, content, sink) : content(sink);
}

}  // namespace

Result<void> read_object(object::Store& store, const Manifest& manifest, std::string_view key, Sink& sink,
                         const ReadOptions& options) {
  const StoredObject& object = *TRY(object_of(manifest, key));
  files::UnzstdSink unpacked(sink);
  TRY(plain(
      object, options,
      [&](Sink& stored) -> Result<void> {
        HashingSink hashing(&stored, options.progress);
        TRY(store.get(manifest.key_of(object.key), hashing));
        return hashing.compare(manifest.key_of(object.key), object);
      },
      unpacked));
  return unpacked.finish();
}

Result<void> read_object_from(object::Store& store, const Manifest& manifest, std::string_view key, std::uint64_t from,
                              Sink& sink, const ReadOptions& options) {
  const StoredObject& object = *TRY(object_of(manifest, key));
  files::UnzstdSink unpacked(sink);
  return plain(
      object, options,
      [&](Sink& stored) -> Result<void> {
        Ticking ticking(stored, options.progress);
        TRY(store.get_from(manifest.key_of(object.key), from, ticking));
        return {};
      },
      unpacked);
}

Result<Contents> contents_of(object::Store& store, const Manifest& manifest, const ReadOptions& options) {
  StringSink text;
  TRY(read_object(store, manifest, contents_key, text, options));
  return read_contents(text.text);
}

}  // namespace steward::backup
