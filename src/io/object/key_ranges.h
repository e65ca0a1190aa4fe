/// Lists a store by several requests at once, each over a range of its keys.
///
/// One request after another is what a listing is by itself: each page says where the next begins. Where the server
/// lists in the order of the keys' bytes and takes a place to start after, the keys can be cut into ranges that are
/// listed side by side. Nobody knows beforehand where the keys are; so whoever has nothing to do takes the rest of a
/// range that is being listed, asks for the first key after some place in it, and goes on from there:
///
///   a/…        k/…        z/…        one range
///   a/…    |   k/…        z/…        "first after h": k/…; two ranges
///   a/…  h |   k/… t      z/…        "first after t": none; a range that ends at t
///
/// Promises  - Each key that was there all the time is given once. Ranges meet at a text, not at a key: (…, h] and (h,
/// …].
///           - Memory is constant: as many pages as twice the threads, whatever the number of keys.
///           - `take` is called in the calling thread, by one call at a time, in no promised order.
///           - A server that ignores the place to start after is listed one page after another.
///           - Where the keys do not come in the order of their bytes, as in some gateways to folders ("a/b" before
///           "a.b"), ranges would lose some. That is seen, and said: Ranged::unordered.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/s3_xml.h"
#include "io/object/store.h"

namespace steward::object {

/// Which page: the one that an earlier page named, or the first of what comes after a key.
struct PageQuestion {
  std::string next{};    ///< ObjectPage::next. Empty: a first page,
  std::string after{};   ///< of the keys behind this one; empty: of all.
  bool one_key = false;  ///< No more than one is needed.
};

/// A listing, as the server gives it. Asked by several threads.
struct PagedListing {
  std::function<Result<ObjectPage>(const PageQuestion&)> page{};
  std::function<Result<bool>(const std::string& key)> is_gone{};  ///< For certain.
  std::string prefix{};                                           ///< All keys begin with it.
  KeyRange keys{};                                                ///< Of them those, by their whole keys.
  Instant begun{};                                                ///< What was written since need not be listed.
};

/// See above. `threads`: how many requests are under way at once.
Result<Ranged> list_by_ranges(const PagedListing& listing, unsigned threads,
                              const std::function<Result<bool>(const ObjectInfo&)>& take);

/// A text between `low` and `high` (none: the end of what begins as `low` does up to `prefix` bytes), somewhere in the
/// middle, in printable ASCII behind what they share. Nothing where there is none such. Pure.
std::optional<std::string> text_between(std::string_view low, std::optional<std::string_view> high, std::size_t prefix);

}  // namespace steward::object
