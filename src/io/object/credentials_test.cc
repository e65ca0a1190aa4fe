#include "io/object/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "io/files/scratch.h"
#include "io/http/scripted_server_test_support.h"

namespace steward::object {
namespace {

using http::Reply;
using http::ScriptedServer;
using http::SeenRequest;
using testing::HasSubstr;
using namespace std::chrono_literals;

/// An environment of a test's own: no file and no metadata service but what it names.
struct World {
  files::Scratch scratch{};
  std::map<std::string, std::string> variables{{"AWS_EC2_METADATA_DISABLED", "true"}};
  FakeClock clock{};
  World() {
    variables["HOME"] = scratch.path();
    clock.time = *parse_instant("2026-11-23T12:00:00Z");
  }
  Environment environment() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
  }
  std::unique_ptr<CredentialChain> chain() {
    return std::make_unique<CredentialChain>(environment(), clock, "eu-west-1", "");
  }
};

/// What a container or a machine answers with; good for `minutes` from World's noon.
std::string keys_until(const std::string& key, const std::string& time) {
  return R"({"AccessKeyId":")" + key + R"(","SecretAccessKey":"SECRET","Token":"TOKEN","Expiration":"2026-11-23T)" +
         time + R"(Z"})";
}

TEST(Credentials, OfVariablesComeFirst) {
  World world;
  world.scratch.write(".aws/credentials", "[default]\naws_access_key_id=FILE\naws_secret_access_key=S\n");
  world.variables["AWS_ACCESS_KEY_ID"] = "VARIABLE";
  world.variables["AWS_SECRET_ACCESS_KEY"] = "SECRET";
  world.variables["AWS_SESSION_TOKEN"] = "TOKEN";
  const auto keys = world.chain()->get();
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->access_key, "VARIABLE");
  EXPECT_EQ(keys->secret_key.reveal(), "SECRET");
  EXPECT_EQ(keys->session_token.reveal(), "TOKEN");
}

TEST(Credentials, HalfSetVariablesAreAnError) {
  World world;
  world.variables["AWS_ACCESS_KEY_ID"] = "VARIABLE";
  world.variables["AWS_SECRET_ACCESS_KEY"] = "";  // as good as none
  EXPECT_EQ(
      world.chain()->get().error(),
      (Error{Kind::bad_input, "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not", "Set both, or neither."}));
}

TEST(Credentials, OfTheProfileThatIsAskedFor) {
  World world;
  world.scratch.write(
      ".aws/credentials",
      "# keys\n[default]\naws_access_key_id = A\naws_secret_access_key = B\n\n[shots]\r\naws_access_key_id=C\r\n"
      "aws_secret_access_key = a=b/+\r\naws_session_token=T\r\n");
  EXPECT_EQ(world.chain()->get()->access_key, "A");
  world.variables["AWS_PROFILE"] = "shots";
  const auto keys = world.chain()->get();
  EXPECT_EQ(keys->access_key, "C");
  EXPECT_EQ(keys->secret_key.reveal(), "a=b/+");
  EXPECT_EQ(keys->session_token.reveal(), "T");
}

TEST(Credentials, OfAProfileInTheConfigFileWhoseNameIsGiven) {
  World world;
  world.scratch.write("elsewhere",
                      "[profile shots]\naws_access_key_id=C\naws_secret_access_key=D\nregion = eu-north-1\n"
                      "endpoint_url = http://127.0.0.1:9\ns3 =\n  addressing_style = virtual\n");
  world.variables["AWS_CONFIG_FILE"] = "~/elsewhere";
  world.variables["AWS_PROFILE"] = "shots";
  EXPECT_EQ(world.chain()->get()->access_key, "C");
  const auto settings = s3_settings_from(world.environment());
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->region, "eu-north-1");
  EXPECT_EQ(settings->endpoint, "http://127.0.0.1:9");
}

TEST(Credentials, AProfileThatIsNowhereIsAnErrorThatNamesBothFiles) {
  World world;
  world.variables["AWS_PROFILE"] = "shorts";
  const auto keys = world.chain()->get();
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().kind, Kind::bad_input);
  EXPECT_EQ(keys.error().message, "the profile \"shorts\" is neither in " + world.scratch.path() +
                                      "/.aws/config nor in " + world.scratch.path() + "/.aws/credentials");
}

TEST(Credentials, ALineThatCannotBeReadIsNamedAndNotShown) {
  World world;
  world.scratch.write(".aws/credentials", "[default]\naws_access_key_id = A\nwJalrXUtnFEMI\n");
  const auto keys = world.chain()->get();
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().message, world.scratch.path() + "/.aws/credentials:3: this line has no =");
}

TEST(Credentials, AProfileThatNeedsMoreSaysWhat) {
  for (const std::string setting : {"role_arn", "credential_process", "sso_session"}) {
    World world;
    world.scratch.write(".aws/config", "[default]\n" + setting + " = x\nsource_profile = y\n");
    const auto keys = world.chain()->get();
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error().message,
              "the profile \"default\" gets its keys by " + setting + ", which steward cannot do");
  }
}

TEST(Credentials, NoneAnywhereSaysWhereItWasLookedFor) {
  World world;
  const auto keys = world.chain()->get();
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().kind, Kind::permission);
  EXPECT_EQ(keys.error().message,
            "no keys for S3 were found: not in variables, ~/.aws, a container or the machine's metadata");
}

