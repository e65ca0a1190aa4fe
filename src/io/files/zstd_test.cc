#include <gtest/gtest.h>

#include <vector>

#include "io/files/compression.h"

namespace steward::files {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string compressed(std::string_view text) {
  StringSink out;
  ZstdSink zstd(out);
  EXPECT_TRUE(zstd.write(bytes(text)));
  EXPECT_TRUE(zstd.finish());
  return out.text;
}

/// What comes out, in pieces of `piece`, or the first error.
Result<std::string> decompressed(std::string_view stream, std::size_t piece = 1'000'000) {
  StringSink out;
  UnzstdSink zstd(out);
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

TEST(Zstd, GivesBackWhatWasWritten) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(10'000'000, 'a'), noise(3'000'000)})
    EXPECT_EQ(decompressed(compressed(text)).value(), text);
  EXPECT_LT(compressed(std::string(10'000'000, 'a')).size(), 10'000U);
}

TEST(Zstd, PiecesMayFallAnywhere) {
  const std::string text = noise(1'000) + std::string(200'000, 'a');
  const std::string stream = compressed(text);
  for (const std::size_t piece : {1U, 7U, 100U}) EXPECT_EQ(decompressed(stream, piece).value(), text);
  StringSink out;
  ZstdSink zstd(out);
  for (const char& c : text) ASSERT_TRUE(zstd.write(bytes({&c, 1})));
  ASSERT_TRUE(zstd.finish());
  EXPECT_EQ(decompressed(out.text).value(), text);
}

TEST(Zstd, FramesOneAfterAnotherAreOneStream) {
  EXPECT_EQ(decompressed(compressed("one ") + compressed("") + compressed("two")).value(), "one two");
}

TEST(Zstd, AStreamCutAnywhereIsCorrupt) {
  const std::string stream = compressed(noise(500));
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const auto cut = decompressed(stream.substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().kind, Kind::corrupt);
    EXPECT_EQ(cut.error().message, "this is not the zstd stream that was written: its end is missing");
  }
  EXPECT_FALSE(decompressed(compressed("one") + stream.substr(0, stream.size() / 2)));
}

TEST(Zstd, WithoutFinishTheStreamIsCut) {
  StringSink out;
  {
    ZstdSink zstd(out);
    ASSERT_TRUE(zstd.write(bytes("text")));
  }
  EXPECT_EQ(decompressed(out.text).error().kind, Kind::corrupt);
}

TEST(Zstd, ABitThatFlippedIsCorrupt) {
  const std::string text = noise(200);
  const std::string stream = compressed(text);
  for (std::size_t at = 0; at < stream.size(); ++at) {
    std::string damaged = stream;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto read = decompressed(damaged);
    // Some bits of the head say nothing about the content; what is read is never something else.
    if (read)
      EXPECT_EQ(*read, text) << at;
    else
      EXPECT_EQ(read.error().kind, Kind::corrupt) << at;
  }
}

TEST(Zstd, WhatIsNotZstdIsCorrupt) {
  const auto read = decompressed("not zstd at all");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, Kind::corrupt);
  EXPECT_EQ(read.error().message, "this is not the zstd stream that was written: Unknown frame descriptor");
  EXPECT_FALSE(decompressed(compressed("x") + "trailing"));
}

TEST(Zstd, PassesOnTheErrorOfWhatComesNext) {
  struct Full final : Sink {
    Result<void> write(std::span<const std::byte>) override { return fail(Kind::unavailable, "the disk is full"); }
  } full;
  ZstdSink zstd(full);
  ASSERT_TRUE(zstd.write(bytes("x")));  // still in its buffer
  EXPECT_EQ(zstd.finish().error().message, "the disk is full");
  UnzstdSink unzstd(full);
  EXPECT_EQ(unzstd.write(bytes(compressed("x"))).error().message, "the disk is full");
}

TEST(Zstd, NothingIsWrittenAfterTheEnd) {
  StringSink out;
  ZstdSink zstd(out);
  ASSERT_TRUE(zstd.finish());
  EXPECT_EQ(zstd.write(bytes("x")).error().kind, Kind::bug);
}

}  // namespace
}  // namespace steward::files
