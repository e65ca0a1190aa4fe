#include <fmt/format.h>
#include <zlib.h>

#include <vector>

#include "io/files/compression.h"

namespace steward::files {
namespace {

constexpr std::size_t piece = 256 << 10;
constexpr int with_gzip_header = 16;  // zlib.h: added to the window's size

std::unexpected<Error> zlib_failure(int code) {
  if (code == Z_MEM_ERROR) return fail(Kind::unavailable, "gzip: there is not enough memory");
  return fail(Kind::corrupt, fmt::format("this is not the gzip stream that was written: {}", zError(code)));
}

std::span<const std::byte> filled(const std::vector<std::byte>& buffer, const z_stream& stream) {
  return {buffer.data(), buffer.size() - stream.avail_out};
}

/// zlib counts in unsigned int: larger inputs go in pieces.
std::span<const std::byte> take(std::span<const std::byte>& rest, z_stream& stream) {
  const auto now = rest.first(std::min<std::size_t>(rest.size(), 1U << 30));
  rest = rest.subspan(now.size());
  // zlib does not write through it; its declaration is older than const.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(now.data()));
  stream.avail_in = static_cast<uInt>(now.size());
  return now;
}

void give_room(std::vector<std::byte>& buffer, z_stream& stream) {
  stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
  stream.avail_out = static_cast<uInt>(buffer.size());
}

}  // namespace

struct GzipSink::State {
  State(Sink& sink, int level) : next(sink) {
    begun = deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + with_gzip_header, 9, Z_DEFAULT_STRATEGY);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { deflateEnd(&stream); }

  Result<void> run(std::span<const std::byte> bytes, int flush) {
    if (begun != Z_OK) return zlib_failure(begun);
    if (finished) return fail(Kind::bug, "a gzip stream was written to after its end");
    do {
      take(bytes, stream);
      int code = Z_OK;
      do {
        give_room(buffer, stream);
        code = deflate(&stream, bytes.empty() ? flush : Z_NO_FLUSH);
        if (code == Z_STREAM_ERROR) return zlib_failure(code);
        if (stream.avail_out < buffer.size()) TRY(next.write(filled(buffer, stream)));
      } while (stream.avail_out == 0);
      finished = code == Z_STREAM_END;
    } while (!bytes.empty());
    return {};
  }

  Sink& next;
  z_stream stream{};
  std::vector<std::byte> buffer = std::vector<std::byte>(piece);
  int begun = Z_OK;
  bool finished = false;
};

GzipSink::GzipSink(Sink& next, int level) : state_(std::make_unique<State>(next, level)) {}
GzipSink::~GzipSink() = default;
Result<void> GzipSink::write(std::span<const std::byte> bytes) {
  return bytes.empty() ? Result<void>{} : state_->run(bytes, Z_NO_FLUSH);
}
Result<void> GzipSink::finish() { return state_->run({}, Z_FINISH); }

struct GunzipSink::State {
  explicit State(Sink& sink) : next(sink) { begun = inflateInit2(&stream, MAX_WBITS + with_gzip_header); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { inflateEnd(&stream); }

  Result<void> run(std::span<const std::byte> bytes) {
    if (begun != Z_OK) return zlib_failure(begun);
    while (!bytes.empty()) {
      take(bytes, stream);
      do {
        if (whole) {  // a further member, RFC 1952 section 2.2
          if (const int code = inflateReset(&stream); code != Z_OK) return zlib_failure(code);
          whole = false;
        }
        give_room(buffer, stream);
        const int code = inflate(&stream, Z_NO_FLUSH);
        if (stream.avail_out < buffer.size()) TRY(next.write(filled(buffer, stream)));
        whole = code == Z_STREAM_END;
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return zlib_failure(code);
        if (code == Z_BUF_ERROR) break;
      } while (stream.avail_in > 0 || stream.avail_out == 0);
    }
    return {};
  }

  Sink& next;
  z_stream stream{};
  std::vector<std::byte> buffer = std::vector<std::byte>(piece);
  int begun = Z_OK;
  bool whole = false;  // what came so far ends with a member; nothing at all does not
};

GunzipSink::GunzipSink(Sink& next) : state_(std::make_unique<State>(next)) {}
GunzipSink::~GunzipSink() = default;
Result<void> GunzipSink::write(std::span<const std::byte> bytes) { return state_->run(bytes); }
Result<void> GunzipSink::finish() {
  if (state_->whole) return {};
  return fail(Kind::corrupt, "this is not the gzip stream that was written: its end is missing");
}

}  // namespace steward::files