TEST(Credentials, OfAWebIdentityAreAskedForAtSts) {
  ScriptedServer sts([](const SeenRequest&) {
    return Reply::of(200,
                     "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>"
                     "ASIA</AccessKeyId>"
                     "<SecretAccessKey>SECRET</SecretAccessKey><SessionToken>T</"
                     "SessionToken><Expiration>2026-11-23T13:00:00Z</Expiration>"
                     "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>");
  });
  World world;
  world.scratch.write("token", "the.web.token\n");
  world.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = world.scratch / "token";
  EXPECT_EQ(world.chain()->get().error().message, "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
  world.variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/steward";
  world.variables["AWS_ENDPOINT_URL_STS"] = sts.url();
  const auto keys = world.chain()->get();
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->access_key, "ASIA");
  EXPECT_EQ(keys->expires, parse_instant("2026-11-23T13:00:00Z"));
  EXPECT_THAT(sts.seen().at(0).body, HasSubstr("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fsteward"));
  EXPECT_THAT(sts.seen().at(0).body, HasSubstr("WebIdentityToken=the.web.token"));
}

TEST(Credentials, AWebIdentityThatStsRefusesIsPermission) {
  ScriptedServer sts([](const SeenRequest&) { return Reply::of(403, "<Error>the.web.token</Error>"); });
  World world;
  world.scratch.write("token", "the.web.token");
  world.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = world.scratch / "token";
  world.variables["AWS_ROLE_ARN"] = "arn";
  world.variables["AWS_ENDPOINT_URL_STS"] = sts.url();
  const auto keys = world.chain()->get();
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().kind, Kind::permission);
  EXPECT_FALSE(keys.error().message.contains("the.web.token"));
}

TEST(Credentials, OfAContainerAreRenewedBeforeTheyEnd) {
  std::string answer = keys_until("FIRST", "13:00:00");
  std::mutex mutex;
  ScriptedServer server([&](const SeenRequest&) {
    const std::lock_guard lock(mutex);
    return Reply::of(200, answer);
  });
  World world;
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url() + "/v2/credentials";
  world.scratch.write("auth", "Bearer x\n");
  world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = world.scratch / "auth";
  const auto chain = world.chain();
  EXPECT_EQ(chain->get()->access_key, "FIRST");
  EXPECT_EQ(chain->get()->access_key, "FIRST");
  EXPECT_EQ(server.seen().size(), 1u);
  EXPECT_TRUE(server.seen().at(0).has("Authorization: Bearer x\r\n"));

  world.clock.time += 54min;
  EXPECT_EQ(chain->get()->access_key, "FIRST");
  EXPECT_EQ(server.seen().size(), 1u);
  world.clock.time += 2min;
  {
    const std::lock_guard lock(mutex);
    answer = "not now";
  }
  EXPECT_EQ(chain->get()->access_key, "FIRST") << "the old ones serve until they end";
  {
    const std::lock_guard lock(mutex);
    answer = keys_until("SECOND", "19:00:00");
  }
  EXPECT_EQ(chain->get()->access_key, "SECOND");
  chain->forget();
  EXPECT_EQ(chain->get()->access_key, "SECOND");
  EXPECT_EQ(server.seen().size(), 4u);
}

TEST(Credentials, AContainersTokenDoesNotGoElsewhereOverPlainHttp) {
  World world;
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.net/keys";
  world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "secret-token";
  const auto keys = world.chain()->get();
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().kind, Kind::bad_input);
}

TEST(Credentials, OfTheMachineAreAskedForWithASessionToken) {
  ScriptedServer service([](const SeenRequest& request) {
    if (request.target == "/latest/api/token") return Reply::of(request.method == "PUT" ? 200 : 405, "session");
    if (!request.has("X-aws-ec2-metadata-token: session")) return Reply::of(401, "");
    if (request.target == "/latest/meta-data/iam/security-credentials/") return Reply::of(200, "role-name\n");
    if (request.target == "/latest/meta-data/iam/security-credentials/role-name")
      return Reply::of(200, keys_until("MACHINE", "18:00:00"));
    return Reply::of(404, "");
  });
  World world;
  world.variables["AWS_EC2_METADATA_DISABLED"] = "false";
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url() + "/";
  const auto keys = world.chain()->get();
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->access_key, "MACHINE");
}

TEST(Credentials, AMachineWhoseServiceIsSilentIsGivenUp) {
  ScriptedServer service([](const SeenRequest&) { return Reply{"", true}; });
  World world;
  world.variables["AWS_EC2_METADATA_DISABLED"] = "";
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url();
  EXPECT_EQ(world.chain()->get().error().kind, Kind::permission);
}

TEST(S3SettingsFrom, TheMoreSpecialVariableWins) {
  World world;
  world.scratch.write(".aws/config",
                      "[default]\nregion = eu-north-1\nendpoint_url = http://profile\nca_bundle = /profile.pem\n");
  EXPECT_EQ(s3_settings_from(world.environment())->endpoint, "http://profile");
  EXPECT_EQ(s3_settings_from(world.environment())->ca_file, "/profile.pem");
  world.variables["AWS_ENDPOINT_URL"] = "http://all";
  world.variables["AWS_DEFAULT_REGION"] = "eu-west-2";
  EXPECT_EQ(s3_settings_from(world.environment())->endpoint, "http://all");
  EXPECT_EQ(s3_settings_from(world.environment())->region, "eu-west-2");
  world.variables["AWS_ENDPOINT_URL_S3"] = "http://s3";
  world.variables["AWS_REGION"] = "eu-west-1";
  world.variables["AWS_CA_BUNDLE"] = "/ca.pem";
  const auto settings = s3_settings_from(world.environment());
  EXPECT_EQ(settings->endpoint, "http://s3");
  EXPECT_EQ(settings->region, "eu-west-1");
  EXPECT_EQ(settings->ca_file, "/ca.pem");
}

}  // namespace
}  // namespace steward::object
