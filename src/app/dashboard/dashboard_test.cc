#include "app/dashboard/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steward::dashboard {
namespace {
using server::Request;
using server::Response;
using testing::HasSubstr;
using testing::Not;

Request get(std::vector<std::string> segments, server::Pairs headers = {}) {
  return {.method = "GET", .segments = std::move(segments), .headers = std::move(headers)};
}
std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return {};
}
/// The script that every page begins with, whatever its hash.
std::vector<std::string> script() {
  for (const Asset& asset : assets())
    if (asset.path.starts_with("assets/index-") && asset.path.ends_with(".js"))
      return {"assets", std::string(asset.path.substr(7))};
  return {};
}

TEST(Dashboard, IsInTheProgram) { EXPECT_FALSE(script().empty()); }

TEST(Dashboard, GivesItsPageForEveryAddressThatIsNotTheApis) {
  for (const auto& segments : {std::vector<std::string>{""}, {"runs", "20261123T030000Z-4f2a91"}, {"index.html"}}) {
    const Response response = page(get(segments), "");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(header(response, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_THAT(response.body, HasSubstr("<base href=\"/\" />"));
    EXPECT_TRUE(response.page);
  }
  EXPECT_EQ(page(get({"api", "v1", "nothing"}), "").status, 404);
  EXPECT_EQ(page(get({"assets", "gone-12345678.js"}), "").status, 404);
}

TEST(Dashboard, BehindAPathSaysSoToTheBrowser) {
  EXPECT_THAT(page(get({"runs"}), "/ops/steward").body, HasSubstr("<base href=\"/ops/steward/\" />"));
}

TEST(Dashboard, SendsAFileInTheBestCodingThatTheBrowserTakes) {
  const Response plain = page(get(script()), ""), packed = page(get(script(), {{"accept-encoding", "gzip"}}), ""),
                 best = page(get(script(), {{"accept-encoding", "gzip, deflate, br, zstd"}}), "");
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
  EXPECT_EQ(header(packed, "Content-Encoding"), "gzip");
  EXPECT_TRUE(packed.body.starts_with("\x1f\x8b"));
  EXPECT_EQ(header(best, "Content-Encoding"), "br");
  EXPECT_LT(best.body.size(), packed.body.size());
  EXPECT_LT(packed.body.size(), plain.body.size());
  EXPECT_EQ(header(page(get(script(), {{"accept-encoding", "br;q=0, gzip"}}), ""), "Content-Encoding"), "gzip");
  EXPECT_EQ(header(best, "Vary"), "Accept-Encoding");
}

TEST(Dashboard, LetsAHashedFileBeKeptForGoodAndAsksAgainForOthers) {
  EXPECT_THAT(header(page(get(script()), ""), "Cache-Control"), HasSubstr("immutable"));
  const Response icon = page(get({"favicon.svg"}), "");
  EXPECT_EQ(header(icon, "Cache-Control"), "");  // the server's own: no-cache
  const Response again = page(get({"favicon.svg"}, {{"if-none-match", header(icon, "ETag")}}), "");
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(page(get({"favicon.svg"}, {{"if-none-match", "\"another\""}}), "").status, 200);
}

TEST(Dashboard, IsAskedForAfterAllOtherRoutesAndForGetAlone) {
  server::Router router;
  router.add("POST", "/api/v1/login", server::Access::anyone, [](const Request&) { return Response{.status = 204}; });
  add_pages(router, "");
  Request login = get({"api", "v1", "login"}), write = get({"runs"}), look = get({"runs"});
  write.method = "POST";
  EXPECT_EQ(router.answer(login).status, 405);
  EXPECT_EQ(router.answer(write).status, 404);
  EXPECT_EQ(router.answer(look).status, 200);
}

}  // namespace
}  // namespace steward::dashboard
