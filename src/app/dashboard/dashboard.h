/// The dashboard's pages, which are in the program itself: made from web/ by the build, compressed there, and served as
/// they are.
///
/// Promises  - They hold nothing of what steward knows: that comes from the API, to who has signed in.
///           - A file whose name has a hash of its content is cached for good; all others are asked for again, and
///           answered
///             with 304 where they are the same.
///           - Any address that is no file and none of the API's is a page of the dashboard, which knows it or says
///           that
///             there is none.
/// See also  web/README.md; RFC 9110, 12.5.3 (Accept-Encoding) and 13.1.2 (If-None-Match).
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "app/server/router.h"

namespace steward::dashboard {

/// A file, as the build has packed it.
struct Asset {
  std::string_view path{};  ///< "assets/index-4f2a91c0.js".
  std::string_view type{};  ///< Its media type.
  std::string_view etag{};  ///< With quotes.
  bool immutable = false;   ///< Its name changes with its content.
  std::string_view plain{};
  std::string_view gzip{};  ///< Empty where that is no smaller.
  std::string_view brotli{};
};

/// Sorted by path; none in a program that was built without the dashboard.
std::span<const Asset> assets();

/// The answer to a request for a page or a file. `base_path`: what stands before each path, "/steward", or nothing.
server::Response page(const server::Request& request, std::string_view base_path);

/// All that no other route answers is the dashboard's.
void add_pages(server::Router& router, const std::string& base_path);

}  // namespace steward::dashboard
