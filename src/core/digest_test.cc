#include "core/digest.h"

#include <gtest/gtest.h>

#include <vector>

namespace steward {
namespace {

struct Case {
  std::string message, sha256;
};
TEST(Sha256, GivesNistsExamples) {  // FIPS 180-4 and its CAVP short messages
  const std::vector<Case> table{
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrst"
       "u",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
      {"\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
      {"\x11\xaf", "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"},
  };
  for (const Case& row : table) EXPECT_EQ(sha256_hex(row.message), row.sha256);
}

TEST(Sha256, IsTheSameHoweverTheBytesAreCut) {
  const std::string text(1'000, 'x');
  for (const std::size_t piece : {1U, 63U, 64U, 65U, 999U}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += piece) hash.update(std::string_view(text).substr(at, piece));
    EXPECT_EQ(hash.finish_hex(), sha256_hex(text)) << piece;
  }
}

TEST(Sha256, MayBeMovedHalfWay) {
  Sha256 first;
  first.update("a");
  Sha256 second(std::move(first));
  second.update("bc");
  EXPECT_EQ(second.finish_hex(), sha256_hex("abc"));
}

struct HmacCase {
  std::string key, message, mac;
};
TEST(Hmac, GivesTheExamplesOfRfc4231) {
  const std::vector<HmacCase> table{
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (const HmacCase& row : table) EXPECT_EQ(hex(hmac_sha256(row.key, row.message)), row.mac);
}

TEST(Hex, IsLowerCaseAndPadded) {
  const unsigned char bytes[] = {0x00, 0x0f, 0xab, 0xff};
  EXPECT_EQ(hex(bytes), "000fabff");
  EXPECT_EQ(hex({}), "");
}

}  // namespace
}  // namespace steward
