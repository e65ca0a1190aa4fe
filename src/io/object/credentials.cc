#include "io/object/credentials.h"

#include <fmt/format.h>

#include <utility>

namespace steward::object {
namespace {

using namespace std::chrono_literals;
constexpr auto renew_before_end = 5min;

}  // namespace

CredentialChain::CredentialChain(Environment environment, const Clock& clock, std::string region,
                                 const std::string& ca_file)
    : environment_(std::move(environment)), clock_(clock), region_(std::move(region)), http_({.ca_file = ca_file}) {}

bool CredentialChain::is_fresh() const {
  return known_ && (!known_->expires || clock_.now() < *known_->expires - renew_before_end);
}

Result<Credentials> CredentialChain::get() {
  const std::lock_guard lock(mutex_);
  if (is_fresh()) return *known_;
  auto found = find();
  if (found) {
    known_ = *found;
  } else if (known_ && clock_.now() < *known_->expires) {
    return *known_;
  }
  return found;
}

void CredentialChain::forget() {
  const std::lock_guard lock(mutex_);
  known_.reset();
}

Result<Credentials> CredentialChain::find() {
  if (auto found = TRY(credentials_of_environment(environment_))) return *std::move(found);
  const Profile profile = TRY(read_profile(environment_));
  if (auto found = TRY(credentials_of_web_identity(environment_, profile, region_, http_))) return *std::move(found);
  if (auto found = TRY(credentials_of_profile(profile))) return *std::move(found);
  if (auto found = TRY(credentials_of_container(environment_, http_))) return *std::move(found);
  if (auto found = TRY(credentials_of_machine(environment_, http_))) return *std::move(found);
  return fail(Kind::permission,
              "no keys for S3 were found: not in variables, ~/.aws, a container or the machine's metadata",
              "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.");
}

Result<std::optional<Credentials>> credentials_of_environment(const Environment& environment) {
  const auto access = first_set(environment, {"AWS_ACCESS_KEY_ID"});
  const auto secret = first_set(environment, {"AWS_SECRET_ACCESS_KEY"});
  if (!access && !secret) return std::nullopt;
  if (!access || !secret)
    return fail(Kind::bad_input,
                fmt::format("{} is set and {} is not", access ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                            access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID"),
                "Set both, or neither.");
  return Credentials{.access_key = *access,
                     .secret_key = Secret(*secret),
                     .session_token = Secret(first_set(environment, {"AWS_SESSION_TOKEN"}).value_or(""))};
}

Result<std::optional<Credentials>> credentials_of_profile(const Profile& profile) {
  const std::string access = profile.value("aws_access_key_id");
  const std::string secret = profile.value("aws_secret_access_key");
  for (const char* setting : {"role_arn", "credential_process", "sso_session", "sso_start_url", "login_session"})
    if (profile.values.contains(setting) && (access.empty() || std::string_view(setting) == "role_arn"))
      return fail(Kind::bad_input,
                  fmt::format("the profile \"{}\" gets its keys by {}, which steward cannot do", profile.name, setting),
                  "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile that holds keys.");
  if (access.empty() && secret.empty()) return std::nullopt;
  if (access.empty() || secret.empty())
    return fail(Kind::bad_input,
                fmt::format("the profile \"{}\" has no {}", profile.name,
                            access.empty() ? "aws_access_key_id" : "aws_secret_access_key"),
                "A profile with keys has both.");
  return Credentials{
      .access_key = access, .secret_key = Secret(secret), .session_token = Secret(profile.value("aws_session_token"))};
}

}  // namespace steward::object
