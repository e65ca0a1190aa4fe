// The places of the chain that hand out keys for a while: STS, a container's endpoint, the machine's metadata service.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "core/text.h"
#include "core/url.h"
#include "io/object/credentials.h"

namespace steward::object {
namespace {

using namespace std::chrono_literals;

std::string text_field(const nlohmann::json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

/// The JSON that containers and machines answer with.
Result<Credentials> from_json(std::string_view text, std::string_view place) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || text_field(json, "AccessKeyId").empty() || text_field(json, "SecretAccessKey").empty())
    return fail(Kind::unavailable, fmt::format("{} answers without keys for S3", place),
                "Is a role with rights on the bucket attached here?");
  return Credentials{.access_key = text_field(json, "AccessKeyId"),
                     .secret_key = Secret(text_field(json, "SecretAccessKey")),
                     .session_token = Secret(text_field(json, "Token")),
                     .expires = parse_instant(text_field(json, "Expiration"))};
}

Result<std::string> token_in(const std::string& path, const char* variable) {
  std::ifstream file(path, std::ios::binary);
  const std::string token(std::istreambuf_iterator<char>(file), {});
  if (!file || trim(token).empty())
    return fail(Kind::bad_input, fmt::format("the token file {} cannot be read", path),
                fmt::format("Check {}.", variable));
  return std::string(trim(token));
}

/// AWS's rule for AWS_CONTAINER_CREDENTIALS_FULL_URI: the token goes over TLS, to loopback, or to the two link-local
/// addresses of ECS and EKS, and nowhere else.
bool may_have_the_token(const Url& url) {
  return url.scheme == "https" || url.host.starts_with("127.") || url.host == "localhost" || url.host == "::1" ||
         url.host == "169.254.170.2" || url.host == "169.254.170.23" || url.host == "fd00:ec2::23";
}

Result<Credentials> from_sts(std::string_view xml) {
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size(), pugi::parse_minimal | pugi::parse_escapes, pugi::encoding_utf8);
  const pugi::xml_node keys =
      document.child("AssumeRoleWithWebIdentityResponse").child("AssumeRoleWithWebIdentityResult").child("Credentials");
  Credentials found{.access_key = keys.child_value("AccessKeyId"),
                    .secret_key = Secret(keys.child_value("SecretAccessKey")),
                    .session_token = Secret(keys.child_value("SessionToken")),
                    .expires = parse_instant(keys.child_value("Expiration"))};
  if (found.access_key.empty() || found.secret_key.empty())
    return fail(Kind::unavailable, "STS answers without keys", "Check AWS_ENDPOINT_URL_STS and the network.");
  return found;
}

std::string sts_url(const Environment& environment, const std::string& region) {
  const auto set = first_set(environment, {"AWS_ENDPOINT_URL_STS"});
  if (set) return *set;
  if (region.empty()) return "https://sts.amazonaws.com/";
  return fmt::format("https://sts.{}.amazonaws.com{}/", region, region.starts_with("cn-") ? ".cn" : "");
}

}  // namespace

Result<std::optional<Credentials>> credentials_of_web_identity(const Environment& environment, const Profile& profile,
                                                               const std::string& region, http::Client& http) {
  std::string file = first_set(environment, {"AWS_WEB_IDENTITY_TOKEN_FILE"}).value_or("");
  std::string role = first_set(environment, {"AWS_ROLE_ARN"}).value_or("");
  if (file.empty()) {
    file = profile.value("web_identity_token_file");
    role = profile.value("role_arn");
  }
  if (file.empty()) return std::nullopt;
  if (role.empty())
    return fail(Kind::bad_input, "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not", "Set both, or neither.");
  const std::string token = TRY(token_in(file, "AWS_WEB_IDENTITY_TOKEN_FILE"));
  const std::string session = first_set(environment, {"AWS_ROLE_SESSION_NAME"}).value_or("steward");
  const std::string body = canonical_query({{"Action", "AssumeRoleWithWebIdentity"},
                                            {"Version", "2011-06-15"},
                                            {"RoleArn", role},
                                            {"RoleSessionName", session},
                                            {"WebIdentityToken", token}});
  const http::Response answer = TRY(http.send({.method = "POST",
                                               .url = sts_url(environment, region),
                                               .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                                               .body = body,
                                               .whole_timeout = 20s}));
  if (answer.status / 100 != 2)
    return fail(Kind::permission,
                fmt::format("STS does not give keys for the role {} (status {})", role, answer.status),
                "Check AWS_ROLE_ARN, the role's trust policy and the age of the token.");
  return TRY(from_sts(answer.body));
}

Result<std::optional<Credentials>> credentials_of_container(const Environment& environment, http::Client& http) {
  const auto relative = first_set(environment, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"});
  const auto full = first_set(environment, {"AWS_CONTAINER_CREDENTIALS_FULL_URI"});
  if (!relative && !full) return std::nullopt;
  http::Request request{
      .url = relative ? "http://169.254.170.2" + *relative : *full, .connect_timeout = 2s, .whole_timeout = 5s};
  if (!may_have_the_token(TRY(parse_url(request.url))))
    return fail(Kind::bad_input, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor a container's own address",
                "Keys are not asked for over plain HTTP elsewhere.");
  std::string token = first_set(environment, {"AWS_CONTAINER_AUTHORIZATION_TOKEN"}).value_or("");
  if (const auto file = first_set(environment, {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}))
    token = TRY(token_in(*file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
  if (!token.empty()) request.headers.emplace_back("Authorization", token);
  const http::Response answer = TRY(http.send(request));
  if (answer.status != 200)
    return fail(Kind::unavailable, fmt::format("the container's endpoint gives no keys (status {})", answer.status),
                "Check AWS_CONTAINER_AUTHORIZATION_TOKEN and the task's role.");
  return TRY(from_json(answer.body, "the container's endpoint"));
}

Result<std::optional<Credentials>> credentials_of_machine(const Environment& environment, http::Client& http) {
  if (first_set(environment, {"AWS_EC2_METADATA_DISABLED"}) == "true") return std::nullopt;
  std::string service =
      first_set(environment, {"AWS_EC2_METADATA_SERVICE_ENDPOINT"}).value_or("http://169.254.169.254");
  while (service.ends_with('/')) service.pop_back();
  // Most machines have no such service: a second is all that it gets, and its absence is no error.
  const auto ask = [&](std::string method, const std::string& path, http::Header header) {
    return http.send({.method = std::move(method),
                      .url = service + path,
                      .headers = {std::move(header)},
                      .connect_timeout = 1s,
                      .whole_timeout = 1s});
  };
  const auto token = ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", "21600"});
  if (!token || token->status != 200) return std::nullopt;
  const http::Header authorization{"X-aws-ec2-metadata-token", token->body};
  const std::string path = "/latest/meta-data/iam/security-credentials/";
  const auto role = ask("GET", path, authorization);
  if (!role || role->status != 200 || trim(role->body).empty()) return std::nullopt;
  const std::string name(trim(split(role->body, '\n').front()));
  const http::Response keys = TRY(ask("GET", path + percent_encode(name, true), authorization));
  if (keys.status != 200)
    return fail(Kind::unavailable, fmt::format("the metadata service gives no keys for the role {}", printable(name)));
  return TRY(from_json(keys.body, "the metadata service"));
}

}  // namespace steward::object
