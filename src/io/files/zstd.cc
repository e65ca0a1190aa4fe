#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <vector>

#include "io/files/compression.h"

namespace steward::files {
namespace {

std::unexpected<Error> zstd_failure(std::size_t code) {
  if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
    return fail(Kind::unavailable, "zstd: there is not enough memory");
  return fail(Kind::corrupt, fmt::format("this is not the zstd stream that was written: {}", ZSTD_getErrorName(code)));
}

std::span<const std::byte> filled(const std::vector<std::byte>& buffer, const ZSTD_outBuffer& out) {
  return {buffer.data(), out.pos};
}

}  // namespace

struct ZstdSink::State {
  Sink& next;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::vector<std::byte> buffer = std::vector<std::byte>(ZSTD_CStreamOutSize());
  bool finished = false;

  Result<void> run(std::span<const std::byte> bytes, ZSTD_EndDirective end) {
    if (finished) return fail(Kind::bug, "a zstd stream was written to after its end");
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    while (true) {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context.get(), &out, &in, end);
      if (ZSTD_isError(left) != 0) return zstd_failure(left);
      if (out.pos > 0) TRY(next.write(filled(buffer, out)));
      if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }
};

ZstdSink::ZstdSink(Sink& next, int level) : state_(new State{next}) {
  ZSTD_CCtx_setParameter(state_->context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(state_->context.get(), ZSTD_c_checksumFlag, 1);
}
ZstdSink::~ZstdSink() = default;

Result<void> ZstdSink::write(std::span<const std::byte> bytes) { return state_->run(bytes, ZSTD_e_continue); }

Result<void> ZstdSink::finish() {
  TRY(state_->run({}, ZSTD_e_end));
  state_->finished = true;
  return {};
}

struct UnzstdSink::State {
  Sink& next;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  std::vector<std::byte> buffer = std::vector<std::byte>(ZSTD_DStreamOutSize());
  bool whole = false;  // what came so far ends with a frame; nothing at all does not
};

UnzstdSink::UnzstdSink(Sink& next) : state_(new State{next}) {}
UnzstdSink::~UnzstdSink() = default;

Result<void> UnzstdSink::write(std::span<const std::byte> bytes) {
  State& s = *state_;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  bool full = false;  // the buffer was filled: more may be waiting, even where all input is taken
  while (in.pos < in.size || full) {
    ZSTD_outBuffer out{s.buffer.data(), s.buffer.size(), 0};
    const std::size_t left = ZSTD_decompressStream(s.context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) return zstd_failure(left);
    if (out.pos > 0) TRY(s.next.write(filled(s.buffer, out)));
    full = left != 0 && out.pos == out.size;
    s.whole = left == 0;
  }
  return {};
}

Result<void> UnzstdSink::finish() {
  if (state_->whole) return {};
  return fail(Kind::corrupt, "this is not the zstd stream that was written: its end is missing");
}

}  // namespace steward::files
