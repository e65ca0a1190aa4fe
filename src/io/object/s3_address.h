/// Where a bucket is: from settings to URLs. Pure.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/object/store.h"

namespace steward::object {

/// A bucket's place on the network, and the store's root in it.
struct S3Address {
  std::string scheme{};  ///< "http" or "https".
  std::string host{};    ///< As in the Host header: with its port where that is not the scheme's own.
  std::string base{};    ///< What stands before "/KEY": "" or "/bucket", percent-encoded.
  std::string bucket{};
  std::string root{};  ///< "" or "prefix/": what every key of the store begins with.
  std::string region{};
  /// Names bucket and root whichever way they are addressed: "aws/shots/cold/", "127.0.0.1:9000/shots/".
  std::string identity{};

  /// Of an object by its whole key; of the bucket for "". Percent-encoded, nothing tidied away.
  std::string path_of(std::string_view whole_key) const;
};

/// Of "s3://bucket/prefix". Path style where an endpoint is set, unless `virtual_host`; AWS's own for the region where
/// none is, virtual-host style there unless the bucket's name has a dot (no certificate fits such a host).
/// bad_input: a URL or an endpoint that is none.
Result<S3Address> s3_address(const std::string& url, const S3Settings& settings);

}  // namespace steward::object
