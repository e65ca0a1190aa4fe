// Who may do what, route by route, and what a request has to be like to be let in.
#include "app/api/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/api/guard.h"
#include "app/api/login.h"
#include "core/digest.h"
#include "core/password.h"
#include "core/random.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Request;
using server::Response;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string password = "correct horse battery";

struct ApiTest : testing::Test {
  std::string folder = "/tmp/steward-api-" + random_hex(6);
  SystemClock clock{};
  std::unique_ptr<ledger::Ledger> ledger{};
  std::optional<StateDirectory> state{};
  std::unique_ptr<Api> api{};
  server::Router router{};

  void SetUp() override {
    std::filesystem::create_directories(folder);
    auto opened = ledger::open({.url = "sqlite:///" + folder + "/ledger.db"});
    ASSERT_TRUE(opened) << opened.error().message;
    ledger = *std::move(opened);
    auto directory = StateDirectory::open(folder + "/state");
    ASSERT_TRUE(directory) << directory.error().message;
    state = *std::move(directory);
    api = std::make_unique<Api>(
        *ledger, clock, *state,
        ApiSettings{.version = "1.2.3",
                    .settings = [] { return std::make_shared<const app::Settings>(); },
                    .changed = [] {},
                    .overview = [](ledger::Ledger&) -> Result<json> { return json::object(); },
                    .metrics = [](ledger::Ledger&) -> Result<std::string> { return "steward_info 1\n"; },
                    .program = "/bin/true"});
    router = api->router();
  }
  void TearDown() override {
    router = {};
    api.reset();
    std::filesystem::remove_all(folder);
  }

  void add_user(const std::string& name, ledger::Role role) {
    const auto hash = hash_password(Secret(password));
    ASSERT_TRUE(hash);
    ASSERT_TRUE(
        ledger->people().add_user({.name = name, .role = role, .password = *hash, .made = clock.now()}, "test"));
  }
  std::string token(ledger::Role role) {
    const std::string secret = std::string(ledger::token_prefix) + new_secret().reveal();
    EXPECT_TRUE(ledger->people().add_token({.id = "t-" + random_hex(4),
                                            .name = "test",
                                            .hash = sha256_hex(secret),
                                            .role = role,
                                            .made = clock.now(),
                                            .made_by = "test"}));
    return secret;
  }
  Response ask(const std::string& method, const std::string& path, server::Pairs headers = {}, const json& body = {}) {
    Request request{.method = method, .target = path, .host = "127.0.0.1:8420", .headers = std::move(headers)};
    std::size_t begin = 1;
    while (begin <= path.size()) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      request.segments.push_back(path.substr(begin, end - begin));
      begin = end + 1;
    }
    request.peer = "127.0.0.1";
    if (!body.is_null()) {
      request.headers.emplace_back("content-type", "application/json");
      request.body = body.dump();
    }
    return router.answer(request);
  }
  static server::Pairs bearer(const std::string& secret) { return {{"authorization", "Bearer " + secret}}; }
  static std::string cookie_of(const Response& response) {
    for (const auto& [name, value] : response.headers)
      if (name == "Set-Cookie") return value.substr(0, value.find(';'));
    return {};
  }
};

TEST_F(ApiTest, EachRouteIsForItsRoleAndThoseAboveAlone) {
  const json document = json::parse(api->openapi());
  std::map<std::string, std::string> tokens;
  const std::vector<std::string> roles{"viewer", "operator", "approver", "administrator"};
  for (const std::string& role : roles) tokens[role] = token(*ledger::role_named(role));
  std::size_t asked = 0;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string name = method;
      for (char& c : name) c = static_cast<char>(std::toupper(c));
      const auto needed = operation["x-role"].get<std::string>();
      SCOPED_TRACE(name + " " + path + ", for " + needed);
      ++asked;
      if (needed == "anyone") {
        EXPECT_NE(ask(name, path).status, 403);
        continue;
      }
      EXPECT_EQ(ask(name, path).status, 401);
      EXPECT_EQ(ask(name, path, bearer("steward_nobody")).status, 401);
      for (const std::string& role : roles) {
        const bool may = *ledger::role_named(role) >= *ledger::role_named(needed);
        const int status = ask(name, path, bearer(tokens[role])).status;
        EXPECT_EQ(status != 403, may) << role << ": " << status;
        EXPECT_NE(status, 401) << role;
      }
    }
  }
  EXPECT_GT(asked, 40u);
}

