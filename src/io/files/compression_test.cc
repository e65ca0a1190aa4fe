#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <vector>

#include "io/files/compression.h"
#include "io/files/scratch.h"

namespace steward::files {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Zstd {
  using Compress = ZstdSink;
  using Decompress = UnzstdSink;
  static constexpr const char* name = "zstd";
};
struct Gzip {
  using Compress = GzipSink;
  using Decompress = GunzipSink;
  static constexpr const char* name = "gzip";
};

template <class Format>
std::string compressed(std::string_view text) {
  StringSink out;
  typename Format::Compress zstd(out);
  EXPECT_TRUE(zstd.write(bytes(text)));
  EXPECT_TRUE(zstd.finish());
  return out.text;
}

/// What comes out, in pieces of `piece`, or the first error.
template <class Format>
Result<std::string> decompressed(std::string_view stream, std::size_t piece = 1'000'000) {
  StringSink out;
  typename Format::Decompress zstd(out);
  for (std::size_t at = 0; at < stream.size(); at += piece) TRY(zstd.write(bytes(stream.substr(at, piece))));
  TRY(zstd.finish());
  return std::move(out.text);
}

/// Text that does not compress well, so that it passes the buffers in several pieces.
std::string noise(std::size_t size) {
  std::string out;
  std::uint64_t state = 42;
  while (out.size() < size) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    out += static_cast<char>(state >> 56);
  }
  return out;
}

template <class Format>
struct Codecs : testing::Test {};
using Formats = testing::Types<Zstd, Gzip>;
TYPED_TEST_SUITE(Codecs, Formats);

TYPED_TEST(Codecs, GivesBackWhatWasWritten) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(10'000'000, 'a'), noise(3'000'000)})
    EXPECT_EQ(decompressed<TypeParam>(compressed<TypeParam>(text)).value(), text);
  EXPECT_LT(compressed<TypeParam>(std::string(10'000'000, 'a')).size(), 10'000U);
}

TYPED_TEST(Codecs, PiecesMayFallAnywhere) {
  const std::string text = noise(1'000) + std::string(200'000, 'a');
  const std::string stream = compressed<TypeParam>(text);
  for (const std::size_t piece : {1U, 7U, 100U}) EXPECT_EQ(decompressed<TypeParam>(stream, piece).value(), text);
  StringSink out;
  typename TypeParam::Compress zstd(out);
  for (const char& c : text) ASSERT_TRUE(zstd.write(bytes({&c, 1})));
  ASSERT_TRUE(zstd.finish());
  EXPECT_EQ(decompressed<TypeParam>(out.text).value(), text);
}

TYPED_TEST(Codecs, FramesOneAfterAnotherAreOneStream) {
  EXPECT_EQ(
      decompressed<TypeParam>(compressed<TypeParam>("one ") + compressed<TypeParam>("") + compressed<TypeParam>("two"))
          .value(),
      "one two");
}

TYPED_TEST(Codecs, AStreamCutAnywhereIsCorrupt) {
  const std::string stream = compressed<TypeParam>(noise(500));
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const auto cut = decompressed<TypeParam>(stream.substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().kind, Kind::corrupt);
    EXPECT_EQ(cut.error().message,
              fmt::format("this is not the {} stream that was written: its end is missing", TypeParam::name));
  }
  EXPECT_FALSE(decompressed<TypeParam>(compressed<TypeParam>("one") + stream.substr(0, stream.size() / 2)));
}

TYPED_TEST(Codecs, WithoutFinishTheStreamIsCut) {
  StringSink out;
  {
    typename TypeParam::Compress zstd(out);
    ASSERT_TRUE(zstd.write(bytes("text")));
  }
  EXPECT_EQ(decompressed<TypeParam>(out.text).error().kind, Kind::corrupt);
}

TYPED_TEST(Codecs, ABitThatFlippedIsCorrupt) {
  const std::string text = noise(200);
  const std::string stream = compressed<TypeParam>(text);
  for (std::size_t at = 0; at < stream.size(); ++at) {
    std::string damaged = stream;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto read = decompressed<TypeParam>(damaged);
    // Some bits of the head say nothing about the content; what is read is never something else.
    if (read)
      EXPECT_EQ(*read, text) << at;
    else
      EXPECT_EQ(read.error().kind, Kind::corrupt) << at;
  }
}

TYPED_TEST(Codecs, WhatIsNoneIsCorrupt) {
  const auto read = decompressed<TypeParam>("neither of the two");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, Kind::corrupt);
  EXPECT_THAT(read.error().message,
              testing::StartsWith(fmt::format("this is not the {} stream that was written: ", TypeParam::name)));
  EXPECT_FALSE(decompressed<TypeParam>(compressed<TypeParam>("x") + "trailing"));
}

TYPED_TEST(Codecs, PassesOnTheErrorOfWhatComesNext) {
  struct Full final : Sink {
    Result<void> write(std::span<const std::byte>) override { return fail(Kind::unavailable, "the disk is full"); }
  } full;
  typename TypeParam::Compress zstd(full);
  const auto written = zstd.write(bytes("x"));  // what is still in its buffer comes with the end
  EXPECT_EQ((written ? zstd.finish() : written).error().message, "the disk is full");
  typename TypeParam::Decompress unzstd(full);
  EXPECT_EQ(unzstd.write(bytes(compressed<TypeParam>("x"))).error().message, "the disk is full");
}

TYPED_TEST(Codecs, NothingIsWrittenAfterTheEnd) {
  StringSink out;
  typename TypeParam::Compress zstd(out);
  ASSERT_TRUE(zstd.finish());
  EXPECT_EQ(zstd.write(bytes("x")).error().kind, Kind::bug);
}

/// What the stock program makes of a stream in its file.
int by_hand(const std::string& command) { return WEXITSTATUS(std::system(command.c_str())); }

TEST(CodecsByHand, TheStockProgramsReadThem) {
  const Scratch scratch;
  const std::string text = noise(300'000) + std::string(300'000, 'a');
  scratch.write("f.gz", compressed<Gzip>(text));
  scratch.write("f.zst", compressed<Zstd>(text));
  EXPECT_EQ(by_hand("gzip -dc " + (scratch / "f.gz") + " > " + (scratch / "out")), 0);
  EXPECT_EQ(scratch.read("out"), text);
  EXPECT_EQ(by_hand("zstd -qdc " + (scratch / "f.zst") + " > " + (scratch / "out")), 0);
  EXPECT_EQ(scratch.read("out"), text);
}

}  // namespace
}  // namespace steward::files
