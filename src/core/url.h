/// URLs, as far as steward's settings use them: databases and stores. RFC 3986, with what people write in practice.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/secret.h"

namespace steward {

/// The parts of SCHEME://USER:PASSWORD@HOST:PORT/PATH?NAME=VALUE&…, percent-decoded, each empty where absent. The path
/// begins after the slash that ends the authority: "postgres://h/app" has "app"; "file:///var/x" has "/var/x" (its host
/// is empty).
struct Url {
  std::string scheme{};  ///< Lower case.
  std::string user{};
  Secret password{};
  std::string host{};
  std::string port{};
  std::string path{};
  std::vector<std::pair<std::string, std::string>> query{};
};

/// bad_input where there is no scheme, a percent escape is broken, or a port is not a number. The message never holds
/// the password: it shows the URL as `masked` does.
Result<Url> parse_url(std::string_view text);

/// `text` with a password replaced by `***`: between the first colon and the last @ (whatever a person wrote there,
/// with or without a scheme), and in query parameters whose names hold pass, pwd, secret, token, key, credential or
/// signature.
std::string masked(std::string_view text);

/// Percent-decodes. bad_input for a broken escape.
Result<std::string> percent_decode(std::string_view text);

/// Percent-encodes all but RFC 3986's unreserved characters; `/` stays where `keep_slash`. Upper-case hexadecimal, as
/// SigV4 asks.
std::string percent_encode(std::string_view text, bool keep_slash);

}  // namespace steward
