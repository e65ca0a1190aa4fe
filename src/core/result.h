/// Errors as values: `Result<T>`, `Error`, and the one table that says what each kind of error means to a caller.
///
///   Result<Config> read(const Path& path) {
///     const std::string text = TRY(slurp(path));      // returns the error of slurp, if there is one
///     if (text.empty()) return fail(Kind::bad_input, fmt::format("{} is empty", path), "Write a policy into it.");
///     …
///   }
#pragma once
#include <array>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace steward {

/// What went wrong, in the ten ways that a caller treats differently.
enum class Kind {
  bad_input,  ///< What the person wrote cannot be used: a flag, a setting, a URL.
  refused,  ///< It could be done, and a safeguard says no: a brake, a freeze, a clock that is off, a missing approval.
  busy,     ///< Somebody else holds what is needed; later it will do.
  held,     ///< A hold covers it.
  not_found,    ///< It is not there.
  permission,   ///< The rights are missing.
  unavailable,  ///< A server, a disk or a network does not do its part; trying again may help.
  corrupt,      ///< What was read is not what was written.
  interrupted,  ///< Told to stop: a signal, a cancel, a lost lock.
  bug,          ///< steward itself is wrong.
};

/// What went wrong, for the person who has to act on it. Never holds a secret.
struct Error {
  Kind kind{};
  std::string message{};  ///< One line: what failed, on what, why. Lower case, no full stop.
  std::string hint{};     ///< One sentence: what to do next. Empty if there is nothing to say.
  std::string code{};     ///< A stable name of a refusal ("brake-share"), for scripts and docs; empty for the rest.
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// An error to return. `code` only for refusals.
inline std::unexpected<Error> fail(Kind kind, std::string message, std::string hint = {}, std::string code = {}) {
  return std::unexpected(Error{kind, std::move(message), std::move(hint), std::move(code)});
}

/// `error` with `what` in front of its message: "reading steward.yaml: permission denied".
inline std::unexpected<Error> fail_while(std::string_view what, Error error) {
  error.message = std::string(what) + ": " + error.message;
  return std::unexpected(std::move(error));
}

/// The value of `expression`, or return its error from the enclosing function. Not for coroutines. Not inside a braced
/// initialiser behind members that own something: GCC 12 does not destroy those when this returns. Name the value
/// first.
#define TRY(expression) STEWARD_TRY_AS(STEWARD_JOIN(steward_result_, __COUNTER__), expression)
#define STEWARD_JOIN_(a, b) a##b
#define STEWARD_JOIN(a, b) STEWARD_JOIN_(a, b)
#define STEWARD_TRY_AS(result, expression)               \
  __extension__({                                        \
    auto result = (expression);                          \
    if (!result) [[unlikely]]                            \
      return std::unexpected(std::move(result).error()); \
    *std::move(result);                                  \
  })

/// What a kind of error means outside.
struct KindRow {
  Kind kind;
  std::string_view name;  ///< As in JSON.
  int exit_code;          ///< Of the process, where this error ends it.
  int http_status;
  bool retry;  ///< Whether trying the same thing again later can help.
};

/// The only place that knows.
inline constexpr std::array kinds{
    KindRow{Kind::bad_input, "bad-input", 2, 400, false},
    KindRow{Kind::refused, "refused", 3, 409, false},
    KindRow{Kind::busy, "busy", 75, 409, true},
    KindRow{Kind::held, "held", 3, 409, false},
    KindRow{Kind::not_found, "not-found", 1, 404, false},
    KindRow{Kind::permission, "permission", 1, 403, false},
    KindRow{Kind::unavailable, "unavailable", 1, 503, true},
    KindRow{Kind::corrupt, "corrupt", 1, 500, false},
    KindRow{Kind::interrupted, "interrupted", 1, 503, true},
    KindRow{Kind::bug, "bug", 1, 500, false},
};

/// The row of `kind`.
constexpr const KindRow& row_of(Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

static_assert([] {
  for (std::size_t i = 0; i < kinds.size(); ++i)
    if (static_cast<std::size_t>(kinds[i].kind) != i) return false;
  return kinds.size() == static_cast<std::size_t>(Kind::bug) + 1;
}());

}  // namespace steward
