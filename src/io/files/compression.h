/// zstd streams (RFC 8878), with the frame's checksum.
#pragma once
#include <memory>

#include "core/result.h"
#include "core/stream.h"

namespace steward::files {

/// Compresses what is written into `next`. `finish` ends the frame; without it the stream is cut, and reading it fails
/// as corrupt.
class ZstdSink final : public Sink {
 public:
  explicit ZstdSink(Sink& next, int level = 3);
  ~ZstdSink() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decompresses what is written, into `next`; several frames one after another are one stream. `finish` fails as
/// corrupt where the last frame was cut.
class UnzstdSink final : public Sink {
 public:
  explicit UnzstdSink(Sink& next);
  ~UnzstdSink() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace steward::files