TEST_F(ApiTest, ACookieAloneChangesNothingUnlessOneOfOurOwnPagesAsks) {
  add_user("ada", ledger::Role::administrator);
  const Response signed_in = ask("POST", "/api/v1/login", {}, {{"name", "ada"}, {"password", password}});
  ASSERT_EQ(signed_in.status, 200) << signed_in.body;
  const std::string cookie = cookie_of(signed_in);
  EXPECT_EQ(ask("GET", "/api/v1/me", {{"cookie", cookie}}).status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/me", {{"cookie", cookie}, {"authorization", "Basic YWRhOng="}}).status, 200)
      << "a proxy's own password is none of ours";
  const json freeze{{"reason", "test"}};
  const auto freeze_from = [&](server::Pairs headers) {
    headers.emplace_back("cookie", cookie);
    return ask("POST", "/api/v1/freezes", headers, freeze).status;
  };
  EXPECT_EQ(freeze_from({}), 403);
  EXPECT_EQ(freeze_from({{"origin", "https://evil.example"}}), 403);
  EXPECT_EQ(freeze_from({{"origin", "null"}}), 403);
  EXPECT_EQ(freeze_from({{"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(ledger->freezes(clock.now())->size(), 0u);
  EXPECT_EQ(freeze_from({{"origin", "http://127.0.0.1:8420"}}), 201);
  EXPECT_EQ(ledger->freezes(clock.now())->front().who, "ada");
}

TEST_F(ApiTest, SigningInIsSlowedAfterFailuresAndSaysForHowLong) {
  add_user("ada", ledger::Role::viewer);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(ask("POST", "/api/v1/login", {}, {{"name", "ada"}, {"password", "wrong"}}).status, 401);
  const Response slowed = ask("POST", "/api/v1/login", {}, {{"name", "ada"}, {"password", password}});
  EXPECT_EQ(slowed.status, 429) << "the right password, too";
  EXPECT_THAT(slowed.headers, testing::Contains(testing::Pair("Retry-After", testing::Ne("0"))));
}

TEST_F(ApiTest, ANameThatNobodyHasAndAWrongPasswordGetTheSameAnswer) {
  add_user("ada", ledger::Role::viewer);
  const Response wrong = ask("POST", "/api/v1/login", {}, {{"name", "ada"}, {"password", "wrong"}});
  const Response nobody = ask("POST", "/api/v1/login", {}, {{"name", "eve"}, {"password", "wrong"}});
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.body, nobody.body);
}

TEST_F(ApiTest, TheFirstAdministratorIsMadeByTheLinkOnce) {
  const auto link = setup_link(*ledger, clock.now(), "http://localhost");
  ASSERT_TRUE(link && *link);
  const json body{{"link", (*link)->substr((*link)->find('#') + 1)}, {"name", "ada"}, {"password", password}};
  json other = body;
  other["link"] = "0000";
  EXPECT_EQ(ask("POST", "/api/v1/setup", {}, other).status, 409);
  const Response made = ask("POST", "/api/v1/setup", {}, body);
  EXPECT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(ask("GET", "/api/v1/users", {{"cookie", cookie_of(made)}}).status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/setup", {}, body).status, 409);
  EXPECT_FALSE(setup_link(*ledger, clock.now(), "http://localhost")->has_value());
}

TEST_F(ApiTest, ABodyIsCheckedAgainstItsDeclaration) {
  const auto operator_ = bearer(token(ledger::Role::operator_));
  const Response unknown = ask("POST", "/api/v1/freezes", operator_, {{"reason", "x"}, {"untill", "soon"}});
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("untill"));
  EXPECT_EQ(ask("POST", "/api/v1/freezes", operator_, {{"reason", 1}}).status, 400);
  EXPECT_EQ(ask("POST", "/api/v1/freezes", operator_, {{"reason", "   "}}).status, 400);
  EXPECT_EQ(ask("POST", "/api/v1/freezes", operator_).status, 400);
}

TEST(WaitAfter, GrowsWithFailuresUpToItsEndAndPassesWithTime) {
  const Instant now = SystemClock().now();
  EXPECT_EQ(wait_after({.count = 4, .last = now}, 60s, now), 0s);
  EXPECT_EQ(wait_after({.count = 5, .last = now}, 60s, now), 2s);
  EXPECT_EQ(wait_after({.count = 7, .last = now}, 60s, now), 8s);
  EXPECT_EQ(wait_after({.count = 1000, .last = now}, 60s, now), 60s);
  EXPECT_EQ(wait_after({.count = 7, .last = now - 7s}, 60s, now), 1s);
  EXPECT_EQ(wait_after({.count = 7, .last = now + 1h}, 60s, now), 8s) << "a clock that was set back";
}

TEST(OurPages, AreThoseOfThePublicUrlAndOfTheHostThatWasAsked) {
  Request request{.host = "ops.example:8420"};
  const auto from = [&](const std::string& origin, const std::string& url) {
    request.headers = {{"origin", origin}};
    return is_from_our_pages(request, url);
  };
  EXPECT_TRUE(from("http://ops.example:8420", ""));
  EXPECT_FALSE(from("https://ops.example:8420", ""));
  EXPECT_TRUE(from("https://public.example", "https://public.example/steward"));
  EXPECT_FALSE(from("https://public.example.evil.example", "https://public.example/steward"));
  EXPECT_FALSE(from("null", ""));
}

TEST_F(ApiTest, IsDescribedByTheDocumentThatTheDashboardIsBuiltFrom) {
  json document = json::parse(api->openapi());
  document["info"]["version"] = "0";  // it changes with each release, and no route with it
  const std::string text = document.dump(1) + '\n', path = std::string(STEWARD_SOURCE_DIR) + "/web/openapi.json";
  if (std::getenv("STEWARD_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ostringstream known;
  known << std::ifstream(path).rdbuf();
  EXPECT_TRUE(text == known.str()) << path << " is not what the server says: ./dev golden IsDescribedByTheDocument";
}

}  // namespace
}  // namespace steward::api
