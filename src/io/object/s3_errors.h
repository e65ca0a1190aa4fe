/// What an S3 server's refusal means, in steward's words. Pure.
#pragma once
#include <optional>
#include <string>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/s3_xml.h"

namespace steward::object {

/// All that is known of an answer that is no success.
struct Refusal {
  int status = 0;
  S3Problem problem{};
  std::string act{};  ///< What was tried: "read a/b.png in s3://shots".
  std::string bucket{};
  std::string host{};
  std::string region{};         ///< The one that was signed for.
  std::string bucket_region{};  ///< The one that the server names, if it does.
  std::optional<Instant> server_time{};
  Instant signed_at{};
};

/// As in style.md: what, on what, why; how far it got; what to do. Holds no key and no signature.
Error explain(const Refusal& refusal);

/// Whether trying the same again may help: 500, 502, 503, 504, 429, and S3's codes of that meaning.
bool may_help_to_retry(int status, const std::string& code);
/// The server has too much to do, and has done nothing: SlowDown and its like.
bool asks_for_less(int status, const std::string& code);
/// "SlowDown: the server's words", shortened and printable; or "status 418".
std::string in_its_words(int status, const S3Problem& problem);
/// The keys have ended, and the chain may have new ones.
bool asks_for_new_keys(const std::string& code);
/// 412, or a code of that meaning inside a 200.
bool says_changed(int status, const std::string& code);
/// There is no such object. (Not: no such bucket.)
bool says_no_such_key(int status, const std::string& code);

}  // namespace steward::object
