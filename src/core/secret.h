/// A value that must not be shown.
#pragma once
#include <string>
#include <utility>

namespace steward {

/// Holds a password, key or token. It has no formatter and no stream operator, so that a secret cannot slip into a
/// message; who needs the value calls `reveal` and is easy to find.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string value_{};
};

}  // namespace steward
