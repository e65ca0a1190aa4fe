/// Where S3's keys come from: AWS's chain.
///
///   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
///   2. a web identity: AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, or the profile's, by STS
///   3. the profile: keys in ~/.aws/credentials or ~/.aws/config
///   4. a container's endpoint: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS)
///   5. the machine's metadata service, version 2 (EC2); gives up after a second; AWS_EC2_METADATA_DISABLED=true leaves
///      it out
///
/// The first place that has something decides: where it is broken, that is the error, and nobody else is asked.
/// A profile that needs more than this (role_arn with source_profile, credential_process, sso_*) is an error that says
/// so.
///
/// Errors    bad_input: a place is half set, or unreadable. permission: no place has any; STS says no. unavailable: no
///           answer from STS or the container's endpoint.
/// Threads   one chain may be used by several.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/instant.h"
#include "core/result.h"
#include "io/http/client.h"
#include "io/object/profile.h"
#include "io/object/sigv4.h"

namespace steward::object {

class CredentialChain {
 public:
  /// `clock` has to outlive it. `region` is for STS; `ca_file` as in S3Settings.
  CredentialChain(Environment environment, const Clock& clock, std::string region, const std::string& ca_file);

  /// The keys, fetched once and remembered; temporary ones are renewed five minutes before they end. While a renewal
  /// fails, the old ones serve until they end.
  Result<Credentials> get();
  /// The server says that they have ended: the next `get` fetches anew.
  void forget();

 private:
  Result<Credentials> find();
  bool is_fresh() const;

  Environment environment_;
  const Clock& clock_;
  std::string region_;
  http::Client http_;
  std::mutex mutex_{};
  std::optional<Credentials> known_{};
};

/// One place of the chain: its keys, or nothing where the place is not set up. They are the chain's parts, here for
/// their tests.
Result<std::optional<Credentials>> credentials_of_environment(const Environment& environment);
Result<std::optional<Credentials>> credentials_of_profile(const Profile& profile);
Result<std::optional<Credentials>> credentials_of_web_identity(const Environment& environment, const Profile& profile,
                                                               const std::string& region, http::Client& http);
Result<std::optional<Credentials>> credentials_of_container(const Environment& environment, http::Client& http);
Result<std::optional<Credentials>> credentials_of_machine(const Environment& environment, http::Client& http);

}  // namespace steward::object
