#include "io/object/sigv4.h"

#include <gtest/gtest.h>

#include "core/digest.h"

namespace steward::object {
namespace {

// The examples of AWS's own page: examplebucket, 24 May 2013.
const Credentials example{.access_key = "AKIAIOSFODNN7EXAMPLE",
                          .secret_key = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")};
const Instant example_time = *parse_instant("2013-05-24T00:00:00Z");

std::string signed_with(SignedRequest request) {
  request.host = "examplebucket.s3.amazonaws.com";
  if (request.payload_hash.empty()) request.payload_hash = sha256_hex("");
  const Fields added = signature(request, example, "us-east-1", "s3", example_time);
  const std::string& authorization = added.back().second;
  return authorization.substr(authorization.rfind('=') + 1);
}

TEST(SigV4, SignsAwssExampleOfAGetWithARange) {
  EXPECT_EQ(signed_with({.path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, SignsAwssExampleOfAPut) {
  EXPECT_EQ(signed_with(
                {.method = "PUT",
                 .path = "/test%24file.text",
                 .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                 .payload_hash = sha256_hex("Welcome to Amazon S3.")}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, SignsAwssExampleOfASubresource) {
  EXPECT_EQ(signed_with({.path = "/", .query = {{"lifecycle", ""}}}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, SignsAwssExampleOfAListing) {
  EXPECT_EQ(signed_with({.path = "/", .query = {{"prefix", "J"}, {"max-keys", "2"}}}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, SortsTheQueryByEncodedNameAndThenValue) {
  EXPECT_EQ(canonical_query({{"uploads", ""}, {"prefix", "a b/+*&=\n\xc3\xa9"}, {"a-b", "2"}, {"a", "1"}, {"a", "0"}}),
            "a=0&a=1&a-b=2&prefix=a%20b%2F%2B%2A%26%3D%0A%C3%A9&uploads=");
}

TEST(SigV4, SendsAndSignsASessionToken) {
  Credentials temporary = example;
  temporary.session_token = Secret("a/token==");
  const Fields added =
      signature({.host = "h", .path = "/", .payload_hash = sha256_hex("")}, temporary, "us-east-1", "s3", example_time);
  EXPECT_EQ(added[2], (std::pair<std::string, std::string>("x-amz-security-token", "a/token==")));
  EXPECT_NE(added.back().second.find("host;x-amz-content-sha256;x-amz-date;x-amz-security-token"), std::string::npos);
}

TEST(SigV4, SpacesInHeaderValuesAreSignedAsOne) {
  const SignedRequest wide{.path = "/", .headers = {{"X-Amz-Meta-A", "  a   b "}}};
  const SignedRequest narrow{.path = "/", .headers = {{"x-amz-meta-a", "a b"}}};
  EXPECT_EQ(signed_with(wide), signed_with(narrow));
}

}  // namespace
}  // namespace steward::object
