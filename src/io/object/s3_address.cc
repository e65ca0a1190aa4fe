#include "io/object/s3_address.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/text.h"
#include "core/url.h"

namespace steward::object {
namespace {

/// AWS's rules for today's buckets, and what was allowed before them.
bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 255 && std::ranges::all_of(name, [](unsigned char c) {
           return c < 0x80 && (std::isalnum(c) || c == '-' || c == '.' || c == '_');
         });
}

struct Endpoint {
  std::string scheme{}, host{}, base{};
};

Result<Endpoint> parse_endpoint(const std::string& text) {
  const auto wrong = [&](std::string_view why) {
    return fail(Kind::bad_input, fmt::format("the S3 endpoint \"{}\" is none: {}", masked(text), why),
                "Write AWS_ENDPOINT_URL like https://s3.example.net or http://127.0.0.1:9000.");
  };
  const auto url = parse_url(text);
  if (!url) return wrong("it is not a URL");
  if (url->scheme != "http" && url->scheme != "https") return wrong("its scheme is neither http nor https");
  if (url->host.empty()) return wrong("it has no host");
  if (!url->user.empty() || !url->password.empty()) return wrong("keys do not belong into it");
  if (!url->query.empty()) return wrong("it has a query");
  Endpoint endpoint{.scheme = url->scheme};
  endpoint.host = url->host.contains(':') ? "[" + url->host + "]" : url->host;
  // HTTP leaves the scheme's own port out of the Host header, which is signed.
  const std::string own_port = url->scheme == "https" ? "443" : "80";
  if (!url->port.empty() && url->port != own_port) endpoint.host += ":" + url->port;
  std::string_view path = url->path;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!path.empty()) endpoint.base = "/" + percent_encode(path, true);
  return endpoint;
}

Endpoint aws_endpoint(const std::string& region) {
  return {.scheme = "https",
          .host = fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "")};
}

}  // namespace

std::string S3Address::path_of(std::string_view whole_key) const {
  if (whole_key.empty()) return base.empty() ? "/" : base;
  return base + "/" + percent_encode(whole_key, true);
}

Result<S3Address> s3_address(const std::string& text, const S3Settings& settings) {
  const Url url = TRY(parse_url(text));
  if (url.scheme != "s3" || !url.query.empty() || !url.user.empty() || !url.port.empty())
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a bucket", masked(text)),
                "Write it like s3://bucket/prefix.");
  if (!is_bucket_name(url.host))
    return fail(Kind::bad_input, fmt::format("\"{}\" is not the name of a bucket", printable(url.host)),
                "Buckets have three characters or more: letters, digits, dots and hyphens.");
  S3Address address{.bucket = url.host, .root = url.path, .region = settings.region};
  if (address.region.empty()) address.region = "us-east-1";
  if (!address.root.empty() && !address.root.ends_with('/')) address.root += '/';

  const bool aws = settings.endpoint.empty();
  const Endpoint endpoint = aws ? aws_endpoint(address.region) : TRY(parse_endpoint(settings.endpoint));
  address.scheme = endpoint.scheme;
  const bool virtual_host = aws ? !url.host.contains('.') : settings.virtual_host;
  address.host = virtual_host ? url.host + "." + endpoint.host : endpoint.host;
  // AWS's buckets have one name space for all regions.
  const std::string_view server = endpoint.host;
  const bool is_aws = server.ends_with(".amazonaws.com") || server.ends_with(".amazonaws.com.cn");
  address.identity =
      fmt::format("{}{}/{}/{}", is_aws ? "aws" : server, is_aws ? "" : endpoint.base, url.host, address.root);
  address.base = virtual_host ? endpoint.base : endpoint.base + "/" + url.host;
  return address;
}

}  // namespace steward::object
