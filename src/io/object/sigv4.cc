#include "io/object/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/digest.h"
#include "core/text.h"
#include "core/url.h"

namespace steward::object {
namespace {

std::string_view as_text(const Sha256Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Without space at the ends, and runs of spaces as one.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : trim(value))
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  return out;
}

/// Names in lower case, sorted; Host among them.
Fields canonical_headers(const SignedRequest& request, const Fields& added) {
  Fields all{{"host", request.host}};
  for (const Fields* fields : {&request.headers, &added})
    for (const auto& [name, value] : *fields) all.emplace_back(lower(name), canonical_value(value));
  std::ranges::sort(all);
  return all;
}

Sha256Bytes signing_key(const Secret& secret, std::string_view date, std::string_view region,
                        std::string_view service) {
  const Sha256Bytes day = hmac_sha256("AWS4" + secret.reveal(), date);
  const Sha256Bytes place = hmac_sha256(as_text(day), region);
  const Sha256Bytes purpose = hmac_sha256(as_text(place), service);
  return hmac_sha256(as_text(purpose), "aws4_request");
}

}  // namespace

std::string canonical_query(const Fields& query) {
  Fields encoded;
  for (const auto& [name, value] : query)
    encoded.emplace_back(percent_encode(name, false), percent_encode(value, false));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

Fields signature(const SignedRequest& request, const Credentials& credentials, std::string_view region,
                 std::string_view service, Instant now) {
  const std::string time = format_compact(now);
  const std::string date = time.substr(0, 8);
  Fields added{{"x-amz-content-sha256", request.payload_hash}, {"x-amz-date", time}};
  if (!credentials.session_token.empty())
    added.emplace_back("x-amz-security-token", credentials.session_token.reveal());

  std::string lines;
  std::string names;
  for (const auto& [name, value] : canonical_headers(request, added)) {
    lines += fmt::format("{}:{}\n", name, value);
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                                            canonical_query(request.query), lines, names, request.payload_hash);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, region, service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, sha256_hex(canonical));
  const Sha256Bytes key = signing_key(credentials.secret_key, date, region, service);
  added.emplace_back("authorization",
                     fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                                 credentials.access_key, scope, names, hex(hmac_sha256(as_text(key), to_sign))));
  return added;
}

}  // namespace steward::object
