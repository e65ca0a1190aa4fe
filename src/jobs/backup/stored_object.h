/// Reading an object of a backup as it was before it was compressed and encrypted.
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/stream.h"
#include "io/object/store.h"
#include "jobs/backup/contents.h"
#include "jobs/backup/manifest.h"

namespace steward::backup {

struct ReadOptions {
  std::string identity{};  ///< The file of the secret key of age, where it is encrypted.
  std::stop_token stop{};
  std::function<Result<void>(Bytes more)> progress{};  ///< Hears of stored bytes.
};

/// All of it, its hash compared on the way. `key`: without ".age". corrupt: it is not what was written. not_found: the
/// backup has none.
Result<void> read_object(object::Store& store, const Manifest& manifest, std::string_view key, Sink& sink,
                         const ReadOptions& options);

/// From the compressed byte `from` on, where a frame begins, until `sink` has enough and says so by an error. Of what
/// is encrypted, from its beginning alone.
Result<void> read_object_from(object::Store& store, const Manifest& manifest, std::string_view key, std::uint64_t from,
                              Sink& sink, const ReadOptions& options);

Result<Contents> contents_of(object::Store& store, const Manifest& manifest, const ReadOptions& options);

}  // namespace steward::backup
