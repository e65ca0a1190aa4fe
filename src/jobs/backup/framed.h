/// One object of a backup on its way into the store: compressed, hashed, uploaded, while it is still being made.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/result.h"
#include "core/stream.h"
#include "io/files/compression.h"
#include "io/object/store.h"
#include "jobs/backup/manifest.h"

namespace steward::backup {

/// Compresses into frames of zstd, one after another, which any zstd reads as one stream (RFC 8878, section 3.1).
/// A reader that knows where a frame begins can begin there.
class FramedSink final : public Sink {
 public:
  FramedSink(Sink& next, int level);
  Result<void> write(std::span<const std::byte> bytes) override;
  /// Here something begins that may be read by itself: a frame ends, unless it is still small.
  Result<void> boundary();
  Result<void> finish();
  std::uint64_t written() const { return raw_; }  ///< Uncompressed.
  /// Offsets of the frames: uncompressed, compressed.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>>& frames() const { return frames_; }

 private:
  /// Counts what goes on.
  struct Counted final : Sink {
    explicit Counted(Sink& sink) : next(sink) {}
    Result<void> write(std::span<const std::byte> bytes) override {
      count += bytes.size();
      return next.write(bytes);
    }
    Sink& next;
    std::uint64_t count = 0;
  };

  Counted packed_;
  int level_;
  std::optional<files::ZstdSink> frame_{};
  std::uint64_t raw_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> frames_{};
};

/// Uploads what `make` writes, as the object `key` of the backup in `folder`. `make` runs in a thread of its own;
/// `check` in this one, often: an error of it ends the upload, and nothing of it stays. `progress` hears of stored
/// bytes.
struct Upload {
  object::Store& store;
  std::string folder{};  ///< "app/20261129T000000Z-4f2a91".
  std::string key{};
  int level = 3;
  std::optional<Bytes> about{};  ///< Its size, guessed rather too large.
  /// How far `make` may be ahead of the store.
  std::size_t buffer = std::size_t{32} << 20;
  std::optional<Instant> locked_until{};  ///< object/store.h
  std::vector<std::string> recipients{};  ///< Not empty: encrypted to them (age.h), and the key ends in ".age".
  std::stop_token stop{};
  std::function<Result<void>()> check{};
  std::function<void(Bytes more)> progress{};
};
Result<StoredObject> upload(const Upload& how, const std::function<Result<void>(FramedSink&)>& make);

/// Reads an object back and compares its size and hash. corrupt, with what is wrong.
Result<void> read_back(object::Store& store, const std::string& folder, const StoredObject& object,
                       const std::function<Result<void>(Bytes more)>& progress);

/// Hashes and counts on the way to `next` (if any).
class HashingSink final : public Sink {
 public:
  explicit HashingSink(Sink* next, std::function<Result<void>(Bytes)> progress = {})
      : next_(next), progress_(std::move(progress)) {}
  Result<void> write(std::span<const std::byte> bytes) override;
  /// corrupt, where this is not what `object` says. Once.
  Result<void> compare(const std::string& key, const StoredObject& object);

 private:
  Sink* next_;
  std::function<Result<void>(Bytes)> progress_;
  Sha256 hash_{};
  std::uint64_t count_ = 0;
};

}  // namespace steward::backup
