/// Streams of zstd (RFC 8878) and gzip (RFC 1952), with the checksums of either.
#pragma once
#include <memory>

#include "core/result.h"
#include "core/stream.h"

namespace steward::files {

/// What compresses into another sink, or back.
class Codec : public Sink {
 public:
  /// Ends the stream. Compressing: without it the stream is cut, and reading it fails as corrupt. Back: corrupt where
  /// the stream was cut.
  virtual Result<void> finish() = 0;
};

/// Compresses what is written into `next`.
class ZstdSink final : public Codec {
 public:
  explicit ZstdSink(Sink& next, int level = 3);
  ~ZstdSink() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decompresses what is written, into `next`; several frames one after another are one stream.
class UnzstdSink final : public Codec {
 public:
  explicit UnzstdSink(Sink& next);
  ~UnzstdSink() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The same as gzip writes it, at its own default level.
class GzipSink final : public Codec {
 public:
  explicit GzipSink(Sink& next, int level = 6);
  ~GzipSink() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// And back; several members one after another are one stream.
class GunzipSink final : public Codec {
 public:
  explicit GunzipSink(Sink& next);
  ~GunzipSink() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace steward::files
